"""Writes scikit-learn's multi-label metrics, of rows and of resamples, and the folds of the package iterative-stratification.

Usage: python tools/golden/multi_label.py
"""

import json
import warnings
from importlib.metadata import version
from pathlib import Path

import numpy
import sklearn
from iterstrat.ml_stratifiers import IterativeStratification
from sklearn import metrics

OUTPUT = Path(__file__).resolve().parents[2] / "crates/lincah/tests/golden/multi_label.json"


def scored_rows(random: numpy.random.RandomState, n: int, shares: list[float]) -> tuple[numpy.ndarray, numpy.ndarray]:
    """Truth and probabilities on a grid of 1/32, so that there are ties, and some at 0.5 exactly."""
    truth = (random.random_sample((n, len(shares))) < shares).astype(int)
    scores = numpy.clip(0.35 + 0.25 * truth + 0.2 * random.standard_normal(truth.shape), 1 / 32, 31 / 32)
    return truth, numpy.round(scores * 32) / 32


def values(truth: numpy.ndarray, scores: numpy.ndarray) -> dict:
    predicted = (scores >= 0.5).astype(int)
    found = {}
    for name, average in [("micro", "micro"), ("macro", "macro"), ("example", "samples")]:
        precision, recall, f1, _ = metrics.precision_recall_fscore_support(truth, predicted, average=average, zero_division=0)
        found |= {f"{name}_precision": float(precision), f"{name}_recall": float(recall), f"{name}_f1": float(f1)}
    both = all(len(set(column.tolist())) == 2 for column in truth.T)
    return found | {
        "subset_accuracy": float(metrics.accuracy_score(truth, predicted)),
        "hamming_loss": float(metrics.hamming_loss(truth, predicted)),
        "macro_roc_auc": float(metrics.roc_auc_score(truth, scores, average="macro")) if both else None,
        "macro_pr_auc": float(metrics.average_precision_score(truth, scores, average="macro")) if both else None,
    }


def label_values(truth: numpy.ndarray, scores: numpy.ndarray) -> dict:
    predicted = (scores >= 0.5).astype(int)
    precision, recall, f1, _ = metrics.precision_recall_fscore_support(truth, predicted, average="binary", zero_division=0)
    both = len(set(truth.tolist())) == 2
    return {
        "precision": float(precision),
        "recall": float(recall),
        "f1": float(f1),
        "roc_auc": float(metrics.roc_auc_score(truth, scores)) if both else None,
        "pr_auc": float(metrics.average_precision_score(truth, scores)) if both else None,
        "log_loss": float(metrics.log_loss(truth, scores, labels=[0, 1])),
    }


def metric_cases(random: numpy.random.RandomState) -> list[dict]:
    cases = []
    for n, shares in [(60, [0.5, 0.2, 0.4]), (40, [0.1, 0.05, 0.3, 0.6, 0.9]), (12, [0.5, 0.0]), (7, [1.0, 0.5]), (1, [0.5, 0.5])]:
        truth, scores = scored_rows(random, n, shares)
        frequent = numpy.tile((2 * truth.sum(axis=0) > n).astype(float), (n, 1))
        majority = {key: value for key, value in values(truth, frequent).items() if not key.endswith("auc")}
        cases.append(
            {
                "truth": truth.tolist(),
                "scores": scores.tolist(),
                "values": values(truth, scores),
                "majority": majority,
                "labels": [label_values(*columns) for columns in zip(truth.T, scores.T)],
            }
        )
    return cases


def resamples(random: numpy.random.RandomState) -> dict:
    """Each resample's metrics from the repeated rows themselves, where lincah weights each row by its count."""
    truth, scores = scored_rows(random, 25, [0.4, 0.2, 0.6])
    cases = []
    for _ in range(10):
        drawn = random.randint(0, len(truth), len(truth))
        cases.append({"counts": numpy.bincount(drawn, minlength=len(truth)).tolist(), **values(truth[drawn], scores[drawn])})
    return {"truth": truth.tolist(), "scores": scores.tolist(), "cases": cases}


def folds(random: numpy.random.RandomState) -> list[dict]:
    cases = []
    for n, shares, splits, seed in [
        (30, [0.5, 0.2], 2, 0),
        (61, [0.5, 0.2, 0.1, 0.3], 5, 1),
        (433, [0.2, 0.2, 0.2, 0.17, 0.17, 0.12, 0.19, 0.17], 10, 0),
        (100, [0.9, 0.02, 0.5], 10, 4294967295),
        (50, [0.1, 0.1, 0.1], 3, 7),
    ]:
        truth = (random.random_sample((n, len(shares))) < shares).astype(int)

        def parts(shares_of_parts: list[float]) -> list[int]:
            """What MultilabelStratifiedKFold(random_state=seed) does without shuffling; today's scikit-learn refuses that pair."""
            shares_of_parts = numpy.asarray(shares_of_parts)
            return IterativeStratification(truth.astype(bool), shares_of_parts, numpy.random.RandomState(seed)).tolist()

        unequal = [0.8, 0.2]
        cases.append(
            {"truth": truth.tolist(), "folds": splits, "seed": seed, "fold_of": parts([1 / splits] * splits),
             "shares": unequal, "parts": parts(unequal)}
        )
    return cases


def main() -> None:
    warnings.simplefilter("ignore")  # undefined metrics are part of what is recorded
    random = numpy.random.RandomState(23)
    golden = {
        "made_with": {
            "scikit-learn": sklearn.__version__,
            "numpy": numpy.__version__,
            "iterative-stratification": version("iterative-stratification"),
        },
        "metrics": metric_cases(random),
        "resamples": resamples(random),
        "folds": folds(random),
    }
    lines = ",\n".join(f"  {json.dumps(key)}: {json.dumps(value, allow_nan=False)}" for key, value in golden.items())
    OUTPUT.write_text("{\n" + lines + "\n}\n")


if __name__ == "__main__":
    main()
