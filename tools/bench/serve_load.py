"""Clients at once against `lincah serve`, each asking for one text after the other, beside `lincah predict` on the same texts, in turn.

Usage: python tools/bench/serve_load.py LINCAH CLASSIFIER TEXTS.csv --text COLUMN [--clients 64] [--seconds 30] [--rounds 2] [--batch 1]
"""

import argparse
import csv
import http.client
import json
import statistics
import subprocess
import tempfile
import threading
import time
from pathlib import Path


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def load(address: str, texts: list[str], clients: int, seconds: float, batch: int, copies: int = 1) -> tuple[float, list[float], int]:
    """Texts a second, the seconds of each request, and requests that failed. Each client asks one of the copies `c0`, `c1` and so on."""
    latencies: list[list[float]] = [[] for _ in range(clients)]
    failed = [0] * clients
    ends = time.time() + seconds

    def client(number: int) -> None:
        connection = http.client.HTTPConnection(address)
        place = number * 37
        while time.time() < ends:
            asked = [texts[(place + offset) % len(texts)] for offset in range(batch)]
            place += batch
            begun = time.time()
            connection.request("POST", "/v1/score", json.dumps({"model": f"c{number % copies}", "input": asked}), {"Content-Type": "application/json"})
            answer = connection.getresponse()
            answer.read()
            failed[number] += answer.status != 200
            latencies[number].append(time.time() - begun)

    begun = time.time()
    threads = [threading.Thread(target=client, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    all_latencies = [latency for own in latencies for latency in own]
    return len(all_latencies) * batch / (time.time() - begun), all_latencies, sum(failed)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("lincah")
    parser.add_argument("classifier")
    parser.add_argument("texts", type=Path)
    parser.add_argument("--text", required=True)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--config", help="TOML file for the server")
    parser.add_argument("--copies", type=int, default=1, help="serve the classifier so many times, and let the clients ask these in turn")
    options = parser.parse_args()
    with options.texts.open(newline="", encoding="utf-8") as file:
        head = file.read(4096)
        file.seek(0)
        texts = [row[options.text] for row in csv.DictReader(file, delimiter=csv.Sniffer().sniff(head.splitlines()[0], ";,").delimiter)]
    server = subprocess.Popen([options.lincah, "serve", *(f"c{copy}={options.classifier}" for copy in range(options.copies)), "--bind", "127.0.0.1:0", "--log", "none", *(["--config", options.config] if options.config else [])], stderr=subprocess.PIPE, text=True)
    try:
        address = server.stderr.readline().strip().split("http://")[1]
        with tempfile.TemporaryDirectory() as folder:
            part = Path(folder) / "part.jsonl"
            part.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
            rates, served = [], []
            for _ in range(options.rounds):
                begun = time.time()
                subprocess.run([options.lincah, "predict", options.classifier, "--input", "warm", "--quiet"], capture_output=True, check=True)
                loading = time.time() - begun
                begun = time.time()
                subprocess.run([options.lincah, "predict", options.classifier, str(part), "--text", "text", "--quiet"], capture_output=True, check=True)
                rates.append(len(texts) / (time.time() - begun - loading))
                rate, latencies, failed = load(address, texts, options.clients, options.seconds, options.batch, options.copies)
                served.append(rate)
                print(
                    f"predict {rates[-1]:.1f} texts/s; {options.clients} clients {rate:.1f} texts/s ({rate / rates[-1]:.2f}), seconds p50 {percentile(latencies, 0.5):.3f} "
                    f"p95 {percentile(latencies, 0.95):.3f} p99 {percentile(latencies, 0.99):.3f}, {failed} failed of {len(latencies)}", flush=True,
                )
            _, alone, _ = load(address, texts, 1, 10, 1)
            print(f"median {statistics.median(served) / statistics.median(rates):.2f} of predict; one client alone: p50 {1000 * statistics.median(alone):.1f} ms")
            memory = [line for line in Path(f"/proc/{server.pid}/status").read_text().splitlines() if line.startswith(("VmRSS", "VmHWM"))]
            print("; ".join(" ".join(line.split()) for line in memory))
    finally:
        server.terminate()
        server.wait(90)


if __name__ == "__main__":
    main()
