"""Classes of scikit-learn's side, and names of the library's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import _data
from ._data import Rows
from .lincah_native import LincahError

Names = Sequence[str] | Mapping[Any, str] | None


@dataclass
class Labels:
    """The classes as they are in ``y``, and the labels' names in the order of the prompt.

    Of independent labels a class is a column of the indicator matrix.
    """

    classes: NDArray[Any]
    names: list[str]
    # The place of each class among the names.
    place: NDArray[np.intp]
    is_multi_label: bool

    @classmethod
    def of_training(cls, X: Iterable[Any], y: Any, names: Names, sample_weight: Any) -> tuple[Labels, Rows]:
        """The labels of training rows, and the rows."""
        texts = _data.texts(X)
        found = _data.target(y)
        _data.check_lengths(texts, found)
        labels = cls.of(found, names, _data.names_of(y))
        rows = labels.rows(texts, found, sample_weight)
        if rows.weights is not None:
            counted = [label for label, weight in zip(rows.truth, rows.weights, strict=True) if weight != 0]
            if not counted:
                raise LincahError("sample_weight: every weight is zero")
            if not labels.is_multi_label and len(set(counted)) < 2:
                raise LincahError("y has one class only where sample_weight is above 0: a classifier needs at least 2 classes")
        return labels, rows

    @classmethod
    def of(
        cls, found: NDArray[Any], names: Names, columns: list[Any] | None = None, classes: Iterable[Any] | None = None
    ) -> Labels:
        """The labels that were found, or the ``classes`` that are known to come; ``columns`` are those of a table of indicators."""
        if found.ndim == 2:
            count = found.shape[1]
            given = _names(columns or list(range(count)), names)
            return cls(np.array(given), given, np.arange(count), True)
        known = _data.distinct(found if classes is None else _data.target(list(classes)))
        if len(known) < 2:
            raise LincahError(f"y has one class only, {str(known[0])!r}: a classifier needs rows of at least 2 classes")
        return cls.of_classes(known, names)

    @classmethod
    def of_classes(cls, classes: NDArray[Any], names: Names) -> Labels:
        """Exclusive labels; a list of the classes themselves gives them another order in the prompt."""
        given = classes.tolist()
        if names is not None and not isinstance(names, Mapping) and set(given) <= set(names):
            return cls(classes, list(names), np.array([list(names).index(label) for label in given]), False)
        return cls(classes, _names(given, names), np.arange(len(given)), False)

    def rows(self, texts: list[str], y: Any, sample_weight: Any = None, columns: Any = None) -> Rows:
        """Rows for the compiled part."""
        found = _data.target(y)
        _data.check_lengths(texts, found)
        if self.is_multi_label:
            truth = self._indicators(found)
        else:
            truth = self._classes(found)
        weights = _data.weights(sample_weight, len(texts))
        return Rows(texts, self.names, truth, weights, _data.columns(columns, len(texts)))

    def _indicators(self, found: NDArray[Any]) -> list[Any]:
        if found.ndim != 2 or found.shape[1] != len(self.names):
            raise LincahError(f"y must be a matrix of {len(self.names)} columns, one per label, but has shape {found.shape}")
        indicators = found.astype(object) if found.dtype.kind == "O" else found
        if not np.isin(indicators, (0, 1)).all():
            raise LincahError("y must hold 0 and 1, or False and True")
        truth: list[Any] = found.astype(bool).tolist()
        return truth

    def _classes(self, found: NDArray[Any]) -> list[Any]:
        if found.ndim != 1:
            raise LincahError(f"y must be a vector of labels, but has shape {found.shape}")
        place = dict(zip(self.classes.tolist(), self.place.tolist(), strict=True))
        try:
            return [place[label] for label in found.tolist()]
        except KeyError as unknown:
            raise LincahError(f"y has the label {unknown.args[0]!r}, which is none of {self.classes.tolist()}") from None

    def by_class(self, of_labels: NDArray[Any]) -> NDArray[Any]:
        """Columns by label as columns by class."""
        columns: NDArray[Any] = of_labels[:, self.place]
        return columns


def _names(classes: list[Any], names: Names) -> list[str]:
    """The name of each class."""
    if names is None:
        return [str(label) for label in classes]
    if isinstance(names, Mapping):
        missing = [label for label in classes if label not in names]
        if missing:
            raise LincahError(f"labels has no name for the class {missing[0]!r}")
        return [str(names[label]) for label in classes]
    if isinstance(names, str) or len(names) != len(classes):
        count = 1 if isinstance(names, str) else len(names)
        raise LincahError(f"labels has {count} names, but y has {len(classes)} classes: {classes[:10]}")
    return [str(name) for name in names]
