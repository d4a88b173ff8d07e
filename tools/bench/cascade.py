"""What a cascade saves and what it changes: a classifier of several members on unseen rows, with and without `--cascade`, in turn.

Usage: python tools/bench/cascade.py LINCAH CLASSIFIER TEST.csv [--rows 500] [--rounds 2]     (columns text and label)
"""

import argparse
import csv
import json
import statistics
import subprocess
import tempfile
from pathlib import Path

LIMITS = ["", "0%", "1%", "2%", "5%", "10%"]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("lincah")
    parser.add_argument("classifier")
    parser.add_argument("test", type=Path)
    parser.add_argument("--rows", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        part = Path(folder) / "part.csv"
        with options.test.open(newline="", encoding="utf-8") as file, part.open("w", newline="", encoding="utf-8") as out:
            reader = csv.DictReader(file)
            writer = csv.DictWriter(out, ["text", "label"])
            writer.writeheader()
            writer.writerows({"text": row["text"], "label": row["label"]} for _, row in zip(range(options.rows), reader))

        def run(*arguments: str) -> str:
            return subprocess.run([options.lincah, *arguments, "--quiet"], capture_output=True, text=True, check=True).stdout

        speeds, scores, decisions = {}, {}, {}
        for _ in range(options.rounds):
            for limit in LIMITS:
                cascade = [f"--cascade={limit}"] if limit else []
                found = json.loads(run("evaluate", options.classifier, str(part), "--text", "text", "--label", "label", "--json", *cascade))
                speeds.setdefault(limit, []).append(found["texts_per_second"])
                scores[limit] = found["accuracy"]
                if limit not in decisions:
                    lines = run("predict", options.classifier, str(part), "--text", "text", *cascade).splitlines()
                    decisions[limit] = [json.loads(line)["decision"] for line in lines]
        whole = statistics.median(speeds[""])
        for limit in LIMITS:
            speed = statistics.median(speeds[limit])
            changed = sum(a != b for a, b in zip(decisions[limit], decisions[""])) / len(decisions[""])
            print(f"{limit or 'all members'}: {speed:.1f} texts/s ({speed / whole:.2f} x), other decisions {100 * changed:.1f} %, accuracy {scores[limit]:.3f}", flush=True)


if __name__ == "__main__":
    main()
