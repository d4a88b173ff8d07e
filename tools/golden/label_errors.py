"""Writes cleanlab's suspects and ranking scores for made-up out-of-fold probabilities, and intervals of ROC-AUC by DeLong's definition.

Made with cleanlab 2.9.0, scikit-learn 1.9.1, SciPy 1.17.1 and NumPy 2.4.6.

Usage: python tools/golden/label_errors.py
"""

import json
import warnings
from pathlib import Path

import cleanlab
import numpy
from cleanlab.filter import find_label_issues
from cleanlab.multilabel_classification.filter import find_multilabel_issues_per_class
from cleanlab.rank import get_label_quality_scores
from scipy import stats
from sklearn.metrics import roc_auc_score

OUTPUT = Path(__file__).resolve().parents[2] / "crates/lincah/tests/golden/label_errors.json"
FILTERS = ["prune_by_noise_rate", "confident_learning"]


def exclusive(random: numpy.random.RandomState, rows: int, classes: int, noise: float, shares: list[float]) -> dict:
    """A fraction `noise` of the labels is drawn anew; the probabilities know the true ones, more or less."""
    true = random.choice(classes, rows, p=shares)
    logits = 1.3 * random.standard_normal((rows, classes))
    logits[numpy.arange(rows), true] += 2.5
    probabilities = numpy.exp(logits) / numpy.exp(logits).sum(axis=1, keepdims=True)
    probabilities = numpy.round(probabilities, 6)
    labels = numpy.where(random.random_sample(rows) < noise, random.randint(0, classes, rows), true)
    scores = get_label_quality_scores(labels, probabilities, method="normalized_margin")
    found = {}
    for name in FILTERS:
        mask = find_label_issues(labels, probabilities, filter_by=name, n_jobs=1)
        ranked = find_label_issues(labels, probabilities, filter_by=name, return_indices_ranked_by="normalized_margin", n_jobs=1)
        assert set(ranked.tolist()) == set(numpy.flatnonzero(mask).tolist())
        found[name] = {"ranked": ranked.tolist(), "scores": scores[ranked].tolist()}
    return {"labels": labels.tolist(), "probabilities": probabilities.tolist(), "found": found}


def independent(random: numpy.random.RandomState, rows: int, labels: int) -> dict:
    true = random.random_sample((rows, labels)) < numpy.linspace(0.15, 0.5, labels)
    logits = 1.2 * random.standard_normal((rows, labels)) + numpy.where(true, 2.0, -2.0)
    probabilities = numpy.round(1 / (1 + numpy.exp(-logits)), 6)
    given = numpy.where(random.random_sample((rows, labels)) < 0.08, ~true, true)
    lists = [numpy.flatnonzero(row).tolist() for row in given]
    found = {name: find_multilabel_issues_per_class(lists, probabilities, filter_by=name, n_jobs=1).astype(int).tolist() for name in FILTERS}
    return {"truth": given.astype(int).tolist(), "probabilities": probabilities.tolist(), "found": found}


def delong(truth: numpy.ndarray, scores: numpy.ndarray) -> dict:
    """DeLong, DeLong and Clarke-Pearson 1988 by their definition: every pair compared; the interval on the logit scale."""
    positive, negative = scores[truth == 1], scores[truth == 0]
    wins = (positive[:, None] > negative[None, :]) + 0.5 * (positive[:, None] == negative[None, :])
    area = wins.mean()
    variance = wins.mean(axis=1).var(ddof=1) / len(positive) + wins.mean(axis=0).var(ddof=1) / len(negative)
    assert abs(area - roc_auc_score(truth, scores)) < 1e-12
    spread = stats.norm.ppf(0.975) * numpy.sqrt(variance) / (area * (1 - area))
    logit = numpy.log(area / (1 - area))
    interval = [1 / (1 + numpy.exp(-(logit - spread))), 1 / (1 + numpy.exp(-(logit + spread)))]
    return {"truth": truth.tolist(), "scores": scores.tolist(), "roc_auc": area, "variance": variance, "interval": interval}


def delong_cases(random: numpy.random.RandomState) -> list[dict]:
    cases = []
    for rows, shift, grid in [(30, 0.5, 4), (60, 1.0, 64), (25, -0.8, 2)]:
        truth = (random.random_sample(rows) < 0.4).astype(int)
        cases.append(delong(truth, numpy.round(grid * (random.standard_normal(rows) + shift * truth)) / grid))
    return cases


def null_z(random: numpy.random.RandomState) -> list[dict]:
    """The Mann-Whitney test's z with the tie correction and no continuity correction, from SciPy."""
    cases = []
    for rows, grid in [(40, 1), (80, 8)]:
        truth = (random.random_sample(rows) < 0.3).astype(int)
        values = numpy.round(grid * random.standard_normal(rows)) / grid
        test = stats.mannwhitneyu(values[truth == 1], values[truth == 0], use_continuity=False, method="asymptotic", alternative="greater")
        cases.append({"truth": truth.tolist(), "values": values.tolist(), "z": float(stats.norm.isf(test.pvalue))})
    return cases


def main() -> None:
    warnings.simplefilter("ignore")
    assert cleanlab.__version__ == "2.9.0"
    random = numpy.random.RandomState(70)
    golden = {
        "exclusive": [
            exclusive(random, 120, 2, 0.2, [0.5, 0.5]),
            exclusive(random, 150, 4, 0.2, [0.5, 0.3, 0.15, 0.05]),
            exclusive(random, 90, 3, 0.6, [0.4, 0.4, 0.2]),
            exclusive(random, 40, 6, 0.3, [0.3, 0.3, 0.2, 0.1, 0.05, 0.05]),
        ],
        "independent": [independent(random, 100, 3)],
        "delong": delong_cases(random),
        "mann_whitney": null_z(random),
    }
    OUTPUT.write_text(json.dumps(golden, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
