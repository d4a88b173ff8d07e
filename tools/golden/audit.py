"""Writes scikit-learn's and SciPy's numbers for the areas of identity groups and Fisher's exact test, with their inputs.

Usage: python tools/golden/audit.py
"""

import json
from pathlib import Path

import numpy
from scipy.stats import fisher_exact
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


def main() -> None:
    tables = [[[8, 2], [1, 5]], [[0, 10], [5, 5]], [[30, 70], [45, 55]], [[3, 0], [2, 0]], [[120, 30], [800, 90]], [[1, 9], [11, 3]]]
    written = {
        "identity": [identity(1, 400), identity(2, 900)],
        "fisher": [{"table": table, "p_value": float(fisher_exact(table).pvalue)} for table in tables],
    }
    OUTPUT.write_text(json.dumps(written, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
