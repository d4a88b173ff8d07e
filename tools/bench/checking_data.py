"""What `lincah check` finds in data with planted faults, how often it finds something in shuffled labels, and its suspects beside cleanlab's.

Usage: python tools/bench/checking_data.py LINCAH --public FOLDER --ethos FOLDER [--only planted,shuffled,flipped]

Needs scikit-learn, pandas and cleanlab at the versions of tools/golden/requirements.txt. LINCAH is the program; FOLDER of --public has
sst2_train.csv, trec_train.csv and banking77_train.csv, that of --ethos Ethos_Dataset_Binary.csv. Prints Markdown; no text is printed.
"""

import argparse
import json
import subprocess
import tempfile
import time
import warnings
from pathlib import Path

import numpy
import pandas
from cleanlab.filter import find_label_issues
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline, make_union

SAMPLE = Path(__file__).resolve().parents[2] / "samples/comments.csv"
RUNS, SUBSET, FLIPPED_ROWS, FLIPPED, SEED = 20, 800, 2000, 0.05, 1


def check(lincah: str, data: pandas.DataFrame, *options: str) -> tuple[dict, float]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "data.csv"
        data[["text", "label"]].to_csv(path, index=False)
        begun = time.perf_counter()
        command = [lincah, "check", str(path), "--text", "text", "--label", "label", "--json", "--quiet", *options]
        ran = subprocess.run(command, check=True, capture_output=True, text=True)
        return json.loads(ran.stdout), time.perf_counter() - begun


def flagged(found: dict) -> list[str]:
    return [f"{of['feature']} ({of['label']}, {of['roc_auc']:.3f})" for of in found["shortcuts"] if of["flagged"]]


def data_sets(public: Path, ethos: Path) -> dict[str, pandas.DataFrame]:
    sample = pandas.read_csv(SAMPLE).rename(columns={"comment": "text"})
    hate = pandas.read_csv(ethos / "Ethos_Dataset_Binary.csv", sep=";").rename(columns={"comment": "text"})
    hate["label"] = numpy.where(hate["isHate"] >= 0.5, "hate", "none")
    banking = pandas.read_csv(public / "banking77_train.csv").rename(columns={"category": "label"})
    sets = {"samples/comments.csv": sample, "ETHOS binary": hate}
    sets |= {"SST-2": pandas.read_csv(public / "sst2_train.csv"), "TREC": pandas.read_csv(public / "trec_train.csv"), "banking77": banking}
    return {name: data.dropna(subset=["text", "label"]).reset_index(drop=True) for name, data in sets.items()}


def subset(data: pandas.DataFrame, rows: int, seed: int) -> pandas.DataFrame:
    return data.sample(min(rows, len(data)), random_state=seed).reset_index(drop=True)


def planted(lincah: str, sets: dict[str, pandas.DataFrame]) -> None:
    print("| rows | as they are | two trailing spaces on one label |\n| --- | --- | --- |")
    for name, rows in [("SST-2", 200), ("samples/comments.csv", 481)]:
        data = subset(sets[name], rows, SEED)
        label = sorted(set(data["label"]))[1]
        spaced = data.assign(text=data["text"].str.rstrip() + numpy.where(data["label"] == label, "  ", ""))
        plain = data.assign(text=data["text"].str.rstrip())
        before, after = (flagged(check(lincah, of, "--without-label-errors")[0]) for of in (plain, spaced))
        print(f"| {name}, {len(data)} | {'; '.join(before) or 'nothing'} | {'; '.join(after) or 'nothing'} |")


def shuffled(lincah: str, sets: dict[str, pandas.DataFrame]) -> None:
    print(f"| data | rows | labels | flagged as they are | runs of {RUNS} with shuffled labels that flag anything | seconds a run |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name, data in sets.items():
        data = subset(data, SUBSET, SEED)
        own = flagged(check(lincah, data, "--without-label-errors")[0])
        alarms, seconds = [], []
        for run in range(RUNS):
            random = numpy.random.RandomState(100 + run)
            found, took = check(lincah, data.assign(label=random.permutation(data["label"])), "--without-label-errors")
            alarms.append(bool(flagged(found)))
            seconds.append(took)
        shown = "; ".join(own[:3]) + (f" and {len(own) - 3} more" if len(own) > 3 else "")
        labels = data["label"].nunique()
        print(f"| {name} | {len(data)} | {labels} | {shown or 'nothing'} | {sum(alarms)} | {numpy.median(seconds):.2f} |", flush=True)


def out_of_fold(texts: list[str], labels: numpy.ndarray, classes: int) -> numpy.ndarray:
    """The scores that `lincah check` computes: its baseline is held equal to this pipeline within 1e-6 by its tests."""
    probabilities = numpy.zeros((len(texts), classes))
    for train, test in StratifiedKFold(5, shuffle=True, random_state=32).split(texts, labels):
        features = make_union(TfidfVectorizer(ngram_range=(1, 2)), TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5)))
        model = make_pipeline(features, LogisticRegression(C=1, tol=1e-8, max_iter=5000))
        model.fit([texts[row] for row in train], labels[train])
        probabilities[test] = model.predict_proba([texts[row] for row in test])
    return probabilities


def flipped(lincah: str, sets: dict[str, pandas.DataFrame]) -> None:
    print("| data | list | rows | of them flipped | precision | recall | precision of the first 100 | same rows as lincah's |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for name in ["SST-2", "TREC"]:
        data = subset(sets[name], FLIPPED_ROWS, SEED)
        names = sorted(set(data["label"]))
        random = numpy.random.RandomState(7)
        wrong = random.choice(len(data), round(FLIPPED * len(data)), replace=False)
        labels = data["label"].map(names.index).to_numpy().copy()
        labels[wrong] = (labels[wrong] + random.randint(1, len(names), len(wrong))) % len(names)
        found, seconds = check(lincah, data.assign(label=[names[label] for label in labels]))
        lists = {"lincah": [of["row"] - 1 for of in found["label_errors"]]}
        probabilities = out_of_fold(data["text"].tolist(), labels, len(names))
        for filter_by in ["prune_by_noise_rate", "confident_learning"]:
            ranked = find_label_issues(labels, probabilities, filter_by=filter_by, return_indices_ranked_by="normalized_margin", n_jobs=1)
            lists[f"cleanlab, {filter_by}"] = ranked.tolist()
        for kind, rows in lists.items():
            hits = len(set(rows) & set(wrong.tolist()))
            first = len(set(rows[:100]) & set(wrong.tolist())) / min(100, len(rows))
            shared = len(set(rows) & set(lists["lincah"]))
            print(f"| {name}, {len(data)} rows, {len(wrong)} flipped | {kind} | {len(rows)} | {hits} | {hits / len(rows):.2f} | {hits / len(wrong):.2f} | {first:.2f} | {shared} |")
        print(f"<!-- {name}: {seconds:.0f} s for the whole check -->", flush=True)


def main() -> None:
    warnings.simplefilter("ignore")
    parser = argparse.ArgumentParser()
    parser.add_argument("lincah")
    parser.add_argument("--public", type=Path, required=True)
    parser.add_argument("--ethos", type=Path, required=True)
    parser.add_argument("--only", default="planted,shuffled,flipped")
    arguments = parser.parse_args()
    sets = data_sets(arguments.public, arguments.ethos)
    for part in arguments.only.split(","):
        {"planted": planted, "shuffled": shuffled, "flipped": flipped}[part](arguments.lincah, sets)
        print()


if __name__ == "__main__":
    main()
