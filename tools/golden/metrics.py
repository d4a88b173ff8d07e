"""Writes scikit-learn's numbers for the metrics, with the inputs they come from.

Scores are multiples of 1/1024, so they are the same numbers in f32 and f64. `null` stands for scikit-learn's NaN (undefined).
Usage: python tools/golden/metrics.py
"""

import json
import math
import warnings
from pathlib import Path

import numpy
import sklearn
from sklearn import metrics
from sklearn.calibration import calibration_curve

OUTPUT = Path(__file__).resolve().parents[2] / "crates/lincah/tests/golden/metrics.json"


def binary_inputs() -> list[tuple[str, list[int], list[float], float]]:
    """Name, truth (1 = positive), score of the positive class, threshold (predicted positive where score >= threshold)."""
    random = numpy.random.RandomState(7)
    truth = random.randint(0, 2, 40)
    noisy = numpy.clip(0.35 + 0.25 * truth + 0.3 * random.standard_normal(40), 1 / 1024, 1023 / 1024)
    noisy = (numpy.round(noisy * 1024) / 1024).tolist()
    coarse = (numpy.round(numpy.array(noisy) * 4) / 4).clip(0.125, 0.875).tolist()
    rare = [1 if i in (3, 17) else 0 for i in range(30)]
    rare_scores = (random.randint(1, 1024, 30) / 1024).tolist()
    truth = truth.tolist()
    return [
        ("perfect", [0, 1, 0, 1, 1], [0.125, 0.75, 0.25, 0.875, 0.625], 0.5),
        ("every one wrong", [0, 1, 0, 1], [0.75, 0.25, 0.875, 0.125], 0.5),
        ("noisy", truth, noisy, 0.5),
        ("noisy, high threshold", truth, noisy, 0.8125),
        ("ties across both classes", truth, coarse, 0.5),
        ("all scores equal, at the threshold", [0, 1, 1, 0, 1], [0.5] * 5, 0.5),
        ("only the negative class predicted", [0, 1, 0, 1, 0], [0.125, 0.375, 0.25, 0.0625, 0.4375], 0.5),
        ("only the positive class predicted", [0, 1, 0, 1, 0], [0.625, 0.875, 0.75, 0.5625, 0.9375], 0.5),
        ("no positive in the truth", [0, 0, 0, 0], [0.25, 0.75, 0.5, 0.125], 0.5),
        ("no negative in the truth", [1, 1, 1], [0.25, 0.75, 0.5], 0.5),
        ("scores of exactly 0 and 1, one of each wrong", [0, 1, 0, 1, 1, 0], [0.0, 1.0, 1.0, 0.0, 1.0, 0.0], 0.5),
        ("rare positives", rare, rare_scores, 0.5),
        ("one row", [1], [0.75], 0.5),
    ]


def multi_class_inputs() -> list[tuple[str, list[int], list[list[float]]]]:
    """Name, truth, probability of each class; predicted is the argmax, the lowest index where there is a tie."""
    random = numpy.random.RandomState(11)
    truth = random.randint(0, 4, 36)
    weights = random.exponential(size=(36, 4)) + 1.2 * numpy.eye(4)[truth]
    parts = numpy.maximum(1, numpy.floor(1024 * weights / weights.sum(axis=1, keepdims=True))).astype(int)
    parts[:, 0] += 1024 - parts.sum(axis=1)
    ties = [[0.375, 0.375, 0.25], [0.25, 0.375, 0.375], [0.25, 0.5, 0.25]]
    ties += [[0.375, 0.25, 0.375], [0.5, 0.25, 0.25], [0.125, 0.125, 0.75]]
    never = [[0.5, 0.25, 0.25], [0.25, 0.5, 0.25], [0.25, 0.5, 0.25], [0.75, 0.125, 0.125]]
    return [
        ("four classes", truth.tolist(), (parts / 1024).tolist()),
        ("three classes with ties for the first place", [0, 2, 1, 2, 1, 2], ties),
        ("a class that is never predicted", [0, 1, 2, 0], never),
        ("two classes by argmax, one tie", [0, 1, 1, 0], [[0.5, 0.5], [0.25, 0.75], [0.625, 0.375], [0.875, 0.125]]),
    ]


def number(value) -> float | None:
    return None if math.isnan(value) else float(value)


def calibration(truth: list[int], scores: list[float], bins: int) -> dict:
    """scikit-learn's curve over the bins that have rows; their counts and the expected calibration error beside it."""
    share, probability = calibration_curve(truth, scores, pos_label=1, n_bins=bins, strategy="uniform")
    places = numpy.searchsorted(numpy.linspace(0, 1, bins + 1)[1:-1], scores)
    rows = [int(count) for count in numpy.bincount(places, minlength=bins)]
    weights = numpy.array([count for count in rows if count]) / len(truth)
    return {
        "bins": bins,
        "rows": rows,
        "positive_share": share.tolist(),
        "mean_probability": probability.tolist(),
        "expected_calibration_error": float((weights * numpy.abs(share - probability)).sum()),
    }


def thresholds(truth: list[int], scores: list[float]) -> list[dict]:
    """Metrics where a row is flagged from a threshold on."""
    cases = []
    for threshold in (0.1, 0.25, 0.5, 0.75, 0.9):
        flagged = [int(score >= threshold) for score in scores]
        precision, recall, f1, _ = metrics.precision_recall_fscore_support(truth, flagged, average="binary", zero_division=0)
        precision = float(precision) if any(flagged) else None
        cases.append({"threshold": threshold, "precision": precision, "recall": float(recall), "f1": float(f1),
                      "flagged": sum(flagged) / len(flagged)})
    return cases


def for_precision(truth: list[int], scores: list[float]) -> list[list]:
    """The lowest threshold with at least that precision, null if there is none."""
    precision, _, found = metrics.precision_recall_curve(truth, scores)
    lowest = lambda wanted: next((float(t) for p, t in zip(precision, found) if p >= wanted), None)
    return [[wanted, lowest(wanted) if any(truth) else None] for wanted in (0.5, 0.8, 0.9, 0.95, 1.0)]


def binary_case(name: str, truth: list[int], scores: list[float], threshold: float) -> dict:
    predicted = [int(score >= threshold) for score in scores]
    precision, recall, f1, _ = metrics.precision_recall_fscore_support(truth, predicted, average="binary", zero_division=0)
    false_positive_rate, true_positive_rate, _ = metrics.roc_curve(truth, scores, drop_intermediate=False)
    curve_precision, curve_recall, curve_thresholds = metrics.precision_recall_curve(truth, scores)
    return {
        "name": name,
        "truth": truth,
        "scores": scores,
        "threshold": threshold,
        "predicted": predicted,
        "accuracy": float(metrics.accuracy_score(truth, predicted)),
        "precision": float(precision),
        "recall": float(recall),
        "f1": float(f1),
        "macro_f1": float(metrics.f1_score(truth, predicted, labels=[0, 1], average="macro", zero_division=0)),
        "confusion_matrix": metrics.confusion_matrix(truth, predicted, labels=[0, 1]).tolist(),
        "roc_auc": number(metrics.roc_auc_score(truth, scores)),
        "average_precision": float(metrics.average_precision_score(truth, scores)),
        "log_loss": float(metrics.log_loss(truth, scores, labels=[0, 1])),
        "brier": float(metrics.brier_score_loss(truth, scores, labels=[0, 1], pos_label=1)),
        "roc_curve": {
            "false_positive_rate": [number(x) for x in false_positive_rate],
            "true_positive_rate": [number(x) for x in true_positive_rate],
        },
        "precision_recall_curve": {
            "precision": [number(x) for x in curve_precision],
            "recall": [number(x) for x in curve_recall],
            "thresholds": [number(x) for x in curve_thresholds],
        },
        "calibration": [calibration(truth, scores, bins) for bins in (4, 10)],
        "thresholds": thresholds(truth, scores),
        "threshold_for_precision": for_precision(truth, scores),
    }


def multi_class_case(name: str, truth: list[int], probabilities: list[list[float]]) -> dict:
    classes = list(range(len(probabilities[0])))
    predicted = numpy.argmax(probabilities, axis=1).tolist()
    each = metrics.precision_recall_fscore_support(truth, predicted, labels=classes, zero_division=0)
    case = {
        "name": name,
        "truth": truth,
        "probabilities": probabilities,
        "predicted": predicted,
        "accuracy": float(metrics.accuracy_score(truth, predicted)),
        "per_class": {key: values.tolist() for key, values in zip(("precision", "recall", "f1", "support"), each)},
        "confusion_matrix": metrics.confusion_matrix(truth, predicted, labels=classes).tolist(),
        "log_loss": float(metrics.log_loss(truth, probabilities, labels=classes)),
        "brier": float(metrics.brier_score_loss(truth, probabilities, labels=classes, scale_by_half=False)),
    }
    for average in ("macro", "micro", "weighted"):
        values = metrics.precision_recall_fscore_support(truth, predicted, labels=classes, average=average, zero_division=0)
        case[average] = {key: float(value) for key, value in zip(("precision", "recall", "f1"), values)}
    one_against_rest = [
        (metrics.roc_auc_score(numpy.equal(truth, k), numpy.array(probabilities)[:, k]),
         metrics.average_precision_score(numpy.equal(truth, k), numpy.array(probabilities)[:, k]))
        for k in classes
    ]
    case["one_against_rest"] = {
        "roc_auc": [number(roc_auc) for roc_auc, _ in one_against_rest],
        "average_precision": [number(average_precision) for _, average_precision in one_against_rest],
    }
    case["macro"]["roc_auc"] = number(numpy.mean([roc_auc for roc_auc, _ in one_against_rest]))
    case["macro"]["average_precision"] = None
    if case["macro"]["roc_auc"] is not None:
        indicators = numpy.equal.outer(truth, list(classes)).astype(int)
        case["macro"]["average_precision"] = number(metrics.average_precision_score(indicators, probabilities, average="macro"))
    if len(classes) > 2:
        assert numpy.isclose(case["macro"]["roc_auc"], metrics.roc_auc_score(truth, probabilities, multi_class="ovr"))
    return case


def rows(cases: list[dict]) -> str:
    """One key of a case a line, so that a difference shows in review."""
    written = []
    for case in cases:
        lines = ",\n".join(f"      {json.dumps(key)}: {json.dumps(value, allow_nan=False)}" for key, value in case.items())
        written.append("    {\n" + lines + "\n    }")
    return "[\n" + ",\n".join(written) + "\n  ]"


def main() -> None:
    warnings.simplefilter("ignore")  # undefined metrics are part of what is recorded
    binary = rows([binary_case(*case) for case in binary_inputs()])
    multi_class = rows([multi_class_case(*case) for case in multi_class_inputs()])
    made_with = json.dumps({"scikit-learn": sklearn.__version__, "numpy": numpy.__version__})
    OUTPUT.parent.mkdir(parents=True, exist_ok=True)
    OUTPUT.write_text(f'{{\n  "made_with": {made_with},\n  "binary": {binary},\n  "multi_class": {multi_class}\n}}\n')


if __name__ == "__main__":
    main()
