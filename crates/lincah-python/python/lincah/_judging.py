"""What a fitted classifier is worth on rows, and the decisions that are chosen on them."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from . import _data
from ._data import Rows
from ._results import Report, Result

if TYPE_CHECKING:
    from ._remembered import Known
    from .lincah_native import Classifier


class Judging:
    """Methods of ``AgileClassifier`` on labelled rows."""

    if TYPE_CHECKING:
        _known: Known

        def _fitted(self) -> Classifier: ...

    def _rows(self, X: Iterable[Any], y: Iterable[Any], columns: Any = None) -> Rows:
        self._fitted()
        return self._known.labels.rows(_data.texts(X), y, None, columns)

    def evaluate(
        self,
        X: Iterable[Any],
        y: Iterable[Any],
        *,
        prevalence: float | str | None = None,
        include_training_rows: bool = False,
    ) -> Result:
        """Compare the classifier with labelled texts.

        Rows that it was trained on are left out, with a warning.

        Parameters
        ----------
        X : iterable of str
            Texts.
        y : iterable
            Their labels, or an indicator matrix.
        prevalence : float or str, optional
            How frequent the positive label is in your traffic, as ``0.01``; for one label ``"LABEL=0.01"``.
        include_training_rows : bool, default=False
            Whether rows that it was trained on count, too.

        Returns
        -------
        Result
            What ``lincah evaluate --json`` prints: metrics with intervals, operating points, a summary.
        """
        options = {"prevalence": _words(prevalence), "include_training_rows": include_training_rows}
        return _result(*self._fitted().evaluate(self._rows(X, y), options))

    def report(
        self,
        X: Iterable[Any],
        y: Iterable[Any],
        *,
        train: tuple[Iterable[Any], Iterable[Any]] | None = None,
        subject: str = "classifier",
        prevalence: float | str | None = None,
        explain: bool = False,
        without_texts: bool = False,
        include_training_rows: bool = False,
    ) -> Report:
        """Make a page about the classifier: metrics, curves, thresholds, errors.

        Parameters
        ----------
        X : iterable of str
            Texts.
        y : iterable
            Their labels, or an indicator matrix.
        train : tuple of texts and labels, optional
            The training rows, so that TF-IDF with logistic regression stands beside the classifier.
        subject : str, default="classifier"
            What the page is about.
        prevalence : float or str, optional
            As in :meth:`evaluate`.
        explain : bool, default=False
            Whether to mark the words that did it.
        without_texts : bool, default=False
            Whether to leave texts out of the page.
        include_training_rows : bool, default=False
            As in :meth:`evaluate`.

        Returns
        -------
        Report
            A page that shows in a notebook, and can be saved.
        """
        options = {
            "subject": subject,
            "prevalence": _words(prevalence),
            "explain": explain,
            "without_texts": without_texts,
            "include_training_rows": include_training_rows,
        }
        beside = None if train is None else self._rows(*train)
        return Report(*self._fitted().report(self._rows(X, y), beside, options))

    def audit(
        self,
        X: Iterable[Any],
        y: Iterable[Any],
        columns: Any = None,
        *,
        functionality: str | None = None,
        group: str | None = None,
        slices: Sequence[str] = (),
        terms: Sequence[str] = (),
        robustness: bool = False,
        robustness_rows: int = 200,
        seed: int = 1,
        include_training_rows: bool = False,
    ) -> Result:
        """Look where the classifier fails: by functionality, group, identity term and slice, and on obfuscated texts.

        Parameters
        ----------
        X : iterable of str
            Texts.
        y : iterable
            Their labels, or an indicator matrix.
        columns : data frame or dict of columns, optional
            What else is known of each row.
        functionality : str, optional
            Column of what each row tests.
        group : str, optional
            Column of whom each row is about.
        slices : list of str, optional
            Columns whose values are compared with the rest of the rows.
        terms : list of str, optional
            Words that make a group each of the texts that have them.
        robustness : bool, default=False
            Whether to score the texts written otherwise, too.
        robustness_rows : int, default=200
            Most texts to write otherwise, drawn by ``seed``.
        seed : int, default=1
        include_training_rows : bool, default=False
            As in :meth:`evaluate`.

        Returns
        -------
        Result
            What ``lincah audit --json`` prints.
        """
        options = {
            "functionality": functionality,
            "group": group,
            "slices": list(slices),
            "terms": list(terms),
            "robustness": robustness,
            "robustness_rows": robustness_rows,
            "seed": seed,
            "include_training_rows": include_training_rows,
        }
        return _result(*self._fitted().audit(self._rows(X, y, columns), options))

    def calibrate(
        self,
        X: Iterable[Any],
        y: Iterable[Any],
        *,
        target: str | Sequence[str] | None = None,
        threshold: float | Mapping[str, float] | None = None,
        review: float | str | None = None,
        calibration: str = "best",
    ) -> Any:
        """Calibrate the classifier, and choose its thresholds, on rows that it was not trained on.

        What is chosen takes the place of what it had.

        Parameters
        ----------
        X : iterable of str
            Texts.
        y : iterable
            Their labels, or an indicator matrix.
        target, threshold, review, calibration
            As the parameters of the same names.

        Returns
        -------
        AgileClassifier
            This very classifier.
        """
        options = {
            "target": _data.strings(target),
            "threshold": dict(threshold) if isinstance(threshold, Mapping) else threshold,
            "review": review,
            "calibration": calibration,
        }
        _warn(self._fitted().calibrate(self._rows(X, y), options))
        return self


def _words(prevalence: float | str | None) -> str | None:
    return None if prevalence is None else str(prevalence)


def _result(found: str, notice: str | None) -> Result:
    return Result(found, _warn(notice, level=4))


def _warn(notice: str | None, level: int = 3) -> list[str]:
    if notice is None:
        return []
    warnings.warn(notice, stacklevel=level)
    return [notice]
