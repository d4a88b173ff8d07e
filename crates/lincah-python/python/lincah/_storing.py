"""Classifiers in folders: lincah's own, and those of others."""

from __future__ import annotations

import json
import tempfile
import warnings
from collections.abc import Sequence
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from ._labels import Labels
from ._remembered import Known
from .lincah_native import Classifier, LincahError

# Beside the classifier's own files: what only Python knows.
_FILE = "estimator.json"
# What says nothing of the classifier, or cannot be written.
_NOT_STORED = ("callback", "verbose", "out", "resume")

_Stored = TypeVar("_Stored", bound="Storing")


class Storing:
    """Methods of ``AgileClassifier`` that write and read folders."""

    if TYPE_CHECKING:
        _native: Classifier | None
        _folder: dict[str, bytes] | None
        _known: Known

        def __init__(self, **parameters: Any) -> None: ...
        def _fitted(self) -> Classifier: ...
        def _options(self) -> dict[str, Any]: ...
        def _take(self, native: Classifier | None, known: Known) -> None: ...
        def get_params(self, deep: bool = True) -> dict[str, Any]: ...

    def save(self, folder: str | PathLike[str]) -> None:
        """Write the classifier folder, which the command reads, too.

        Parameters
        ----------
        folder : str or path
            The folder, which is made where it is not there.
        """
        self._fitted().save(folder)
        labels, told_apart = self._known.labels, self._known.told_apart
        # A class without a row so far is none of the folder's.
        kept = [place for place in range(len(labels.classes)) if told_apart is None or labels.place[place] in told_apart]
        parameters = {name: value for name, value in self.get_params(deep=False).items() if name not in _NOT_STORED}
        described = {
            "classes": labels.classes[kept].tolist(),
            "dtype": labels.classes.dtype.str,
            "names": [labels.names[labels.place[place]] for place in kept],
            "parameters": {name: value for name, value in parameters.items() if _is_json(value)},
        }
        if not _is_json(described["classes"]):
            warnings.warn("the classes are no strings, numbers or booleans: a loaded classifier has their names", stacklevel=2)
            del described["classes"]
        Path(folder, _FILE).write_text(json.dumps(described, indent=2) + "\n", encoding="utf-8")

    @classmethod
    def load(
        cls: type[_Stored],
        folder: str | PathLike[str],
        *,
        model: str | None = None,
        device: str = "auto",
        precision: str | None = None,
        threads: int | None = None,
    ) -> _Stored:
        """Read a classifier folder that :meth:`save` or the command wrote.

        Parameters
        ----------
        folder : str or path
            The folder.
        model : str, optional
            Base model, if it is not where it was in training.
        device, precision, threads
            As the parameters of the same names.

        Returns
        -------
        AgileClassifier
            The classifier, fitted.
        """
        computing = {"device": device, "precision": precision, "threads": threads}
        native = Classifier.load(folder, {"model": model, **computing})
        place = Path(folder, _FILE)
        described: dict[str, Any] = json.loads(place.read_text(encoding="utf-8")) if place.is_file() else {}
        found = cls(**{**described.get("parameters", {}), **computing})
        found._take(native, Known(_labels(native, described)))
        return found

    def push_to_hub(
        self, repository: str, *, revision: str | None = None, private: bool | None = None, token: str | bool | None = None
    ) -> str:
        """Upload the classifier folder to the Hugging Face Hub, or to whatever ``HF_ENDPOINT`` names.

        The base model is not among its files, nor is any text. What else is in the repository stays.

        Parameters
        ----------
        repository : str
            ``"owner/name"``; it is made if it is not there.
        revision : str, optional
            Branch; ``main`` by default.
        private : bool, optional
            Whether a repository that is made is private; by default as its owner chose.
        token : str or bool, optional
            By default that of ``hf auth login``.

        Returns
        -------
        str
            Where the commit can be seen.
        """
        hub = _hub()
        api = hub.HfApi(token=token)
        with tempfile.TemporaryDirectory() as folder:
            self.save(folder)
            api.create_repo(repository, private=private, exist_ok=True)
            commit = api.upload_folder(
                repo_id=repository, folder_path=folder, revision=revision, commit_message="Upload a classifier of lincah"
            )
        return str(commit.commit_url)

    @classmethod
    def from_hub(
        cls: type[_Stored], repository: str, *, revision: str | None = None, token: str | bool | None = None, **options: Any
    ) -> _Stored:
        """Download a classifier that :meth:`push_to_hub` uploaded, and read it.

        Parameters
        ----------
        repository : str
            ``"owner/name"``.
        revision : str, optional
            Branch, tag or commit; ``main`` by default.
        token : str or bool, optional
            By default that of ``hf auth login``.
        **options
            As those of :meth:`load`.

        Returns
        -------
        AgileClassifier
            The classifier, fitted.
        """
        return cls.load(_hub().snapshot_download(repository, revision=revision, token=token), **options)

    @classmethod
    def from_peft(
        cls: type[_Stored],
        folder: str | PathLike[str],
        *,
        labels: Sequence[str] | None = None,
        independent: bool = False,
        model: str | None = None,
        **parameters: Any,
    ) -> _Stored:
        """Make a classifier of a PEFT adapter (LoRA, CAUSAL_LM).

        Parameters
        ----------
        folder : str or path
            Folder with ``adapter_config.json`` and ``adapter_model.safetensors``.
        labels : list of str, optional
            What it was trained to answer, unless lincah exported it; the last is the positive class.
        independent : bool, default=False
            Whether any number of the labels may hold together.
        model : str, optional
            Base model; as the adapter names it by default.
        **parameters
            How it is asked, and where to compute: parameters of the classifier.

        Returns
        -------
        AgileClassifier
            The classifier, fitted.
        """
        found = cls(model=model, **parameters)
        options = found._options() | {"labels": None if labels is None else list(labels), "independent": independent}
        native = Classifier.from_peft(folder, options)
        found._take(native, Known(_labels(native, {})))
        return found

    @classmethod
    def zero_shot(
        cls: type[_Stored], labels: Sequence[str], *, independent: bool = False, model: str | None = None, **parameters: Any
    ) -> _Stored:
        """Ask a model as it is, without any training.

        Parameters
        ----------
        labels : list of str
            What it may answer; the last is the positive class.
        independent : bool, default=False
            Whether any number of the labels may hold together.
        model : str, optional
            A decoder; ``smollm2-135m`` by default.
        **parameters
            How it is asked, and where to compute: parameters of the classifier.

        Returns
        -------
        AgileClassifier
            The classifier, fitted; it cannot be saved or pickled.
        """
        found = cls(model=model, **parameters)
        native = Classifier.zero_shot(found._options() | {"labels": list(labels), "independent": independent})
        found._take(native, Known(_labels(native, {})))
        return found

    def export(
        self,
        to: str,
        folder: str | PathLike[str],
        *,
        dtype: str | None = None,
        base_model: str | None = None,
    ) -> list[str]:
        """Write the classifier in the files of PEFT, transformers, llama.cpp or mlx-lm.

        Parameters
        ----------
        to : {"peft", "merged", "sequence-classification", "gguf-lora", "gguf", "mlx"}
            The form.
        folder : str or path
            An empty or absent folder.
        dtype : {"f32", "f16", "bf16"}, optional
            Numbers of merged weights and of a copied base model.
        base_model : str, optional
            Model by which PEFT and mlx-lm are to find the base, in place of a copy.

        Returns
        -------
        list of str
            The folders written, one for each decoder.
        """
        folders, notes = self._fitted().export(folder, {"to": to, "dtype": dtype, "base_model": base_model})
        for note in notes:
            warnings.warn(note, stacklevel=2)
        return [fspath(written) for written in folders]

    def _bytes(self) -> dict[str, bytes]:
        """The files of the classifier folder."""
        with tempfile.TemporaryDirectory() as folder:
            self._fitted().save(folder)
            files = [path for path in sorted(Path(folder).rglob("*")) if path.is_file()]
            return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def _hub() -> Any:
    try:
        import huggingface_hub
    except ImportError:
        raise LincahError("huggingface_hub is not installed: pip install 'lincah[hub]'") from None
    return huggingface_hub


def _labels(native: Classifier, described: dict[str, Any]) -> Labels:
    """The labels of a stored classifier; without a description the classes are their names."""
    names, count = native.labels, len(native.labels)
    if native.is_multi_label:
        return Labels(np.array(names), names, np.arange(count), True)
    if "classes" in described:
        if sorted(described["names"]) != sorted(names):
            raise LincahError(f"{_FILE} is of other labels than the classifier; delete it to use the labels' names")
        classes = np.array(described["classes"], dtype=described["dtype"])
        return Labels(classes, names, np.array([names.index(name) for name in described["names"]]), False)
    classes = np.array(sorted(names))
    return Labels(classes, names, np.array([names.index(name) for name in classes.tolist()]), False)


def _is_json(value: Any) -> bool:
    try:
        json.dumps(value)
    except (TypeError, ValueError):
        return False
    return True
