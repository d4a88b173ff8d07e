"""Many labels: label rows, candidates listed for each text, and the instant classifier alone, on few rows of banking77, and of TREC and SST-2,
whose labels fit a prompt. Each run is one JSON file in DIR; one that is there is not run again, and what is there is summed up.

`--phase choose` compares settings on other rows of the training file; `--phase show` scores the test file (banking77: 1,000 rows of it).

Usage: python tools/bench/label_rows.py LINCAH SHARED DIR --phase choose|show [--example LISTED_CANDIDATES] [--workers N] [--seeds 1,2,3]
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

SETS = {"banking77": ("category", [5, 10]), "trec": ("label", [33]), "sst2": ("label", [100])}
COLUMNS = ["--text", "text", "--label", "label"]
CANDIDATES = 10
FOLDS = 5


def read(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def write(path, rows):
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        writer.writerows(rows)


def prepare(shared, base, data, column, count, seed):
    """The first rows of each label after a shuffle, 1,000 of the others, and the test rows."""
    name = f"{data}-{count}-{seed}"
    files = [base / f"{name}.{part}.csv" for part in ["train", "choose", "show"]]
    if not files[-1].exists():
        rows = [(row["text"], row[column]) for row in read(shared / f"public/{data}_train.csv")]
        random.Random(seed).shuffle(rows)
        taken, train, rest = Counter(), [], []
        for row in rows:
            taken[row[1]] += 1
            (train if taken[row[1]] <= count else rest).append(row)
        test = [(row["text"], row[column]) for row in read(shared / f"public/{data}_test.csv")]
        random.Random(0).shuffle(test)
        for file, rows in zip(files, [train, rest[:1000], test[:1000]]):
            write(file, rows)
    return name, files


class Lincah:
    def __init__(self, binary, device):
        self.binary, self.device = binary, ["--device", device]

    def run(self, *arguments):
        ran = subprocess.run([self.binary, *map(str, arguments), *self.device], capture_output=True, text=True)
        if ran.returncode != 0:
            raise RuntimeError(f"{arguments}: {ran.stderr[-600:]}")
        return ran.stdout


def trained(lincah, out, train, scored, options):
    begun = time.time()
    lincah.run("train", train, *COLUMNS, "--out", out, *options)
    seconds = time.time() - begun
    evaluation = json.loads(lincah.run("evaluate", out, scored, *COLUMNS, "--json"))
    return {"accuracy": evaluation["accuracy"], "macro_f1": evaluation["macro_f1"], "seconds": seconds}


def ranked(lincah, out, rows, path):
    """Each row's most probable labels, by an instant classifier."""
    write(path, rows)
    lines = lincah.run("predict", out, path, "--text", "text").splitlines()
    return [sorted(scores, key=scores.get, reverse=True)[:CANDIDATES] for scores in (json.loads(line)["scores"] for line in lines)]


def listed(lincah, example, work, train, scored, epochs, seed):
    """Candidates of training rows by folds, those of the scored rows by all."""
    work.mkdir(parents=True, exist_ok=True)
    begun = time.time()
    rows = [(row["text"], row["label"]) for row in read(train)]
    random.Random(seed).shuffle(rows)
    lines = []
    for fold in range(FOLDS):
        inside, outside = [row for i, row in enumerate(rows) if i % FOLDS != fold], rows[fold::FOLDS]
        write(work / f"{fold}.csv", inside)
        lincah.run("train", work / f"{fold}.csv", *COLUMNS, "--preset", "instant", "--out", work / str(fold))
        lines += zip(outside, ranked(lincah, work / str(fold), outside, work / "outside.csv"))
    lincah.run("train", train, *COLUMNS, "--preset", "instant", "--out", work / "all")
    test = [(row["text"], row["label"]) for row in read(scored)]
    tests = list(zip(test, ranked(lincah, work / "all", test, work / "test.csv")))
    for path, of in [(work / "train.jsonl", lines), (work / "test.jsonl", tests)]:
        path.write_text("".join(json.dumps({"text": text, "label": label, "candidates": c}) + "\n" for (text, label), c in of))
    ran = subprocess.run([example, "smollm2-135m", work / "train.jsonl", work / "test.jsonl", str(epochs), str(seed)], capture_output=True, text=True, check=True)
    found = [json.loads(line)["label"] for line in ran.stdout.splitlines()]
    return {
        "accuracy": statistics.mean(a == label for a, (_, label) in zip(found, test)),
        "instant": statistics.mean(c[0] == label for (_, label), c in tests),
        "in_candidates": statistics.mean(label in c for (_, label), c in tests),
        "seconds": time.time() - begun,
    }


def jobs(options, lincah):
    base, seeds = options.dir, [int(seed) for seed in options.seeds.split(",")]
    rows = ["--label-scheme", "rows", "--model", "smollm2-135m"]
    for data, (column, counts) in SETS.items():
        for count, seed in ((count, seed) for count in counts for seed in seeds):
            name, (train, choose, show) = prepare(options.shared, base, data, column, count, seed)
            scored = choose if options.phase == "choose" else show
            variants = {"instant": ["--preset", "instant"]}
            if options.phase == "choose":
                if data == "banking77":
                    for epochs in [4, 8, 16]:
                        for rate in ["1e-3", "2e-3", "4e-3"]:
                            variants[f"rows-e{epochs}-{rate}"] = [*rows, "--epochs", epochs, "--learning-rate", rate, "--members", 1]
                    for epochs in [4, 8]:
                        variants[f"together-e{epochs}"] = ["--label-scheme", "rows", "--epochs", epochs]
                else:
                    variants["tokens"] = ["--model", "smollm2-135m", "--members", 1]
                    variants["rows"] = [*rows, "--members", 1]
            else:
                variants["rows"] = rows
                variants["together"] = ["--label-scheme", "rows"]
                if data != "banking77":
                    variants |= {"tokens": ["--model", "smollm2-135m"], "tokens-together": []}
            for variant, extra in variants.items():
                key = f"{options.phase}-{name}-{variant}"
                yield key, lambda key=key, train=train, scored=scored, extra=extra, seed=seed: trained(lincah, base / key, train, scored, [*extra, "--seed", seed])
            if data == "banking77" and options.example:
                for epochs in [4, 8]:
                    key = f"{options.phase}-{name}-listed-e{epochs}"
                    yield key, lambda key=key, train=train, scored=scored, seed=seed, epochs=epochs: listed(lincah, options.example, base / key, train, scored, epochs, seed)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("lincah")
    parser.add_argument("shared", type=Path)
    parser.add_argument("dir", type=Path)
    parser.add_argument("--phase", choices=["choose", "show"], required=True)
    parser.add_argument("--example")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--seeds", default="1,2,3,4,5")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    options.dir.mkdir(parents=True, exist_ok=True)

    def run(job):
        key, work = job
        path = options.dir / f"{key}.json"
        if path.exists() or options.only not in key:
            return
        try:
            path.write_text(json.dumps(work()))
        except Exception as error:
            print(key, error, file=sys.stderr)

    with ThreadPoolExecutor(options.workers) as pool:
        list(pool.map(run, jobs(options, Lincah(options.lincah, options.device))))
    groups = {}
    for path in sorted(options.dir.glob(f"{options.phase}-*.json")):
        _, data, count, _, *variant = path.stem.split("-")
        groups.setdefault((data, int(count), "-".join(variant)), []).append(json.loads(path.read_text()))
    for (data, count, variant), found in sorted(groups.items()):
        accuracies = [one["accuracy"] for one in found]
        spread = statistics.stdev(accuracies) if len(found) > 1 else 0.0
        seconds = statistics.median(one["seconds"] for one in found)
        more = "".join(f" {key} {statistics.mean(one[key] for one in found):.3f}" for key in ["macro_f1", "instant", "in_candidates"] if key in found[0])
        print(f"{data} {count:3} {variant:24} n {len(found)} accuracy {statistics.mean(accuracies):.4f} sd {spread:.4f} worst {min(accuracies):.4f}{more} seconds {seconds:.0f}")


if __name__ == "__main__":
    main()
