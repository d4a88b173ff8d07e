#!/usr/bin/env python3
"""Checks samples/comments.csv: `python3 samples/check.py [FILE]`. Needs only the standard library.

Prints the numbers that the card quotes, then one line for each fault; exits with 1 if there is a fault.
"""

import csv
import io
import math
import random
import re
import sys
from collections import Counter
from itertools import combinations
from pathlib import Path

COLUMNS = ["comment", "label", "topic", "kind"]
LABELS = ["civil", "uncivil"]
HARD_KINDS = [
    "sarcasm", "implicit-insult", "sincere-praise", "quotation", "negation",
    "harsh-criticism", "self-deprecation", "banter", "innocent-word",
]
MIN_ROWS, MIN_HARD_ROWS, MIN_TOPIC_ROWS = 440, 140, 40
MAX_IMBALANCE = 0.55  # share of the larger label
WORDS = range(4, 61)  # allowed number of words in a comment
MAX_CHARACTER_JACCARD = 0.5  # of two comments' sets of 5 characters
MAX_WORD_CONTAINMENT = 0.3  # share of the shorter comment's word triples that the other has too
SHARED_RUN = 6  # no run of this many words may stand in two comments
MAX_PURE_COUNT = 12  # a word or pair in more rows than this must occur under both labels
MAX_BASELINE_AUC = 0.85
# Stems stronger than the mild insults the sample allows. Slurs are kept out by reading; they are not listed here.
DISALLOWED = ["fuck", "shit", "bitch", "bastard", "wank"]


def words(text):
    return re.findall(r"[^\W_]+(?:'[^\W_]+)*", text.lower().replace("’", "'"))


def runs(items, n):
    """The set of all runs of n neighbours."""
    return {tuple(items[i : i + n]) for i in range(len(items) - n + 1)}


def read(path):
    """Rows as dicts. Raises ValueError or UnicodeDecodeError where the file is not well-formed."""
    text = path.read_bytes().decode("utf-8")
    if text.startswith("\ufeff") or "\r" in text or not text.endswith("\n"):
        raise ValueError("expected UTF-8 without a byte-order mark, and lines that end in a line feed")
    header, *records = csv.reader(io.StringIO(text), strict=True)
    if header != COLUMNS:
        raise ValueError(f"header is {header}, expected {COLUMNS}")
    for number, record in enumerate(records, start=2):
        if len(record) != len(COLUMNS):
            raise ValueError(f"record {number} has {len(record)} fields, expected {len(COLUMNS)}")
    return [dict(zip(COLUMNS, record)) for record in records]


def row_faults(rows):
    for number, row in enumerate(rows, start=2):
        where = f"record {number}"
        for column, value in row.items():
            if not value or value != " ".join(value.split()):
                yield f"{where}: column {column} is empty or has stray white space"
        if row["label"] not in LABELS:
            yield f"{where}: unknown label {row['label']}"
        if row["kind"] not in ["plain", *HARD_KINDS]:
            yield f"{where}: unknown kind {row['kind']}"
        if len(row["comment"].split()) not in WORDS:
            yield f"{where}: {len(row['comment'].split())} words, expected {WORDS.start} to {WORDS.stop - 1}"
        if any(word.startswith(stem) for word in words(row["comment"]) for stem in DISALLOWED):
            yield f"{where}: holds a word that the sample does not allow"


def count_faults(rows):
    labels, topics = Counter(row["label"] for row in rows), Counter(row["topic"] for row in rows)
    hard = sum(row["kind"] != "plain" for row in rows)
    if len(rows) < MIN_ROWS:
        yield f"{len(rows)} rows, expected at least {MIN_ROWS}"
    if max(labels.values()) > MAX_IMBALANCE * len(rows):
        yield f"labels are out of balance: {dict(labels)}"
    if hard < MIN_HARD_ROWS:
        yield f"{hard} hard rows, expected at least {MIN_HARD_ROWS}"
    for topic, count in topics.items():
        if count < MIN_TOPIC_ROWS:
            yield f"topic {topic} has {count} rows, expected at least {MIN_TOPIC_ROWS}"


def duplicate_faults(rows):
    tokens = [words(row["comment"]) for row in rows]
    characters = [runs(" ".join(t), 5) for t in tokens]
    triples, long_runs = [runs(t, 3) for t in tokens], [runs(t, SHARED_RUN) for t in tokens]
    for a, b in combinations(range(len(rows)), 2):
        where = f"records {a + 2} and {b + 2}"
        if tokens[a] == tokens[b]:
            yield f"{where}: duplicates"
            continue
        shared = len(characters[a] & characters[b])
        if shared > MAX_CHARACTER_JACCARD * (len(characters[a]) + len(characters[b]) - shared):
            yield f"{where}: near-duplicates by characters"
        shorter = min(len(triples[a]), len(triples[b]))
        shared = len(triples[a] & triples[b])
        if shared > 1 and shared > MAX_WORD_CONTAINMENT * shorter:
            yield f"{where}: near-duplicates by words"
        for run in long_runs[a] & long_runs[b]:
            yield f"{where}: both say '{' '.join(run)}'"


def leak_faults(rows):
    """A word or pair of words that alone tells the label, and often."""
    seen = {label: Counter() for label in LABELS}
    for row in rows:
        tokens = words(row["comment"])
        seen[row["label"]].update(runs(tokens, 1) | runs(tokens, 2))
    for label, other in (LABELS, LABELS[::-1]):
        for term, count in seen[label].items():
            if count > MAX_PURE_COUNT and term not in seen[other]:
                yield f"'{' '.join(term)}' stands in {count} {label} rows and in no {other} one"


def fit_logistic_regression(texts, targets, passes=30, rate=0.3, decay=0.002):
    """Weights of the words present in a text, by stochastic gradient descent with L2 decay."""
    weights, order, shuffler = Counter(), list(range(len(texts))), random.Random(0)
    for step in range(passes):
        shuffler.shuffle(order)
        for i in order:
            error = 1 / (1 + math.exp(-sum(weights[w] for w in texts[i]))) - targets[i]
            for w in texts[i]:
                weights[w] -= rate / (1 + step / 5) * (error + decay * weights[w])
    return weights


def roc_auc(targets, scores):
    """The chance that a positive outranks a negative, ties counted half."""
    positives = [s for s, t in zip(scores, targets) if t]
    negatives = [s for s, t in zip(scores, targets) if not t]
    wins = sum((p > n) + 0.5 * (p == n) for p in positives for n in negatives)
    return wins / (len(positives) * len(negatives))


def baseline_auc(rows, folds=5):
    """ROC-AUC of a bag of words, each row scored by the model that did not see it; stratified folds."""
    texts = [sorted({*words(row["comment"]), ""}) for row in rows]  # "" carries the intercept
    targets = [int(row["label"] == "uncivil") for row in rows]
    fold_of, scores = {}, [0.0] * len(rows)
    for target in (0, 1):
        members = [i for i, t in enumerate(targets) if t == target]
        random.Random(target).shuffle(members)
        fold_of.update({i: position % folds for position, i in enumerate(members)})
    for fold in range(folds):
        train = [i for i in range(len(rows)) if fold_of[i] != fold]
        weights = fit_logistic_regression([texts[i] for i in train], [targets[i] for i in train])
        for i in range(len(rows)):
            if fold_of[i] == fold:
                scores[i] = sum(weights[w] for w in texts[i])
    return roc_auc(targets, scores)


def main():
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_name("comments.csv")
    try:
        rows = read(path)
    except (OSError, ValueError, csv.Error) as error:
        sys.exit(f"{path}: {error}")
    if not rows:
        sys.exit(f"{path}: no rows")
    for column in ("label", "topic"):
        print(column, dict(sorted(Counter(row[column] for row in rows).items())))
    for label in LABELS:
        kinds = Counter(row["kind"] for row in rows if row["label"] == label)
        lengths = sorted(len(row["comment"].split()) for row in rows if row["label"] == label)
        print(label, "kinds", dict(kinds.most_common()), "words", lengths[0], "to", lengths[-1])
    auc = baseline_auc(rows)
    print(f"rows {len(rows)}, hard {sum(row['kind'] != 'plain' for row in rows)}, bag-of-words ROC-AUC {auc:.3f}")
    faults = [f for check in (row_faults, count_faults, duplicate_faults, leak_faults) for f in check(rows)]
    if auc >= MAX_BASELINE_AUC:
        faults.append(f"a bag of words reaches ROC-AUC {auc:.3f}: the labels are too easy to tell by single words")
    print("\n".join(faults) or "no faults")
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
