"""Writes scikit-learn's numbers for calibration maps, calibration errors, grouped folds and exact intervals, with their inputs.

Usage: python tools/golden/decisions.py
"""

import json
from pathlib import Path

import numpy
import sklearn
from scipy.optimize import minimize_scalar
from scipy.special import expit, log_softmax, softmax
from sklearn.calibration import _SigmoidCalibration
from sklearn.isotonic import IsotonicRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import StratifiedGroupKFold
from statsmodels.stats.proportion import proportion_confint

OUTPUT = Path(__file__).resolve().parents[2] / "crates/lincah/tests/golden/decisions.json"


def binary(seed: int, rows: int, slope: float, shift: float) -> dict:
    """Probabilities whose log-odds are `slope` times too large and shifted, so that there is something to calibrate."""
    random = numpy.random.RandomState(seed)
    true_odds = 1.5 * random.standard_normal(rows)
    truth = (random.uniform(size=rows) < expit(true_odds)).astype(int)
    # Rounded, so that some rows have equal probabilities.
    probabilities = numpy.round(expit(slope * true_odds + shift), 3).clip(0.001, 0.999)
    odds = numpy.log(probabilities) - numpy.log1p(-probabilities)
    platt = _SigmoidCalibration().fit(odds, truth)
    isotonic = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(probabilities, truth)
    temperature = minimize_scalar(lambda beta: log_loss(truth, expit(numpy.exp(beta) * odds)), bounds=(-5, 5), method="bounded", options={"xatol": 1e-10})
    points = [0.0005, 0.01, 0.2, 0.5, 0.77, 0.9995]
    point_odds = numpy.log(points) - numpy.log1p(-numpy.array(points))
    return {
        "truth": truth.tolist(),
        "probabilities": probabilities.tolist(),
        "points": points,
        "temperature": float(numpy.exp(-temperature.x)),
        "platt": platt.predict(point_odds).tolist(),
        "isotonic": isotonic.predict(points).tolist(),
        "adaptive_error": adaptive_error(truth, probabilities, 10),
    }


def adaptive_error(truth: numpy.ndarray, probabilities: numpy.ndarray, bins: int) -> float:
    order = numpy.argsort(probabilities, kind="stable")
    edges = [index * len(truth) // bins for index in range(bins + 1)]
    parts = [order[low:high] for low, high in zip(edges, edges[1:])]
    return float(sum(abs(probabilities[part].mean() - truth[part].mean()) * len(part) for part in parts) / len(truth))


def several(seed: int, rows: int, labels: int) -> dict:
    random = numpy.random.RandomState(seed)
    logits = random.standard_normal((rows, labels))
    truth = [int(random.choice(labels, p=softmax(row))) for row in logits]
    probabilities = softmax(2.5 * logits, axis=1)
    found = minimize_scalar(
        lambda beta: log_loss(truth, softmax(numpy.exp(beta) * numpy.log(probabilities), axis=1), labels=range(labels)),
        bounds=(-5, 5), method="bounded", options={"xatol": 1e-10})
    return {"truth": truth, "probabilities": probabilities.tolist(), "temperature": float(numpy.exp(-found.x))}


def grouped(seed: int, rows: int, groups: int, labels: int, folds: int) -> dict:
    """Groups numbered in the order of RandomState(seed).permutation, the order in which lincah takes them."""
    random = numpy.random.RandomState(100 + seed)
    group = random.randint(0, groups, rows)
    # Numbers without gaps in the order of first occurrence, as lincah has them.
    _, first, numbers = numpy.unique(group, return_index=True, return_inverse=True)
    rank = numpy.argsort(numpy.argsort(first))
    number = rank[numbers]
    truth = random.choice(labels, rows, p=numpy.arange(1, labels + 1) / sum(range(1, labels + 1)))
    place = numpy.argsort(numpy.random.RandomState(seed).permutation(number.max() + 1))
    fold_of = numpy.zeros(rows, dtype=int)
    for fold, (_, test) in enumerate(StratifiedGroupKFold(folds).split(numpy.zeros(rows), truth, place[number])):
        fold_of[test] = fold
    return {"seed": seed, "groups": number.tolist(), "truth": truth.tolist(), "labels": labels, "folds": folds, "fold_of": fold_of.tolist()}


def main() -> None:
    random = numpy.random.RandomState(3)
    pairs = [(0, 1), (1, 1), (0, 85), (3, 10), (80, 100), (412, 515), (999, 1000)] + [
        (int(random.randint(0, n + 1)), int(n)) for n in random.randint(1, 3000, 20)]
    intervals = [{"successes": k, "rows": n, "confidence": c, "interval": [float(end) for end in proportion_confint(k, n, 1 - c, method="beta")]}
                 for k, n in pairs for c in (0.95, 0.975)]
    written = {
        "sklearn": sklearn.__version__,
        "binary": [binary(1, 120, 2.5, 0.4), binary(2, 300, 0.5, -0.8), binary(3, 40, 1.0, 0.0)],
        "several": [several(4, 150, 3), several(5, 200, 6)],
        "grouped": [grouped(1, 120, 20, 2, 5), grouped(2, 90, 30, 3, 3), grouped(7, 60, 60, 2, 4)],
        "intervals": intervals,
    }
    OUTPUT.write_text(json.dumps(written, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
