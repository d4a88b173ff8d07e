"""Instant classifiers on ETHOS (splits 101 to 106) and on few rows of SST-2, TREC and banking77 (five draws, the whole test file; banking77: 1,000
rows of it): scores, and seconds of the whole command, loading and scoring included. Each run is one JSON file; one that is there is not run again.

Usage: python tools/bench/instant.py LINCAH SHARED DIR [--models MODEL[,MODEL] ...]     (needs numpy)
"""

import argparse
import csv
import json
import subprocess
import time
from collections import Counter
from pathlib import Path

import numpy as np

FEW = {"sst2": ("label", [100]), "trec": ("label", [33]), "banking77": ("category", [5, 10])}


def rows(path: Path) -> list[dict]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def write(path: Path, texts: list[dict], label: str) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        writer.writerows([row["text"], row[label]] for row in texts)


def drawn(all_rows: list[dict], label: str, count: int, seed: int) -> list[dict]:
    """The first rows of each label after a permutation."""
    taken: Counter = Counter()
    found = []
    for index in np.random.RandomState(seed).permutation(len(all_rows)):
        row = all_rows[index]
        taken[row[label]] += 1
        if taken[row[label]] <= count:
            found.append(row)
    return found


def run(out: Path, *arguments: str) -> dict:
    if not out.exists():
        begun = time.time()
        ran = subprocess.run(arguments, capture_output=True, text=True)
        if ran.returncode != 0:
            raise RuntimeError(f"{arguments}: {ran.stderr[-400:]}")
        out.write_text(json.dumps({"seconds": time.time() - begun, "printed": ran.stdout, "notes": ran.stderr}))
    return json.loads(out.read_text())


def shown(values: list[float]) -> str:
    mean, error = np.mean(values), np.std(values, ddof=1) / len(values) ** 0.5
    return f"{mean:.4f} ± {1.96 * error:.4f} (worst {min(values):.4f})"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("lincah")
    parser.add_argument("shared", type=Path)
    parser.add_argument("dir", type=Path)
    parser.add_argument("--models", nargs="+", default=["smollm2-135m,minilm", "minilm", "smollm2-135m"])
    options = parser.parse_args()
    options.dir.mkdir(parents=True, exist_ok=True)
    base = options.dir.resolve()
    for models in options.models:
        name = models.replace(",", "+")
        for size in [200, 800]:
            metrics: dict[str, list[float]] = {"roc_auc": [], "f1": [], "seconds": []}
            for seed in range(101, 107):
                key = f"ethos-{name}-{size}-{seed}"
                found = run(base / f"{key}.json", options.lincah, "train", str(options.shared / "ethos/Ethos_Dataset_Binary.csv"), "--text", "comment",
                            "--label", "isHate", "--labels", "Positive,Negative", "--positive-at", "median", "--holdout", "198", "--split-seed", str(seed),
                            "--train-size", str(size), "--preset", "instant", "--model", models, "--out", str(base / key), "--json")
                scores = json.loads(found["printed"])
                for metric in ["roc_auc", "f1"]:
                    metrics[metric].append(scores[metric])
                metrics["seconds"].append(found["seconds"])
            print(f"ETHOS {size}, {name}: ROC-AUC {shown(metrics['roc_auc'])}, F1 {shown(metrics['f1'])}, median {np.median(metrics['seconds']):.1f} s", flush=True)
        for data, (label, counts) in FEW.items():
            train = rows(options.shared / f"public/{data}_train.csv")
            test = rows(options.shared / f"public/{data}_test.csv")
            if data == "banking77":
                test = [test[index] for index in np.random.RandomState(0).permutation(len(test))[:1000]]
            write(base / f"{data}-test.csv", test, label)
            for count in counts:
                accuracies, macro, seconds = [], [], []
                for seed in range(1, 6):
                    key = f"{data}-{name}-{count}-{seed}"
                    part = base / f"{data}-{count}-{seed}.csv"
                    write(part, drawn(train, label, count, seed), label)
                    columns = ["--text", "text", "--label", "label"]
                    found = run(base / f"{key}.json", options.lincah, "train", str(part), *columns, "--preset", "instant", "--model", models,
                                "--out", str(base / key), "--quiet")
                    seconds.append(found["seconds"])
                    scored = run(base / f"{key}-scored.json", options.lincah, "evaluate", str(base / key), str(base / f"{data}-test.csv"), *columns,
                                 "--json", "--quiet")
                    scores = json.loads(scored["printed"])
                    accuracies.append(scores["accuracy"])
                    macro.append(scores["macro_f1"])
                print(f"{data} {count} per label, {name}: accuracy {shown(accuracies)}, macro F1 {shown(macro)}, median {np.median(seconds):.1f} s", flush=True)


if __name__ == "__main__":
    main()
