"""The estimator."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterable, Sequence
from os import PathLike, fspath
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from . import _data, _progress, lincah_native
from ._data import Rows
from ._labels import Labels
from ._judging import Judging
from ._parameters import Parameters
from ._remembered import Known, Remembered
from ._storing import Storing

from .lincah_native import Classifier, LincahError

# The parameters that an instant classifier has.
_OF_INSTANT = {
    "model",
    "augment",
    "max_tokens",
    "long_texts",
    "instruction",
    "separator",
    "no_bos",
    "deobfuscate",
    "keep_whitespace",
    "label_scheme",
    "label_descriptions",
    "device",
    "precision",
    "threads",
    "seed",
}


class AgileClassifier(Parameters, Judging, Storing, ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A text classifier: a small language model, tuned with LoRA on a few hundred labelled texts.

    Parameters have the names and meanings of the options of ``lincah train``; None leaves a setting to what was measured to work best.

    Parameters
    ----------
    model : str or list of str, optional
        Base model: a name of :func:`lincah.models`, a Hugging Face folder, or a GGUF file. Several work together. By default
        ``smollm2-135m`` and ``minilm``; with preset ``fast`` or ``codelab`` the first.
    preset : {"default", "fast", "codelab", "instant"}, default="default"
        The recipe that the other parameters change. ``instant`` takes seconds and trains no LoRA.
    labels : list of str or dict, optional
        The labels' names, which are read by the model: a list in the order of the sorted classes, or a dictionary by class. Where ``y``
        holds the names themselves, a list gives their order in the prompt; the last is the positive class.
    epochs, batch_size, gradient_accumulation, rank, patience, members : int, optional
    learning_rate, alpha, dropout, warmup, weight_decay, adam_epsilon, clip_norm, validation : float, optional
    rank_stabilized : bool, default=False
    targets : str or list of str, optional
        Projections to adapt, such as ``["q_proj", "v_proj"]``, or ``"all"``.
    layers : sequence of int, optional
        Layers to adapt, such as ``range(10, 30)``.
    lora_layout : {"whole", "per-head"}, optional
    schedule : str, optional
    loss : str, optional
    class_weights : {"none", "balanced"}, optional
    augment : {"none", "obfuscation"}, default="none"
    max_tokens : int, optional
        Longest prompt; 256 by default.
    long_texts : {"first", "max", "mean"}, default="first"
        How longer texts are scored: by their beginning, or window by window.
    instruction, separator : str, optional
        What stands at the head of the prompt, and between its parts.
    no_bos, keep_whitespace, deobfuscate : bool, default=False
    label_scheme : {"tokens", "rows"}, optional
        What scores a label: tokens behind a prompt that names all labels, or rows that are trained with the adapter.
    label_descriptions : dict of str to str, optional
        What independent labels mean, by name.
    calibrate_on : {"oof", "validation"}, optional
        Calibrate, and choose thresholds, on out-of-fold scores or on the validation rows. Chosen by itself where there is a target.
    oof_folds : int, default=5
    target : str or list of str, optional
        What thresholds are to reach: ``"precision=0.95"``, ``"recall=0.9"``, ``"fpr=0.01"``, ``"f1"`` or ``"cost fp=1,fn=20"``; for one
        label ``"LABEL:recall=0.9"``.
    threshold : float or dict of str to float, optional
        This very threshold, or one for each label named.
    review : float or str, optional
        Share of the texts that is left to a person, or ``"error=5%"``.
    calibration : str, default="best"
        How probabilities are calibrated.
    device : str, default="auto"
        ``"cpu"``, ``"cuda"``, ``"cuda:N"`` or ``"auto"``. Several, as ``"cuda:0,cuda:1"`` or ``"cuda:all"``, share the folds and members of
        :meth:`fit`; scoring is on the first.
    precision : {"f32", "bf16", "int8"}, optional
    recompute : bool, default=False
        Less memory in training for a third more time.
    threads : int, optional
        Threads to compute with; all cores by default.
    seed : int, optional
        Decides the start, the order of the rows, the dropout and the validation rows; 1 by default.
    init : str or path, optional
        Folder of a classifier whose adapter the training starts from.
    out : str or path, optional
        Folder to keep checkpoints and the classifier in while it is trained.
    resume : bool, default=False
        Go on with an interrupted training in ``out``.
    verbose : bool, default=False
        Whether progress is shown.
    callback : callable or list of them, optional
        Hears of every event of a training, as a dictionary; what it raises ends the training. :mod:`lincah.tracking` has some.

    Attributes
    ----------
    classes_ : ndarray
        The classes, sorted; of independent labels the names.
    labels_ : list of str
        The labels' names in the order of the prompt.

    Examples
    --------
    >>> from lincah import AgileClassifier
    >>> classifier = AgileClassifier(preset="instant", model="minilm")
    >>> classifier.fit(["Thank you!", "Go away.", "How kind.", "Get lost."], ["civil", "uncivil", "civil", "uncivil"])  # doctest: +SKIP
    >>> classifier.predict(["So kind of you."])  # doctest: +SKIP
    array(['civil'], dtype='<U7')
    """

    _native: Classifier | None
    # The files of a classifier that is not read yet.
    _folder: dict[str, bytes] | None
    _known: Known
    _remembered: Remembered | None

    def fit(self, X: Iterable[Any], y: Iterable[Any], sample_weight: Iterable[float] | None = None) -> AgileClassifier:
        """Train on labelled texts; whatever was learned before is forgotten.

        Parameters
        ----------
        X : iterable of str
            Texts: a list, a NumPy array, a column of pandas, polars, pyarrow or datasets.
        y : iterable
            The label of each: strings, numbers, booleans. Or a matrix of 0 and 1, a column per independent label, whose names are
            ``labels`` or the data frame's columns.
        sample_weight : iterable of float, optional
            How much each row counts.

        Returns
        -------
        AgileClassifier
            This very classifier.
        """
        labels, rows = Labels.of_training(X, y, self.labels, sample_weight)
        self._take(self._trained(rows, self._options()), Known(labels))
        self._remembered = Remembered(labels)
        self._remembered.take(rows)
        return self

    def partial_fit(
        self,
        X: Iterable[Any],
        y: Iterable[Any],
        classes: Iterable[Any] | None = None,
        sample_weight: Iterable[float] | None = None,
    ) -> AgileClassifier:
        """Take further labelled texts in: an instant classifier is trained on all texts so far, those of :meth:`fit` too.

        Models read the new texts alone, and remember (up to 512 MiB each) what they made of the others: a further label takes well under a
        second with 500 texts and two labels. :func:`close_models` forgets it.

        Texts are kept in memory for that, and stored nowhere: a classifier that was unpickled or loaded takes none in.

        Parameters
        ----------
        X : iterable of str
            Further texts.
        y : iterable
            Their labels.
        classes : iterable, optional
            All classes that will come; required before anything else was fitted, unless the labels are independent.
        sample_weight : iterable of float, optional
            How much each row counts.

        Returns
        -------
        AgileClassifier
            This very classifier.
        """
        texts, found = _data.texts(X), _data.target(y)
        remembered: Remembered | None = getattr(self, "_remembered", None)
        if remembered is None:
            if hasattr(self, "classes_"):
                raise LincahError("the rows that this classifier was trained on are not stored with it: fit it on all rows")
            if classes is None and found.ndim == 1:
                raise ValueError("classes must be passed on the first call to partial_fit.")
            remembered = Remembered(Labels.of(found, self.labels, _data.names_of(y), classes))
        elif classes is not None and not np.array_equal(_data.distinct(_data.target(classes)), remembered.labels.classes):
            was = remembered.labels.classes
            raise ValueError(f"`classes={classes!r}` is not the same as on last call to partial_fit, was: {was!r}")
        remembered.take(remembered.labels.rows(texts, found, sample_weight))
        rows, known = remembered.rows()
        options = {name: value for name, value in self._options().items() if name in _OF_INSTANT}
        options |= {"preset": "instant", "remember": True}
        self._take(None if rows is None else self._trained(rows, options), known)
        self._remembered = remembered
        return self

    def _trained(self, rows: Rows, options: dict[str, Any]) -> Classifier:
        return lincah_native.train(rows, options, _progress.listener(self.verbose, self.callback))

    def _take(self, native: Classifier | None, known: Known) -> None:
        self._native, self._known, self._folder = native, known, None
        self.classes_ = known.labels.classes
        self.labels_ = list(known.labels.names)
        self._remembered = None

    def _fitted(self) -> Classifier:
        """The trained classifier, which is read at its first use where this one was unpickled."""
        check_is_fitted(self, "classes_")
        if self._native is None:
            if self._folder is None:
                raise LincahError("the rows so far have one class only: there is no classifier yet")
            with tempfile.TemporaryDirectory() as folder:
                for name, content in self._folder.items():
                    place = Path(folder, name)
                    place.parent.mkdir(parents=True, exist_ok=True)
                    place.write_bytes(content)
                self._native = Classifier.load(folder, self._options() | {"model": None})
        return self._native

    def _scored(self, X: Iterable[Any]) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_]]:
        """Probabilities, whether each label is given, and whether a person should look; columns by class."""
        check_is_fitted(self, "classes_")
        texts = _data.texts(X)
        known, rows = self._known, len(texts)
        if self._native is None and self._folder is None:
            constant = known.spread(None, rows)
            return known.labels.by_class(constant), known.labels.by_class(constant > 0.5), np.zeros(rows, dtype=np.bool_)
        probabilities, given, review, _ = self._fitted().predict(texts)

        def by_class(found: bytes, dtype: type) -> NDArray[Any]:
            return known.labels.by_class(known.spread(np.frombuffer(found, dtype=dtype).reshape(rows, -1), rows))

        return by_class(probabilities, np.float64), by_class(given, np.bool_), np.frombuffer(review, dtype=np.bool_)

    def predict(self, X: Iterable[Any]) -> NDArray[Any]:
        """Decide about texts: by the thresholds that were chosen, or by what is most probable.

        Parameters
        ----------
        X : iterable of str
            Texts.

        Returns
        -------
        ndarray
            A class each, or an indicator matrix. What is left to a person gets what is most probable; see :meth:`needs_review`.
        """
        probabilities, given, review = self._scored(X)
        if self._known.labels.is_multi_label:
            return np.where(review[:, None], probabilities >= 0.5, given).astype(np.int64)
        decided = np.where(review, probabilities.argmax(axis=1), given.argmax(axis=1))
        classes: NDArray[Any] = self.classes_[decided]
        return classes

    def predict_proba(self, X: Iterable[Any]) -> NDArray[np.float64]:
        """Probabilities of the classes.

        Parameters
        ----------
        X : iterable of str
            Texts.

        Returns
        -------
        ndarray of shape (texts, classes)
            Columns in the order of ``classes_``. Rows sum to 1, unless the labels are independent.
        """
        return self._scored(X)[0]

    def decision_function(self, X: Iterable[Any]) -> NDArray[np.float64]:
        """Logarithms of the odds, less those at the threshold where one was chosen; of three or more classes, of the probabilities.

        Parameters
        ----------
        X : iterable of str
            Texts.

        Returns
        -------
        ndarray of shape (texts,) or (texts, classes)
            Of two classes, those of ``classes_[1]``.
        """
        probabilities = _positive(self.predict_proba(X))
        labels = self._known.labels
        is_binary = not labels.is_multi_label and len(labels.names) == 2
        if not (labels.is_multi_label or is_binary):
            return np.log(probabilities)
        against = probabilities[:, ::-1] if is_binary else _positive(1.0 - probabilities)
        odds = np.log(probabilities) - np.log(against)
        thresholds = np.array(self._native.thresholds if self._native is not None else [])
        if len(thresholds) == len(labels.names):
            at = np.clip(labels.by_class(thresholds[None, :]), 1e-12, 1 - 1e-12)
            odds = odds - np.log(at) + np.log1p(-at)
        return odds[:, 1] if is_binary else odds

    def needs_review(self, X: Iterable[Any]) -> NDArray[np.bool_]:
        """Whether each text is left to a person, where ``review`` asked for that.

        Parameters
        ----------
        X : iterable of str
            Texts.

        Returns
        -------
        ndarray of bool
        """
        return self._scored(X)[2]

    def predict_records(self, X: Iterable[Any], *, explain: bool = False) -> list[dict[str, Any]]:
        """Predictions as ``lincah predict`` writes them, by the labels' names.

        Parameters
        ----------
        X : iterable of str
            Texts.
        explain : bool, default=False
            Whether to say which words did it, which takes some 10 to 150 times as long.

        Returns
        -------
        list of dict
            ``label`` or ``labels``, ``scores``, ``decision``, ``review``, ``truncated_characters``, and ``reasons``.
        """
        found: list[dict[str, Any]] = json.loads(self._fitted().predict_records(_data.texts(X), explain))
        return found

    def predict_file(
        self,
        source: str | PathLike[str],
        destination: str | PathLike[str],
        *,
        text: str | Sequence[str] | None = None,
        keep: str | Sequence[str] = (),
        explain: bool = False,
    ) -> int:
        """Score a file of any length, as ``lincah predict`` does; the predictions' file appears when it is whole.

        Parameters
        ----------
        source : str or path
            Parquet, JSON lines, CSV, TSV or plain text.
        destination : str or path
            A file whose name says its form: ``.parquet``, ``.jsonl``, ``.csv`` or ``.tsv``.
        text : str or list of str, optional
            The column with the texts, or the columns that make one; those of the training where the command trained.
        keep : str or list of str, optional
            Columns that are written before the predictions; ``"all"`` for all.
        explain : bool, default=False
            Whether to say which words did it.

        Returns
        -------
        int
            How many rows were written. Those without a text have no prediction, but say why.
        """
        if os.path.exists(destination) and os.path.samefile(source, destination):
            raise LincahError(f"{fspath(source)} would be overwritten by its predictions: choose another destination")
        options = {"text": _data.strings(text), "keep": _data.strings(keep), "explain": explain}
        rows, _ = self._fitted().predict_file(source, destination, options)
        return rows

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "classes_")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.one_d_array = True
        tags.input_tags.string = True
        tags.target_tags.multi_output = False
        tags.classifier_tags.multi_label = True
        return tags

    def __getstate__(self) -> dict[str, Any]:
        state: dict[str, Any] = super().__getstate__()
        if state.get("_native") is not None:
            state = state | {"_native": None, "_folder": self._bytes()}
        return state | {"_remembered": None} if "_remembered" in state else state


def _positive(probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    """Probabilities that have a logarithm."""
    return np.clip(probabilities, np.finfo(np.float64).tiny, 1.0)
