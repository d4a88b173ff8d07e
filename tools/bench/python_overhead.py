"""Trains and scores by the command and by the Python package, in turn, and prints medians of seconds and ratios; whole processes, imports and all.

Usage: python tools/bench/python_overhead.py lincah [--rounds 5] [--texts 10000]; the Python that runs this has the package installed, and
`lincah` is a build of the command of the same commit. Needs the models smollm2-135m and minilm (`lincah pull`).
"""

import argparse
import csv
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SAMPLE = Path(__file__).resolve().parents[2] / "samples" / "comments.csv"

READ = """
import csv, sys
from lincah import AgileClassifier
with open(sys.argv[1], newline="", encoding="utf-8") as file:
    rows = list(csv.DictReader(file))
X = [row["comment"] for row in rows]
"""
TRAIN = READ + """
y = [row["label"] for row in rows]
AgileClassifier(model="smollm2-135m", preset="fast", epochs=1, labels=["civil", "uncivil"], out=sys.argv[2]).fit(X, y)
"""
SCORE = READ + """
classifier = AgileClassifier.load(sys.argv[2])
with open(sys.argv[3], "w", newline="", encoding="utf-8") as file:
    csv.writer(file).writerows([classifier.classes_, *classifier.predict_proba(X)])
"""


def seconds(command: list[str]) -> float:
    begun = time.perf_counter()
    ran = subprocess.run(command, capture_output=True, text=True)
    if ran.returncode != 0:
        raise SystemExit(f"{' '.join(command)}\n{ran.stderr}")
    return time.perf_counter() - begun


def compared(what: str, rounds: int, command, python) -> None:
    pairs = []
    for number in range(rounds):
        order = [command, python] if number % 2 == 0 else [python, command]
        taken = {run: run() for run in order}
        pairs.append((taken[command], taken[python]))
    ratios = [of_python / of_command for of_command, of_python in pairs]
    medians = [statistics.median(side) for side in zip(*pairs)]
    print(f"{what}: command {medians[0]:.1f} s, Python {medians[1]:.1f} s, ratio {statistics.median(ratios):.3f} "
          f"({min(ratios):.3f} to {max(ratios):.3f}, {rounds} rounds)", flush=True)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("lincah")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--texts", type=int, default=10_000)
    arguments = parser.parse_args()
    lincah, columns = arguments.lincah, ["--text", "comment", "--label", "label", "--labels", "civil,uncivil"]
    with tempfile.TemporaryDirectory() as folder:
        many = f"{folder}/many.csv"
        with open(SAMPLE, newline="", encoding="utf-8") as file:
            texts = [row["comment"] for row in csv.DictReader(file)]
        with open(many, "w", newline="", encoding="utf-8") as file:
            # Other texts each time, so that none is like another.
            rows = [[f"{texts[number % len(texts)]} {number}"] for number in range(arguments.texts)]
            csv.writer(file).writerows([["comment"], *rows])
        out = iter(f"{folder}/out{number}" for number in range(10_000))
        train = [lincah, "train", str(SAMPLE), *columns, "--model", "smollm2-135m", "--preset", "fast", "--epochs", "1"]
        compared(
            "training",
            arguments.rounds,
            lambda: seconds([*train, "--out", next(out)]),
            lambda: seconds([sys.executable, "-c", TRAIN, str(SAMPLE), next(out)]),
        )
        instant = f"{folder}/instant"
        seconds([lincah, "train", str(SAMPLE), *columns, "--preset", "instant", "--model", "minilm", "--out", instant])
        compared(
            f"scoring {arguments.texts} texts",
            arguments.rounds,
            lambda: seconds([lincah, "predict", instant, many, "--text", "comment", "--out", f"{folder}/scored.csv"]),
            lambda: seconds([sys.executable, "-c", SCORE, many, instant, f"{folder}/scored.csv"]),
        )


if __name__ == "__main__":
    main()
