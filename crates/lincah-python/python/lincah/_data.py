"""Texts and labels in whatever form they come, as lists."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .lincah_native import LincahError


@dataclass
class Rows:
    """What the compiled part takes: texts, the labels' names, and the class of each row or its row of an indicator matrix."""

    texts: list[str]
    labels: list[str]
    truth: list[Any]
    weights: list[float] | None = None
    columns: list[tuple[str, list[str]]] = field(default_factory=list)


def _column(values: Any, what: str) -> list[Any]:
    """The only column of a table, or the values of a series, an array or any other iterable."""
    if hasattr(values, "toarray"):
        raise TypeError(f"{what} is a sparse matrix, but must hold texts")
    if hasattr(values, "__array__") and not isinstance(values, Iterable):
        values = np.asarray(values)
    if isinstance(values, (str, bytes)) or not isinstance(values, Iterable):
        raise LincahError(f"{what} must be a list of texts, or a column of them, not a single {type(values).__name__}")
    if isinstance(values, Mapping):
        raise LincahError(f"{what} must be a list of texts, or a column of them, not a dictionary")
    shape = getattr(values, "shape", None)
    if isinstance(shape, tuple) and len(shape) > 1:
        if len(shape) > 2 or shape[1] != 1:
            raise LincahError(
                f"{what} has shape {tuple(shape)}, but must be one column of texts. Reshape your data, or choose a column"
            )
        if hasattr(values, "iloc"):
            values = values.iloc[:, 0]
        elif hasattr(values, "get_columns"):
            values = values.get_columns()[0]
        elif hasattr(values, "column"):
            values = values.column(0)
        else:
            values = np.asarray(values)[:, 0]
    for method in ("to_pylist", "to_list", "tolist"):
        if hasattr(values, method):
            return list(getattr(values, method)())
    return list(values)


def strings(values: Any) -> Any:
    """One string as it is, several as a list, as the compiled part takes them."""
    return values if values is None or isinstance(values, str) else list(values)


def texts(values: Any, what: str = "X") -> list[str]:
    """Every row as a string; anything else is refused, with its row."""
    column = _column(values, what)
    if not column:
        raise LincahError(f"Found array with 0 sample(s): {what} has no texts, and at least 1 is required")
    for row, value in enumerate(column):
        if isinstance(value, str):
            continue
        if isinstance(value, (list, tuple)) and len(value) == 1 and isinstance(value[0], str):
            column[row] = value[0]
        elif value is None or value != value:
            raise LincahError(f"{what} has no text in row {row + 1}")
        else:
            raise LincahError(f"{what} must hold texts, but row {row + 1} is of type {type(value).__name__}")
    return column


def target(values: Any) -> NDArray[Any]:
    """Labels as a vector, or an indicator matrix."""
    if values is None:
        raise LincahError("requires y to be passed, but the target y is None")
    if hasattr(values, "toarray"):
        values = values.toarray()
    elif hasattr(values, "to_pylist") and hasattr(values, "column_names"):
        values = np.column_stack([values.column(name).to_pylist() for name in values.column_names])
    for method in ("to_pylist", "to_numpy"):
        if hasattr(values, method):
            values = getattr(values, method)()
            break
    if hasattr(values, "__array__"):
        values = np.asarray(values)
    if not isinstance(values, np.ndarray):
        values = list(values)
        # Strings beside numbers must not become strings.
        kinds = {type(value) for value in values}
        values = np.asarray(values, dtype=object if len(kinds) > 1 and str in kinds else None)
    if values.ndim == 2 and values.shape[1] == 1:
        from sklearn.exceptions import DataConversionWarning

        warnings.warn("A column-vector y was passed when a 1d array was expected.", DataConversionWarning, stacklevel=4)
        values = values.ravel()
    if values.ndim not in (1, 2):
        raise LincahError(f"y has {values.ndim} dimensions, but must be a vector of labels or a matrix of indicators")
    _refuse_missing(values)
    found: NDArray[Any] = values
    return found


def names_of(values: Any) -> list[Any] | None:
    """The names of a table's columns."""
    names = getattr(values, "column_names", getattr(values, "columns", None))
    return None if names is None else list(names)


def check_lengths(texts: list[str], found: NDArray[Any]) -> None:
    """Refuse another number of labels than texts."""
    if len(found) != len(texts):
        counts = f"{len(texts)} texts, and labels of {len(found)} rows"
        raise LincahError(f"Found input variables with inconsistent numbers of samples: {counts}")


def _refuse_missing(labels: NDArray[Any]) -> None:
    if labels.dtype.kind == "f":
        if not np.isfinite(labels).all():
            raise LincahError(f"Input y contains NaN or infinity: row {_row(~np.isfinite(labels))} has no label")
        if (labels != np.floor(labels)).any():
            raise LincahError("Unknown label type: continuous. Labels are names, whole numbers or booleans")
    if labels.dtype.kind == "c":
        raise LincahError("Complex data not supported: labels are names, whole numbers or booleans")
    if labels.dtype.kind == "O":
        missing = np.array([value is None or value != value for value in labels.ravel()]).reshape(labels.shape)
        if missing.any():
            raise LincahError(f"Input y contains NaN: row {_row(missing)} has no label")


def _row(found: NDArray[Any]) -> int:
    return int(np.argwhere(found)[0][0]) + 1


def distinct(labels: NDArray[Any]) -> NDArray[Any]:
    """The labels, each once, sorted; those without an order by their names."""
    try:
        return np.unique(labels)
    except TypeError:
        found = sorted(set(labels.tolist()), key=lambda label: (str(label), type(label).__name__))
        classes = np.empty(len(found), dtype=object)
        classes[:] = found
        return classes


def weights(values: Any, rows: int) -> list[float] | None:
    """How much each row counts; nothing where all count alike."""
    if values is None:
        return None
    found = np.asarray(values, dtype=np.float64)
    if found.ndim == 0:
        found = np.full(rows, found)
    if found.ndim != 1:
        raise ValueError("Sample weights must be 1D array or scalar")
    if len(found) != rows:
        raise ValueError(f"sample_weight.shape == {found.shape}, expected ({rows},)!")
    return [float(weight) for weight in found]


def columns(values: Any, rows: int) -> list[tuple[str, list[str]]]:
    """Further columns of a table, or of a dictionary of columns, as strings."""
    if values is None:
        return []
    names = list(values.keys()) if isinstance(values, Mapping) else names_of(values)
    if names is None:
        raise LincahError("columns must be a table, or a dictionary of columns")
    found = [(str(name), ["" if value is None or value != value else str(value) for value in list(values[name])]) for name in names]
    for name, column in found:
        if len(column) != rows:
            raise LincahError(f"column {name!r} has {len(column)} rows, but there are {rows} texts")
    return found
