"""Work that is done file by file, each once, by whichever worker comes to it; engines only hand it out."""

from __future__ import annotations

import glob
import json
import os
import pickle
from collections.abc import Callable, Iterable, Mapping, Sequence
from os import PathLike, fspath
from pathlib import Path
from typing import Any, Protocol

from .lincah_native import LincahError, write_file

FORMATS = ("parquet", "jsonl", "csv", "tsv")


class Work(Protocol):
    """What makes a destination of a source; the destination appears when it is whole."""

    def __call__(self, source: str, destination: str) -> int: ...


def tasks(inputs: str | PathLike[str] | Iterable[str | PathLike[str]], output: str | PathLike[str], format: str) -> list[dict[str, Any]]:
    """Every input file with the place of its predictions, in the order of the names."""
    if format not in FORMATS:
        raise LincahError(f"format is {format!r}, but must be one of {', '.join(FORMATS)}")
    folder = Path(output)
    folder.mkdir(parents=True, exist_ok=True)
    found: dict[str, str] = {}
    for source in _files(inputs):
        destination = fspath(folder.absolute() / f"{Path(source).name.split('.')[0]}.{format}")
        if destination in found:
            raise LincahError(f"{found[destination]} and {source} would both be written to {destination}: score them into two folders")
        if os.path.exists(destination) and os.path.samefile(source, destination):
            raise LincahError(f"{source} lies in the output's folder, and would be overwritten: choose another one")
        found[destination] = source
    return [{"source": source, "destination": destination} for destination, source in found.items()]


def _files(inputs: str | PathLike[str] | Iterable[str | PathLike[str]]) -> list[str]:
    if not isinstance(inputs, (str, PathLike)):
        paths = [fspath(path) for path in inputs]
    elif os.path.isdir(inputs):
        # Other programs' marks and temporaries begin so.
        paths = [fspath(path) for path in Path(inputs).iterdir() if path.is_file() and not path.name.startswith((".", "_"))]
    else:
        paths = glob.glob(fspath(inputs))
    if not paths:
        raise LincahError(f"there are no files in {inputs}: give a folder, a pattern such as 'texts/*.parquet', or a list of files")
    missing = [path for path in paths if not os.path.isfile(path)]
    if missing:
        raise LincahError(f"{missing[0]} is no file")
    return sorted(os.path.abspath(path) for path in paths)


def run(tasks: list[dict[str, Any]], engine: Callable[[list[dict[str, Any]]], Iterable[Mapping[str, Any]]]) -> list[dict[str, Any]]:
    """Hand the tasks that are not done to an engine; what became of all of them, in their order."""
    left = [task for task in tasks if not os.path.isfile(task["destination"])]
    rows = {row["destination"]: row["rows"] for row in (engine(left) if left else [])}
    return [task | {"rows": rows.get(task["destination"], -1)} for task in tasks]


def finish(task: Mapping[str, Any], work: Work) -> dict[str, Any]:
    """Do a task unless it is done. A worker that dies leaves its task undone; one that is asked again finds it done."""
    source, destination = task["source"], task["destination"]
    rows = -1 if os.path.isfile(destination) else work(source, destination)
    return {"source": source, "destination": destination, "rows": rows}


class Scoring:
    """Scores files by a classifier that is read when the first one comes."""

    def __init__(self, classifier: Any, text: str | Sequence[str] | None, keep: str | Sequence[str], threads: int) -> None:
        self._pickled = pickle.dumps(classifier)
        self._options = {"text": text, "keep": keep}
        self._threads = threads
        self._classifier: Any = None

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_classifier": None}

    def __call__(self, source: str, destination: str) -> int:
        if self._classifier is None:
            self._classifier = pickle.loads(self._pickled).set_params(threads=self._threads)
        rows: int = self._classifier.predict_file(source, destination, **self._options)
        return rows


class Trial:
    """Trains a classifier with the parameters that a source holds, and judges it."""

    def __init__(self, classifier: Any, rows: tuple[Any, Any], held_out: tuple[Any, Any], threads: int) -> None:
        self._classifier, self._rows, self._held_out, self._threads = classifier, rows, held_out, threads

    def __call__(self, source: str, destination: str) -> int:
        from sklearn.base import clone

        parameters = json.loads(source)
        classifier = clone(self._classifier).set_params(threads=self._threads, **parameters)
        found = classifier.fit(*self._rows).evaluate(*self._held_out)
        write_file(destination, json.dumps({"parameters": parameters, "evaluation": found}, indent=2).encode())
        return len(self._held_out[0])
