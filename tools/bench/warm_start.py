"""A training on few rows of ETHOS, afresh and from a classifier of HateCheck's texts (`train --init`), on splits 101 to 106.

Usage: python tools/bench/warm_start.py LINCAH SHARED DIR [--workers N]
"""

import argparse
import csv
import json
import random
import statistics
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

COLUMNS = ["--text", "comment", "--label", "isHate", "--labels", "Positive,Negative", "--model", "smollm2-135m"]
VARIANTS = {"afresh": ["--members", "1"], "afresh, three": ["--members", "3"], "from HateCheck": ["--members", "1", "--init"]}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("lincah")
    parser.add_argument("shared", type=Path)
    parser.add_argument("dir", type=Path)
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args()
    options.dir.mkdir(parents=True, exist_ok=True)

    def lincah(*arguments: object) -> str:
        return subprocess.run([options.lincah, *map(str, arguments)], capture_output=True, text=True, check=True).stdout

    with (options.shared / "public/hatecheck.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    random.Random(1).shuffle(rows)
    data, first = options.dir / "hatecheck.csv", options.dir / "first"
    with data.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["comment", "isHate"])
        writer.writerows([row["test_case"], "Negative" if row["label_gold"] == "hateful" else "Positive"] for row in rows[:800])
    if not first.exists():
        lincah("train", data, *COLUMNS, "--members", 1, "--out", first)
    ethos = options.shared / "ethos/Ethos_Dataset_Binary.csv"

    def run(job: tuple[int, int, str]) -> tuple[float, float]:
        size, split, variant = job
        settings = [*VARIANTS[variant], *([first] if "--init" in VARIANTS[variant] else [])]
        rows = ["--positive-at", "median", "--holdout", 198, "--split-seed", split, "--train-size", size]
        out = options.dir / f"{size}-{split}-{variant.replace(' ', '-')}"
        found = json.loads(lincah("train", ethos, *COLUMNS, *rows, *settings, "--out", out, "--json"))
        return found["roc_auc"], found["f1"]

    jobs = [(size, split, variant) for size in (50, 200, 800) for split in range(101, 107) for variant in VARIANTS if size < 800 or "three" not in variant]
    with ThreadPoolExecutor(options.workers) as pool:
        found = dict(zip(jobs, pool.map(run, jobs)))
    for size, variant in dict.fromkeys((size, variant) for size, _, variant in jobs):
        scores = [found[job] for job in jobs if (job[0], job[2]) == (size, variant)]
        areas = [area for area, _ in scores]
        f1 = statistics.mean(f1 for _, f1 in scores)
        print(f"{size} {variant}: ROC-AUC {statistics.mean(areas):.4f} sd {statistics.stdev(areas):.4f} worst {min(areas):.4f}, F1 {f1:.4f}")


if __name__ == "__main__":
    main()
