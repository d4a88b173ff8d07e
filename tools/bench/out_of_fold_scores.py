"""Writes, for many splits of public sets, out-of-fold scores of the training rows and a classifier's scores of unseen rows.

What thresholds and calibration reach is then computed from these files without a model: `cargo run --example decisions_hold -- DIR`.
Each split is one JSON file; a split whose file is there is not run again, so the script can be stopped and gone on with.
Only the standard library is needed, for it runs beside the binary on the machine with the GPU.

Usage: python tools/bench/out_of_fold_scores.py LINCAH SHARED DIR [--sets ethos,sst2,trec,ethos-labels] [--seeds 20] [--jobs 6] [--seconds 540]
SHARED holds ethos/ and public/.
"""

import argparse
import concurrent.futures
import csv
import json
import random
import subprocess
import tempfile
import time
from pathlib import Path

ETHOS_LABELS = "violence,directed_vs_generalized,gender,race,national_origin,disability,religion,sexual_orientation"
FOLDS = 5


def lincah(binary: str, arguments: list[str]) -> str:
    ran = subprocess.run([binary, *arguments], capture_output=True, text=True)
    if ran.returncode != 0:
        raise RuntimeError(f"{arguments[:3]}: {ran.stderr[-400:]}")
    return ran.stdout


def sampled(path: Path, out: Path, seed: int, most: int, rows: int) -> None:
    """Up to `most` rows of each label, `rows` in all at most, drawn by `seed`."""
    with path.open(newline="") as file:
        reader = csv.DictReader(file)
        all_rows = list(reader)
    random.Random(seed).shuffle(all_rows)
    taken, of_label = [], {}
    for row in all_rows:
        if of_label.get(row["label"], 0) < most and len(taken) < rows:
            of_label[row["label"]] = of_label.get(row["label"], 0) + 1
            taken.append(row)
    with out.open("w", newline="") as file:
        writer = csv.DictWriter(file, reader.fieldnames)
        writer.writeheader()
        writer.writerows(taken)


def job(name: str, seed: int, options: argparse.Namespace) -> dict:
    shared, device = Path(options.shared), ["--device", options.device]
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        out, train, text = work / "classifier", work / "train.csv", "text"
        if name == "ethos":
            data = shared / "ethos/Ethos_Dataset_Binary.csv"
            text, labels, rest = "comment", ["--label", "isHate"], ["--labels", "Positive,Negative", "--positive-at", "median"]
            split = ["--holdout", "198", "--split-seed", str(seed)]
        elif name == "ethos-labels":
            data = shared / "ethos/Ethos_Dataset_Multi_Label.csv"
            text, labels, rest, split = "comment", ["--multi-label", ETHOS_LABELS], [], ["--holdout", "133", "--split-seed", str(seed)]
        else:
            most, rows = (100, 200) if name == "sst2" else (100, 600)
            sampled(shared / f"public/{name}_train.csv", train, seed, most, rows)
            data, labels, rest, split = train, ["--label", "label"], [], []
        begun = time.time()
        lincah(options.lincah, ["train", str(data), "--text", text, *labels, *rest, *split, "--out", str(out), "--calibrate", "oof",
                                "--calibration", "none", "--oof-folds", str(FOLDS), "--seed", str(seed), "--model", options.model, "--quiet", *device])
        seconds = time.time() - begun
        record = json.loads((out / "classifier.json").read_text())
        names = record["prompt"]["labels"]
        task = "multi_label" if "task" in record and "multi" in str(record["task"]) else "single_label"
        folds = [json.loads(line) for line in (out / "folds/predictions.jsonl").read_text().splitlines()]
        seen = {row["row"] for row in folds}
        unseen_data = shared / f"public/{name}_test.csv" if not split else data
        columns = labels[1].split(",")
        lines = lincah(options.lincah, ["predict", str(out), str(unseen_data), "--text", text, "--keep", ",".join(columns), "--quiet", *device])
        unseen = []
        for number, line in enumerate(map(json.loads, lines.splitlines()), start=1):
            if split and number in seen:
                continue
            # A column with a name of the predictions is kept as `input_…`.
            values = [line.get(f"input_{column}", line.get(column)) for column in columns]
            if task == "multi_label":
                truth = [float(value) >= record["data"]["cut"] for value in values]
            elif name == "ethos":
                truth = [float(values[0]) < record["data"]["cut"], float(values[0]) >= record["data"]["cut"]]
            else:
                truth = [values[0] == label for label in names]
            unseen.append({"truth": truth, "probabilities": [line["scores"][label] for label in names]})

        def has(row: dict) -> list[bool]:
            given = row["labels"] if "labels" in row else [row["label"]]
            return [label in given for label in names]

        out_of_fold = [{"truth": has(row), "probabilities": [row["scores"][label] for label in names], "fold": row["fold"]} for row in folds]
        return {"set": name, "seed": seed, "task": task, "labels": names, "seconds": seconds, "out_of_fold": out_of_fold, "unseen": unseen}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("lincah")
    parser.add_argument("shared")
    parser.add_argument("dir")
    parser.add_argument("--sets", default="ethos,sst2,trec,ethos-labels")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--jobs", type=int, default=6)
    parser.add_argument("--seconds", type=float, default=1e9, help="no split is begun after so many")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--model", default="smollm2-135m")
    options = parser.parse_args()
    place, begun = Path(options.dir), time.time()
    place.mkdir(parents=True, exist_ok=True)
    # Split by split, so that a run that is stopped has some of every set.
    first = {"ethos": 101, "ethos-labels": 101}
    jobs = [(name, first.get(name, 1) + index) for index in range(options.seeds) for name in options.sets.split(",")]
    jobs = [(name, seed) for name, seed in jobs if not (place / f"{name}-{seed}.json").exists()]

    def run(name: str, seed: int) -> None:
        if time.time() - begun > options.seconds:
            return
        try:
            found = job(name, seed, options)
        except RuntimeError as error:
            print(f"{name} {seed}: {error}", flush=True)
            return
        (place / f"{name}-{seed}.json").write_text(json.dumps(found))
        print(f"{name} {seed}: {found['seconds']:.0f} s, {time.time() - begun:.0f} s in all", flush=True)

    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        list(pool.map(lambda one: run(*one), jobs))


if __name__ == "__main__":
    main()
