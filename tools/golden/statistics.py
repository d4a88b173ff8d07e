"""Writes scikit-learn's, scipy's and NumPy's numbers for the statistics: resampled metrics, percentiles, binomial tests, folds, baseline.

Usage: python tools/golden/statistics.py
"""

import json
import warnings
from pathlib import Path

import numpy
import scipy
import sklearn
from scipy import stats
from sklearn import metrics
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline, make_union

OUTPUT = Path(__file__).resolve().parents[2] / "crates/lincah/tests/golden/statistics.json"


def scored_rows(random: numpy.random.RandomState, n: int) -> tuple[numpy.ndarray, numpy.ndarray]:
    """Truth and scores on a grid of 1/64, so that there are ties."""
    truth = random.randint(0, 2, n)
    scores = numpy.clip(0.4 + 0.25 * truth + 0.25 * random.standard_normal(n), 1 / 64, 63 / 64)
    return truth, numpy.round(scores * 64) / 64


def metric_values(truth: numpy.ndarray, scores: numpy.ndarray) -> dict:
    predicted = (scores > 0.5).astype(int)
    precision, recall, f1, _ = metrics.precision_recall_fscore_support(truth, predicted, average="binary", zero_division=0)
    both = len(set(truth.tolist())) == 2
    return {
        "f1": float(f1),
        "precision": float(precision),
        "recall": float(recall),
        "accuracy": float(metrics.accuracy_score(truth, predicted)),
        "macro_f1": float(metrics.f1_score(truth, predicted, labels=[0, 1], average="macro", zero_division=0)),
        "roc_auc": float(metrics.roc_auc_score(truth, scores)) if both else None,
        "pr_auc": float(metrics.average_precision_score(truth, scores)) if both else None,
    }


def resamples(random: numpy.random.RandomState) -> dict:
    """Each resample's metrics from the repeated rows themselves, where lincah weights each row by its count."""
    truth, scores = scored_rows(random, 24)
    cases = []
    for index in range(20):
        drawn = random.randint(0, 24, 24) if index else numpy.flatnonzero(truth == 1)
        counts = numpy.bincount(drawn, minlength=24)
        cases.append({"counts": counts.tolist(), **metric_values(truth[drawn], scores[drawn])})
    return {"truth": truth.tolist(), "scores": scores.tolist(), "cases": cases}


def fast_values() -> dict:
    """The metrics in NumPy, for the thousands of resamples below."""

    def f1(truth, scores):
        return 2 * numpy.sum((scores > 0.5) & (truth == 1)) / (numpy.sum(scores > 0.5) + numpy.sum(truth == 1))

    def accuracy(truth, scores):
        return numpy.mean((scores > 0.5) == (truth == 1))

    def roc_auc(truth, scores):
        positives, negatives = numpy.sum(truth == 1), numpy.sum(truth == 0)
        ranks = numpy.sum(stats.rankdata(scores)[truth == 1])
        return (ranks - positives * (positives + 1) / 2) / (positives * negatives)

    return {"f1": f1, "accuracy": accuracy, "roc_auc": roc_auc}


def intervals(random: numpy.random.RandomState) -> dict:
    """scipy's percentile bootstrap: lincah's own draws must come near it."""
    truth, scores = scored_rows(random, 120)
    found = {}
    for name, metric in fast_values().items():
        assert numpy.isclose(metric(truth, scores), metric_values(truth, scores)[name])
        result = stats.bootstrap(
            (truth, scores), metric, paired=True, vectorized=False, n_resamples=4000, method="percentile",
            rng=numpy.random.default_rng(3),
        )
        found[name] = [float(result.confidence_interval.low), float(result.confidence_interval.high)]
    return {"truth": truth.tolist(), "scores": scores.tolist(), "intervals": found}


def percentiles(random: numpy.random.RandomState) -> list[dict]:
    cases = []
    for n in (1, 2, 3, 40, 41, 200):
        values = random.standard_normal(n)
        cases.append({"values": values.tolist(), "interval": numpy.percentile(values, [2.5, 97.5]).tolist()})
    return cases


def mcnemar() -> list[dict]:
    pairs = [(0, 0), (0, 1), (1, 1), (5, 0), (0, 6), (10, 3), (12, 30), (50, 50), (700, 600), (3, 2500)]
    return [
        {"first": b, "second": c, "p_value": float(stats.binomtest(b, b + c, 0.5).pvalue) if b + c else 1.0} for b, c in pairs
    ]


def folds(random: numpy.random.RandomState) -> list[dict]:
    cases = []
    for n, classes, splits, seed in [(20, 2, 2, 0), (37, 2, 5, 1), (100, 3, 10, 7), (998, 2, 10, 1), (61, 4, 3, 4294967295)]:
        labels = random.randint(0, classes, n)
        fold_of = numpy.zeros(n, dtype=int)
        splitter = StratifiedKFold(n_splits=splits, shuffle=True, random_state=seed)
        for fold, (_, test) in enumerate(splitter.split(numpy.zeros(n), labels)):
            fold_of[test] = fold
        cases.append({"labels": labels.tolist(), "folds": splits, "seed": seed, "fold_of": fold_of.tolist()})
    return cases


WORDS = {
    "good": "kind thanks helpful lovely clear friendly agree warm".split(),
    "bad": "stupid awful liar nonsense rubbish ridiculous shame fool".split(),
    "plain": "the road council Budget train weather café naïve 2024 x Straße".split(),
}


def texts(random: numpy.random.RandomState, n: int, kinds: list[str]) -> tuple[list[str], list[int]]:
    made, labels = [], []
    for _ in range(n):
        label = int(random.randint(0, len(kinds)))
        words = []
        for _ in range(int(random.randint(2, 7))):
            if random.random_sample() < 0.45:
                kind = kinds[label]
            else:
                kind = "plain" if random.random_sample() < 0.7 else kinds[random.randint(0, len(kinds))]
            words.append(WORDS[kind][random.randint(0, len(WORDS[kind]))])
        made.append(str(random.choice([" ", ", ", "  ", " - "])).join(words) + str(random.choice(["", ".", "!", "\n"])))
        labels.append(label)
    return made, labels


def baseline(random: numpy.random.RandomState) -> list[dict]:
    cases = []
    for kinds in (["good", "bad"], ["good", "bad", "plain"]):
        train, labels = texts(random, 60, kinds)
        test, _ = texts(random, 12, kinds)
        test += ["", "unheard-of zzz", "THANKS thanks Thanks"]
        model = make_pipeline(
            make_union(
                TfidfVectorizer(analyzer="word", ngram_range=(1, 2)), TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5))
            ),
            LogisticRegression(C=1.0, tol=1e-12, max_iter=100_000),
        )
        model.fit(train, labels)
        cases.append(
            {"train": train, "labels": labels, "test": test, "probabilities": model.predict_proba(test).tolist(),
             "features": len(model.steps[0][1].get_feature_names_out())}
        )
    return cases


def main() -> None:
    warnings.simplefilter("ignore")  # undefined metrics are part of what is recorded
    random = numpy.random.RandomState(17)
    golden = {
        "made_with": {"scikit-learn": sklearn.__version__, "scipy": scipy.__version__, "numpy": numpy.__version__},
        "resamples": resamples(random),
        "intervals": intervals(random),
        "percentiles": percentiles(random),
        "mcnemar": mcnemar(),
        "folds": folds(random),
        "baseline": baseline(random),
    }
    lines = ",\n".join(f"  {json.dumps(key)}: {json.dumps(value, allow_nan=False)}" for key, value in golden.items())
    OUTPUT.write_text("{\n" + lines + "\n}\n")


if __name__ == "__main__":
    main()
