"""scikit-learn's own checks, on texts written of their numbers; and a list of those that cannot hold, with why."""

import warnings

import numpy as np
import pytest
from sklearn.utils.estimator_checks import check_estimator
from sklearn.utils.validation import check_is_fitted, validate_data

from lincah import AgileClassifier

LEFT_OUT = {
    "check_sample_weight_equivalence_on_dense_data": "folds choose the penalty, and a row that counts twice is in one of them",
}


class OnNumbers(AgileClassifier):
    """The classifier on texts that are made of numbers: the checks have no others."""

    def _written(self, X, reset=False):
        if not reset:
            check_is_fitted(self)
        X = validate_data(self, X, reset=reset, dtype=np.float64)
        letter = lambda value: chr(ord("a") + int(np.clip(3 * value + 13, 0, 25)))  # noqa: E731
        return [" ".join(letter(value) for value in row[:8]) for row in X]

    def fit(self, X, y, sample_weight=None):
        return super().fit(self._written(X, reset=True), y, sample_weight)

    def partial_fit(self, X, y, classes=None, sample_weight=None):
        return super().partial_fit(self._written(X, reset=not hasattr(self, "classes_")), y, classes, sample_weight)

    def _scored(self, X):
        return super()._scored(self._written(X))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array, tags.input_tags.one_d_array, tags.input_tags.string = True, False, False
        return tags


@pytest.fixture(scope="module")
def checked(model):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        estimator = OnNumbers(model=model, preset="instant", device="cpu")
        return check_estimator(estimator, expected_failed_checks=LEFT_OUT, on_fail=None, on_skip=None)


def test_all_checks_hold_but_those_left_out(checked):
    failed = {found["check_name"]: found["exception"] for found in checked if found["status"] == "failed"}
    assert failed == {}
    assert sum(found["status"] == "passed" for found in checked) > 50


def test_the_list_of_those_left_out_is_not_stale(checked):
    assert {found["check_name"] for found in checked if found["status"] == "xfail"} == set(LEFT_OUT)


def test_its_tags_say_texts():
    tags = AgileClassifier().__sklearn_tags__()
    assert tags.input_tags.string and not tags.input_tags.two_d_array
    assert tags.estimator_type == "classifier" and tags.classifier_tags.multi_label
