"""The estimator as scikit-learn's users meet it."""

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.model_selection import GridSearchCV, TunedThresholdClassifierCV, cross_val_predict
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

import lincah
from lincah import AgileClassifier, LincahError


def instant(model, **parameters):
    return AgileClassifier(model=model, preset="instant", device="cpu", **parameters)


def test_it_learns_and_its_columns_are_the_classes(quick, rows):
    X, y = rows
    classifier = AgileClassifier(**quick).fit(X, y)
    probabilities = classifier.predict_proba(X)
    assert classifier.classes_.tolist() == ["A", "B"]
    assert probabilities.shape == (40, 2)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    assert classifier.score(X, y) == 1
    assert (classifier.classes_[probabilities.argmax(axis=1)] == classifier.predict(X)).all()
    assert ((classifier.decision_function(X) > 0) == (classifier.predict(X) == "B")).all()


def test_labels_give_names_and_an_order_that_the_columns_do_not_follow(quick, rows):
    X, y = rows
    names = AgileClassifier(**quick, labels=["B", "A"]).fit(X, y)
    assert (names.labels_, names.classes_.tolist()) == (["B", "A"], ["A", "B"])
    assert names.score(X, y) == 1
    assert (names.predict_proba(X).argmax(axis=1) == (np.array(y) == "B")).all()
    for numbers in (np.array(y) == "B", (np.array(y) == "B").astype(np.int8)):
        for given in (["no", "yes"], {0: "no", 1: "yes"}):
            found = AgileClassifier(**quick, labels=given).fit(X, numbers)
            assert (found.classes_.dtype, found.labels_) == (numbers.dtype, ["no", "yes"])
            assert found.predict(X).dtype == numbers.dtype
            assert found.score(X, numbers) == 1
    with pytest.raises(LincahError, match="labels has 3 names, but y has 2 classes"):
        AgileClassifier(**quick, labels=["a", "b", "c"]).fit(X, y)


def test_three_classes_have_three_columns(model, rows):
    X, y = rows
    X, y = [*X, *[f"mmmm {row}" for row in range(20)]], [*y, *["M"] * 20]
    classifier = instant(model).fit(X, y)
    assert classifier.decision_function(X).shape == (60, 3)
    assert (classifier.decision_function(X).argmax(axis=1) == classifier.predict_proba(X).argmax(axis=1)).all()
    assert classifier.score(X, y) > 0.9


FORMS = {
    "tuple": tuple,
    "generator": lambda values: (value for value in values),
    "array": np.array,
    "objects": lambda values: np.array(values, dtype=object),
    "column": lambda values: np.array(values).reshape(-1, 1),
    "series": pd.Series,
    "frame": lambda values: pd.DataFrame({"text": values}),
    "polars": pl.Series,
    "polars frame": lambda values: pl.DataFrame({"text": values}),
    "arrow": pa.array,
    "chunks": lambda values: pa.chunked_array([values[:10], values[10:]]),
    "table": lambda values: pa.table({"text": values}),
}


@pytest.mark.parametrize("form", FORMS)
def test_texts_come_in_any_form(model, rows, form):
    X, y = rows
    expected = instant(model).fit(X, y).predict_proba(X)
    label_form = form if form in ("tuple", "array", "objects", "series", "polars", "arrow", "chunks") else "array"
    classifier = instant(model).fit(FORMS[form](X), FORMS[label_form](y))
    assert classifier.classes_.tolist() == ["A", "B"]
    np.testing.assert_array_equal(classifier.predict_proba(FORMS[form](X)), expected)


def test_columns_of_datasets_are_texts(model, rows):
    datasets = pytest.importorskip("datasets")
    X, y = rows
    data = datasets.Dataset.from_dict({"text": X, "label": y})
    found = instant(model).fit(data["text"], data["label"]).predict_proba(data["text"])
    np.testing.assert_array_equal(found, instant(model).fit(X, y).predict_proba(X))


@pytest.mark.parametrize(
    ("X", "message"),
    [
        ("one text", "must be a list of texts"),
        ([], "no texts"),
        (["a", None], "no text in row 2"),
        (["a", float("nan")], "no text in row 2"),
        (["a", 3], "row 2 is of type int"),
        ([["a", "b"], ["c", "d"]], "row 1 is of type list"),
        (pd.DataFrame({"a": ["x"], "b": ["y"]}), r"shape \(1, 2\)"),
        ({"a": ["x"]}, "dictionary"),
    ],
)
def test_what_is_no_text_is_refused(model, rows, X, message):
    with pytest.raises(LincahError, match=message):
        instant(model).fit(X, ["A"])
    with pytest.raises(LincahError, match=message):
        instant(model).fit(*rows).predict(X)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (["A"] * 40, "one class only"),
        (["A", None] * 20, "row 2 has no label"),
        ([0.5, 1.5] * 20, "continuous"),
        (["A"] * 39, "40 texts, and labels of 39 rows"),
    ],
)
def test_what_are_no_labels_is_refused(model, rows, y, message):
    with pytest.raises(ValueError, match=message):
        instant(model).fit(rows[0], y)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"epochs": "many"}, "epochs is 'many', but must be a whole number"),
        ({"epochs": 0}, "epochs is 0, but must be at least 1"),
        ({"learning_rate": -1.0}, "learning_rate is -1, but must be above 0"),
        ({"preset": "best"}, "preset: `best` is no preset"),
        ({"device": "tpu"}, "device: `tpu` is no device"),
        ({"model": "nothing-here"}, "nothing-here"),
        ({"threads": 0}, "threads is 0"),
        ({"targets": ["q_proj", "x"]}, "targets: there is no module `x`"),
        ({"target": "precise"}, "target: `precise` is no target"),
        ({"preset": "instant", "rank": 4}, "trains no LoRA"),
        ({"calibrate_on": "train"}, "calibrate_on is 'train'"),
    ],
)
def test_errors_name_arguments(quick, rows, parameters, message):
    with pytest.raises(LincahError, match=message) as raised:
        AgileClassifier(**quick | parameters).fit(*rows) if "preset" not in parameters else AgileClassifier(
            **{"model": quick["model"], **parameters}
        ).fit(*rows)
    assert " --" not in str(raised.value)


@pytest.mark.parametrize("preset", ["default", "instant"])
def test_a_row_without_weight_is_not_there_and_weights_matter(model, quick, rows, preset):
    X, y = rows
    parameters = quick if preset == "default" else {"model": model, "preset": "instant", "device": "cpu"}
    half = np.array([1.0] * 20 + [0.0] * 20)
    weighted = AgileClassifier(**parameters).fit(X, y, sample_weight=half).predict_proba(X)
    np.testing.assert_array_equal(weighted, AgileClassifier(**parameters).fit(X[:20], y[:20]).predict_proba(X))
    plain = AgileClassifier(**parameters).fit(X, y).predict_proba(X)
    heavy = AgileClassifier(**parameters).fit(X, y, sample_weight=np.where(np.array(y) == "B", 20.0, 1.0)).predict_proba(X)
    assert heavy[:, 1].mean() > plain[:, 1].mean()
    np.testing.assert_array_equal(AgileClassifier(**parameters).fit(X, y, sample_weight=np.ones(40)).predict(X), y)
    with pytest.raises(LincahError, match="every weight is zero"):
        AgileClassifier(**parameters).fit(X, y, sample_weight=np.zeros(40))
    with pytest.raises(LincahError, match="weight of row 1"):
        AgileClassifier(**parameters).fit(X, y, sample_weight=[-1.0] * 40)


def test_independent_labels_are_an_indicator_matrix(model):
    X = [f"{'aaaa ' * (row % 2)}{'zzzz ' * (row % 3 == 0)}text {row}" for row in range(48)]
    y = pd.DataFrame({"a": [row % 2 for row in range(48)], "z": [int(row % 3 == 0) for row in range(48)]})
    classifier = instant(model).fit(X, y)
    assert classifier.classes_.tolist() == ["a", "z"]
    assert classifier.predict_proba(X).shape == (48, 2)
    assert (classifier.predict(X) == y.to_numpy()).mean() > 0.9
    assert ((classifier.decision_function(X) > 0) == (classifier.predict(X) == 1)).all()
    named = instant(model, labels=["a", "z"]).fit(X, y.to_numpy())
    np.testing.assert_array_equal(named.predict_proba(X), classifier.predict_proba(X))
    assert pickle.loads(pickle.dumps(classifier)).predict(X).tolist() == classifier.predict(X).tolist()
    with pytest.raises(LincahError, match="0 and 1"):
        instant(model).fit(X, y.to_numpy() * 2)


def test_rows_come_bit_by_bit(model, rows):
    X, y = rows
    classifier = instant(model)
    with pytest.raises(ValueError, match="classes must be passed"):
        classifier.partial_fit(X[:1], y[:1])
    classifier.partial_fit(X[:1], y[:1], classes=["A", "B"])
    assert classifier.predict(X).tolist() == [y[0]] * 40
    for start in range(1, 40, 13):
        classifier.partial_fit(X[start : start + 13], y[start : start + 13])
    np.testing.assert_array_equal(classifier.predict_proba(X), instant(model).fit(X, y).predict_proba(X))
    # A class that has no row yet has a column, and no chance.
    classifier = instant(model).partial_fit(X, y, classes=["A", "B", "C"])
    assert classifier.predict_proba(X).shape == (40, 3)
    assert (classifier.predict_proba(X)[:, 2] == 0).all()
    assert classifier.score(X, y) == 1
    further = instant(model).fit(X[:20], y[:20]).partial_fit(X[20:], y[20:])
    np.testing.assert_array_equal(further.predict_proba(X), instant(model).fit(X, y).predict_proba(X))
    with pytest.raises(LincahError, match="not stored"):
        pickle.loads(pickle.dumps(further)).partial_fit(X, y)


def test_it_works_with_scikit_learns_tools(model, quick, rows):
    X, y = rows
    found = cross_val_predict(instant(model), X, y, cv=4, method="predict_proba")
    assert found.shape == (40, 2)
    search = GridSearchCV(AgileClassifier(**quick), {"epochs": [1, 6]}, cv=2, scoring="neg_log_loss").fit(X, y)
    assert search.best_params_ == {"epochs": 6}
    parallel = GridSearchCV(instant(model), {"max_tokens": [128, 256]}, cv=2, n_jobs=2).fit(X, y)
    assert parallel.best_score_ > 0.9
    pipeline = Pipeline([("upper", FunctionTransformer(_lower)), ("classifier", instant(model))]).fit(X, y)
    assert pipeline.score([text.upper() for text in X], y) == 1
    for method in ("sigmoid", "isotonic"):
        assert CalibratedClassifierCV(instant(model), method=method, cv=2).fit(X, y).predict_proba(X).shape == (40, 2)
    assert TunedThresholdClassifierCV(instant(model), cv=2).fit(X, y).score(X, y) > 0.9


def _lower(texts):
    return [text.lower() for text in texts]


def test_parameters_are_stored_as_they_are_and_cloned(model):
    layers, names = [1], ["no", "yes"]
    classifier = AgileClassifier(model=model, layers=layers, labels=names)
    assert classifier.layers is layers and classifier.labels is names
    copy = clone(classifier.set_params(epochs=3))
    assert copy.get_params() == classifier.get_params()
    assert copy.get_params()["epochs"] == 3
    with pytest.raises(ValueError, match="Invalid parameter 'epoch'"):
        classifier.set_params(epoch=1)


def test_pickles_hold_the_classifier_and_no_text(quick, rows):
    X, y = rows
    classifier = AgileClassifier(**quick).fit([f"{text} secret" for text in X], y)
    pickled = pickle.dumps(classifier)
    assert b"aaaa bbbb" not in pickled and b"secret" not in pickled
    again = pickle.loads(pickled)
    np.testing.assert_array_equal(again.predict_proba(X), classifier.predict_proba(X))
    assert pickle.loads(pickle.dumps(again)).predict(X).tolist() == classifier.predict(X).tolist()


def test_decisions_are_chosen_with_the_training_and_afterwards(model, rows):
    X, y = rows
    chosen = instant(model, threshold=0.999, calibration="none").fit(X, y)
    assert ((chosen.predict(X) == "B") == (chosen.predict_proba(X)[:, 1] >= 0.999)).all()
    assert ((chosen.decision_function(X) >= 0) == (chosen.predict(X) == "B")).all()
    fresh = [f"{text} more" for text in X]
    left = instant(model).fit(X, y).calibrate(fresh, y, review=0.25, calibration="none")
    assert 0 < left.needs_review(fresh).mean() <= 0.5
    assert pickle.loads(pickle.dumps(left)).needs_review(fresh).tolist() == left.needs_review(fresh).tolist()
    with pytest.raises(LincahError, match="trained on all 40 rows"):
        left.calibrate(X, y, target="f1")


def test_labels_are_rows_and_a_training_goes_on_from_another(quick, rows, tmp_path):
    X, y = rows
    first = AgileClassifier(**quick, label_scheme="rows").fit(X, y)
    assert first.score(X, y) == 1
    first.save(tmp_path / "first")
    later = [f"{text} later" for text in X]
    next = AgileClassifier(**quick | {"epochs": 1, "learning_rate": 1e-9}, label_scheme="rows", init=tmp_path / "first")
    np.testing.assert_allclose(next.fit(later, y).predict_proba(X), first.predict_proba(X), atol=1e-3)
    with pytest.raises(LincahError, match="start"):
        AgileClassifier(**quick, rank=4, init=tmp_path / "first").fit(later, y)


def test_models_are_opened_once_and_closed(model, rows):
    first = instant(model).fit(*rows)
    lincah.close_models()
    assert first.score(*rows) == 1
    assert instant(model, threads=1).fit(*rows).predict_proba(rows[0]).tolist() == first.predict_proba(rows[0]).tolist()
