"""What thousands of connections that say nothing cost `lincah serve`, and whether others are served meanwhile.

Usage: python tools/bench/idle_connections.py LINCAH CLASSIFIER [--connections 10000] [--requests 200] [--max-connections N] [--head-seconds S]
"""

import argparse
import http.client
import json
import os
import resource
import socket
import statistics
import subprocess
import tempfile
import time
from pathlib import Path


def memory(process: int) -> float:
    """Resident memory in megabytes."""
    status = Path(f"/proc/{process}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]) / 1000


def ask(address: str, requests: int) -> str:
    """One client with one text per request, each on a connection of its own."""
    seconds = []
    for number in range(requests):
        begun = time.time()
        connection = http.client.HTTPConnection(address, timeout=120)
        connection.request("POST", "/v1/score", json.dumps({"input": f"a text, number {number}"}))
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 200, answer.status
        connection.close()
        seconds.append(time.time() - begun)
    return f"{requests} of {requests} answered, p50 {statistics.median(seconds) * 1000:.1f} ms, longest {max(seconds) * 1000:.0f} ms"


def idle(address: str, count: int, has_asked: bool) -> list[socket.socket]:
    """Connections that say nothing, from the beginning or after one request."""
    host, port = address.split(":")
    connections = []
    for _ in range(count):
        connection = socket.create_connection((host, int(port)), timeout=60)
        if has_asked:
            connection.sendall(b"GET /health/live HTTP/1.1\r\nHost: here\r\n\r\n")
            assert b"200 OK" in connection.recv(4096)
        connections.append(connection)
    return connections


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("lincah")
    parser.add_argument("classifier")
    parser.add_argument("--connections", type=int, default=10_000)
    parser.add_argument("--requests", type=int, default=200)
    parser.add_argument("--max-connections", type=int, help="the server's setting; by default more than there are")
    parser.add_argument("--head-seconds", type=float, default=3600, help="the server's setting, after which it closes what is idle")
    options = parser.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    print(f"files that may be open: {most}; {options.connections} idle connections")
    config = tempfile.NamedTemporaryFile("w", suffix=".toml")
    most_connections = options.max_connections or options.connections + 100
    config.write(f"max_connections = {most_connections}\nhead_seconds = {options.head_seconds}\n")
    config.flush()
    server = subprocess.Popen(
        [options.lincah, "serve", options.classifier, "--bind", "127.0.0.1:0", "--log", "none", "--config", config.name],
        stderr=subprocess.PIPE, text=True,
    )
    try:
        address = server.stderr.readline().strip().split("http://")[1]
        print(f"none: {ask(address, options.requests)}; {memory(server.pid):.0f} MB")
        for name, has_asked in [("that never said anything", False), ("that asked once", True)]:
            before, begun = memory(server.pid), time.time()
            connections = idle(address, options.connections, has_asked)
            opened = time.time() - begun
            asked = ask(address, options.requests)
            taken = len(os.listdir(f"/proc/{server.pid}/fd"))
            after = memory(server.pid)
            print(
                f"{options.connections} {name}, opened in {opened:.1f} s, {taken} files open: {asked}; {after:.0f} MB, "
                f"{(after - before) * 1000 / options.connections:.1f} kB each"
            )
            for connection in connections:
                connection.close()
            while len(os.listdir(f"/proc/{server.pid}/fd")) > 200:
                time.sleep(0.1)
            print(f"closed: {memory(server.pid):.0f} MB")
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    main()
