"""`lincah serve` beside the rival of `fastapi_rival.py`, in turn, with the same clients; then lincah alone for a longer while, with its memory.

Usage: python tools/bench/serve_beside.py LINCAH CLASSIFIER EXPORT TEXTS.csv --text COLUMN [--clients 64] [--seconds 20] [--rounds 3] [--long 300]
EXPORT is what `lincah export CLASSIFIER --to sequence-classification` wrote.
"""

import argparse
import csv
import http.client
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

from serve_load import load, percentile


def memory(pid: int) -> int:
    """MB in use."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) // 1024


def main() -> None:
    parser = argparse.ArgumentParser()
    for name in ("lincah", "classifier", "export", "texts"):
        parser.add_argument(name)
    parser.add_argument("--text", required=True)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--long", type=float, default=0)
    options = parser.parse_args()
    with open(options.texts, newline="", encoding="utf-8") as file:
        texts = [row[options.text] for row in csv.DictReader(file)]
    commands = {
        "lincah f32": [options.lincah, "serve", f"c={options.classifier}", "--bind", "127.0.0.1:8091", "--log", "none"],
        "lincah int8": [options.lincah, "serve", f"c={options.classifier}", "--bind", "127.0.0.1:8092", "--log", "none", "--precision", "int8"],
        "FastAPI": [sys.executable, str(Path(__file__).with_name("fastapi_rival.py")), options.export, "--port", "8093"],
    }
    servers = {name: subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for name, command in commands.items()}
    addresses = {name: f"127.0.0.1:{8091 + place}" for place, name in enumerate(commands)}
    try:
        for address in addresses.values():
            for _ in range(300):
                try:
                    connection = http.client.HTTPConnection(address)
                    connection.request("POST", "/v1/score", json.dumps({"input": "warm"}), {"Content-Type": "application/json"})
                    connection.getresponse().read()
                    break
                except OSError:
                    time.sleep(0.2)
        rates: dict[str, list[float]] = {name: [] for name in commands}
        for _ in range(options.rounds):
            for name, address in addresses.items():
                rate, latencies, failed = load(address, texts, options.clients, options.seconds, 1)
                rates[name].append(rate)
                shares = ", ".join(f"p{100 * share:.0f} {percentile(latencies, share):.2f} s" for share in (0.5, 0.95, 0.99))
                print(f"{name}: {rate:.1f} texts/s, {shares}, {failed} failed, {memory(servers[name].pid)} MB", flush=True)
        rival = statistics.median(rates["FastAPI"])
        for name in ("lincah f32", "lincah int8"):
            print(f"{name}: {statistics.median(rates[name]) / rival:.2f} x FastAPI (medians)")
        parts = int(options.long // 60)
        for minute in range(parts):
            rate, latencies, failed = load(addresses["lincah f32"], texts, options.clients, 60, 1)
            print(
                f"minute {minute + 1}: {rate:.1f} texts/s, p99 {percentile(latencies, 0.99):.2f} s, {failed} failed of {len(latencies)}, "
                f"{memory(servers['lincah f32'].pid)} MB",
                flush=True,
            )
    finally:
        for server in servers.values():
            server.terminate()


if __name__ == "__main__":
    main()
