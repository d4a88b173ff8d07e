"""Writes scikit-learn's and SciPy's numbers for the areas of identity groups and Fisher's exact test, with their inputs.

Usage: python tools/golden/audit.py
"""

import json
from pathlib import Path

import numpy
from scipy.special import softmax
from scipy.stats import fisher_exact, ks_2samp, kstwobign
from sklearn.metrics import roc_auc_score

OUTPUT = Path(__file__).resolve().parents[2] / "crates/lincah/tests/golden/audit.json"


def identity(seed: int, rows: int) -> dict:
    random = numpy.random.RandomState(seed)
    group = random.choice(["", "one", "two", "three", "few"], rows, p=[0.4, 0.2, 0.2, 0.18, 0.02])
    truth = random.randint(0, 2, rows)
    scores = numpy.round((0.35 + 0.3 * truth + 0.2 * (group == "two") + 0.25 * random.standard_normal(rows)).clip(0.01, 0.99), 2)
    found = {}
    for name in ["one", "two", "three"]:
        inside = group == name
        areas = []
        for rows_of in [inside, inside != (truth == 1), inside == (truth == 1)]:
            areas.append(float(roc_auc_score(truth[rows_of], scores[rows_of])))
        found[name] = areas
    means = [float(numpy.mean([areas[kind] ** -5.0 for areas in found.values()]) ** (1 / -5.0)) for kind in range(3)]
    return {"group": group.tolist(), "truth": truth.tolist(), "scores": scores.tolist(), "areas": found, "means": means}


def drift(seed: int, rows: int, labels: int, shares: list[float]) -> dict:
    """Scores whose labels have other shares than those that the probabilities are right for, which are equal."""
    random = numpy.random.RandomState(seed)
    trained = numpy.full(labels, 1 / labels)
    truth = random.choice(labels, rows, p=shares)
    logits = 1.5 * random.standard_normal((rows, labels)) + 1.2 * numpy.eye(labels)[truth]
    probabilities = softmax(logits, axis=1)
    estimate = trained.copy()
    for _ in range(100000):
        weighted = probabilities * (estimate / trained)
        following = (weighted / weighted.sum(axis=1, keepdims=True)).mean(axis=0)
        if abs(following - estimate).max() < 1e-12:
            break
        estimate = following
    before = numpy.round(random.beta(2, 3, 150), 3)
    after = numpy.round(random.beta(2.5, 2.5, rows), 3)
    statistic = float(ks_2samp(before, after, method="asymp").statistic)
    joint = len(before) * len(after) / (len(before) + len(after))
    return {
        "probabilities": probabilities.tolist(), "prevalences": following.tolist(), "before": before.tolist(), "after": after.tolist(),
        "statistic": statistic, "p_value": float(kstwobign.sf(numpy.sqrt(joint) * statistic)),
    }


def main() -> None:
    tables = [[[8, 2], [1, 5]], [[0, 10], [5, 5]], [[30, 70], [45, 55]], [[3, 0], [2, 0]], [[120, 30], [800, 90]], [[1, 9], [11, 3]]]
    written = {
        "identity": [identity(1, 400), identity(2, 900)],
        "drift": [drift(3, 200, 2, [0.8, 0.2]), drift(4, 120, 3, [0.6, 0.3, 0.1])],
        "fisher": [{"table": table, "p_value": float(fisher_exact(table).pvalue)} for table in tables],
    }
    OUTPUT.write_text(json.dumps(written, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
