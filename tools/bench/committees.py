"""Committees (an instant classifier on all models, and an adapter for each decoder) on ETHOS (splits 101 to 106, the codelab's split with five seeds,
ten folds with the threshold 0.5), and on some 50, 100, 200 and 800 rows of SST-2 and TREC (five draws, the whole test file). Each run is one JSON file; one that is there
is not run again, and what is there is summed up.

Usage: python tools/bench/committees.py LINCAH SHARED DIR [--only PREFIX ...] [--workers N] [--options "OPTIONS OF LINCAH"]
"""

import argparse
import csv
import json
import random
import statistics
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

MODELS = {"one": "smollm2-135m,minilm", "all": "smollm2-135m,gemma-3-270m,minilm"}
# Rows of each label.
FEW = {"sst2": [25, 50, 100, 400], "trec": [8, 17, 33, 133]}
ETHOS = ["--text", "comment", "--label", "isHate", "--labels", "Positive,Negative"]


def drawn(path: Path, count: int, seed: int) -> list[dict]:
    """The first rows of each label after a shuffle."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    random.Random(seed).shuffle(rows)
    taken: Counter = Counter()
    found = []
    for row in rows:
        taken[row["label"]] += 1
        if taken[row["label"]] <= count:
            found.append(row)
    return found


def runs(shared: Path, base: Path) -> dict[str, list[str]]:
    """Options behind `lincah`, by name; what evaluates another run's folder comes behind it."""
    ethos = str(shared / "ethos/Ethos_Dataset_Binary.csv")
    found = {}
    for name, models in MODELS.items():
        for size in [50, 100, 200, 800]:
            for seed in range(101, 107):
                split = ["--positive-at", "median", "--holdout", "198", "--split-seed", str(seed), "--train-size", str(size)]
                for members in ["", "3"] if size == 200 or (name, size) == ("all", 800) else [""]:
                    key = f"ethos-{name}{members}-{size}-{seed}"
                    found[key] = ["train", ethos, *ETHOS, *split, "--model", models, "--out", str(base / key), "--json"]
                    if members:
                        found[key] += ["--members", members]
        for seed in [1, 2, 3, 4, 777]:
            split = ["--positive-at", "median", "--holdout", "198", "--split-seed", "32", "--train-size", "800", "--seed", str(seed)]
            for members in ["", "3"] if name == "all" else [""]:
                key = f"codelab-{name}{members}-800-{seed}"
                found[key] = ["train", ethos, *ETHOS, *split, "--model", models, "--out", str(base / key), "--json"]
                if members:
                    found[key] += ["--members", members]
        found[f"folds-{name}"] = ["cross-validate", ethos, *ETHOS, "--positive-at", "0.5", "--model", models, "--out", str(base / f"folds-{name}"), "--json"]
        for data, count in [(data, count) for data, counts in FEW.items() for count in counts]:
            for seed in range(1, 6):
                part = base / f"{data}-{count}-{seed}.csv"
                if not part.exists():
                    with part.open("w", newline="", encoding="utf-8") as file:
                        writer = csv.DictWriter(file, ["text", "label"])
                        writer.writeheader()
                        writer.writerows(drawn(shared / f"public/{data}_train.csv", count, seed))
                key = f"{data}-{name}-{count}-{seed}"
                columns = ["--text", "text", "--label", "label"]
                found[key] = ["train", str(part), *columns, "--model", models, "--out", str(base / key)]
                found[f"{key}-scored"] = ["evaluate", str(base / key), str(shared / f"public/{data}_test.csv"), *columns, "--json"]
    return found


def run(lincah: str, path: Path, options: list[str]) -> None:
    if path.exists():
        return
    begun = time.time()
    ran = subprocess.run([lincah, *options], capture_output=True, text=True)
    if ran.returncode != 0:
        print(f"{path.stem}: {ran.stderr[-400:]}", file=sys.stderr)
        return
    path.write_text(json.dumps({"seconds": time.time() - begun, "printed": ran.stdout, "notes": ran.stderr}))


def shown(values: list[float]) -> str:
    spread = 1.96 * statistics.stdev(values) / len(values) ** 0.5 if len(values) > 1 else float("nan")
    return f"{statistics.mean(values):.4f} ± {spread:.4f} (worst {min(values):.4f}, {len(values)})"


def summary(base: Path) -> None:
    groups: dict[str, dict[str, list[float]]] = {}
    for path in sorted(base.glob("*.json")):
        found = json.loads(path.read_text())
        parts = path.stem.removesuffix("-scored").split("-")
        group = groups.setdefault("-".join(parts[:3]), {})
        printed = found["printed"].strip().splitlines()
        if not path.stem.endswith("-scored"):
            group.setdefault("seconds", []).append(found["seconds"])
        if not printed:
            continue
        scores = json.loads(printed[-1])
        scores = scores.get("evaluation", scores)
        for metric in ["roc_auc", "f1", "macro_f1", "accuracy", "macro_roc_auc", "log_loss", "texts_per_second"]:
            if scores.get(metric) is not None:
                group.setdefault(metric, []).append(scores[metric])
        for member in scores.get("members", []):
            name = member["member"].split(";")[0]
            for metric, value in member["scores"].items():
                group.setdefault(f"{metric} of {name}", []).append(value)
    for name, metrics in groups.items():
        print(name)
        for metric, values in metrics.items():
            print(f"  {metric}: {shown(values)}, median {statistics.median(values):.3f}")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("lincah")
    parser.add_argument("shared", type=Path)
    parser.add_argument("dir", type=Path)
    parser.add_argument("--only", nargs="*", default=[""])
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=float("inf"), help="begin no further run after so many")
    parser.add_argument("--options", default="", help="of lincah, for every run")
    options = parser.parse_args()
    options.dir.mkdir(parents=True, exist_ok=True)
    base, begun = options.dir.resolve(), time.time()
    wanted = {key: value for key, value in runs(options.shared, base).items() if any(key.startswith(prefix) for prefix in options.only)}

    def one(key: str) -> None:
        if time.time() - begun < options.seconds:
            run(options.lincah, base / f"{key}.json", [*wanted[key], *options.options.split()])
            scored = f"{key}-scored"
            if scored in wanted and (base / f"{key}.json").exists():
                run(options.lincah, base / f"{scored}.json", [*wanted[scored], *options.options.split()])

    with ThreadPoolExecutor(options.workers) as pool:
        list(pool.map(one, [key for key in wanted if not key.endswith("-scored")]))
    summary(base)


if __name__ == "__main__":
    main()
