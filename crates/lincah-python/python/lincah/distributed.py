"""Many files, and many trainings, on engines that people already run: Ray and Spark.

Each file is scored once: its predictions are a file of the same name, which appears when it is whole. Files that have theirs are left
alone, so that a run which was interrupted is gone on with by the same call. A worker that dies loses the files it was at, and the engine
hands them to another one.

All workers must see the same file system, have lincah, and have the classifier's base models (``lincah pull``).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import _file_by_file
from ._file_by_file import Scoring, Trial, Work
from .lincah_native import LincahError

if TYPE_CHECKING:
    from ._estimator import AgileClassifier

__all__ = ["predict_with_ray", "predict_with_spark", "sweep_with_ray"]


def predict_with_ray(
    classifier: AgileClassifier,
    inputs: str | PathLike[str] | Iterable[str | PathLike[str]],
    output: str | PathLike[str],
    *,
    text: str | Sequence[str] | None = None,
    keep: str | Sequence[str] = (),
    format: str = "parquet",
    workers: int = 2,
    threads: int = 1,
) -> list[dict[str, Any]]:
    """Score files by Ray Data: `workers` actors have a classifier each, and take file after file.

    Parameters
    ----------
    classifier : AgileClassifier
        A fitted classifier.
    inputs : str, path or list of them
        A folder, a pattern or files: Parquet, JSON lines, CSV or TSV.
    output : str or path
        Folder of the predictions.
    text : str or list of str, optional
        The column with the texts, or the columns that make one; those of the training where the command trained.
    keep : str or list of str, optional
        Columns that are written before the predictions; ``"all"`` for all.
    format : {"parquet", "jsonl", "csv", "tsv"}, default="parquet"
        Form of the predictions.
    workers : int, default=2
        Actors.
    threads : int, default=1
        Processor cores of each.

    Returns
    -------
    list of dict
        ``source``, ``destination`` and ``rows`` of each file; -1 rows of one that was there already.
    """
    tasks = _file_by_file.tasks(inputs, output, format)
    return _on_ray(Scoring(classifier, text, keep, threads), tasks, workers, threads)


def predict_with_spark(
    classifier: AgileClassifier,
    inputs: str | PathLike[str] | Iterable[str | PathLike[str]],
    output: str | PathLike[str],
    *,
    session: Any = None,
    text: str | Sequence[str] | None = None,
    keep: str | Sequence[str] = (),
    format: str = "parquet",
    threads: int = 1,
) -> list[dict[str, Any]]:
    """Score files by Spark: each file is a task, and each of Spark's Python processes has a classifier.

    Parameters
    ----------
    classifier : AgileClassifier
        A fitted classifier.
    inputs : str, path or list of them
        A folder, a pattern or files: Parquet, JSON lines, CSV or TSV.
    output : str or path
        Folder of the predictions.
    session : SparkSession, optional
        By default the one that is active.
    text : str or list of str, optional
        The column with the texts, or the columns that make one; those of the training where the command trained.
    keep : str or list of str, optional
        Columns that are written before the predictions; ``"all"`` for all.
    format : {"parquet", "jsonl", "csv", "tsv"}, default="parquet"
        Form of the predictions.
    threads : int, default=1
        Threads of each process; Spark's ``spark.task.cpus`` should say the same.

    Returns
    -------
    list of dict
        ``source``, ``destination`` and ``rows`` of each file; -1 rows of one that was there already.
    """
    try:
        from pyspark.sql import SparkSession
    except ImportError:
        raise LincahError("Spark is not installed: pip install 'lincah[spark]'") from None
    session = session or SparkSession.getActiveSession()
    if session is None:
        raise LincahError("there is no active SparkSession: make one, or give session")
    tasks = _file_by_file.tasks(inputs, output, format)
    work = Scoring(classifier, text, keep, threads)
    key = hashlib.sha256(repr(sorted(work.__getstate__().items())).encode()).hexdigest()

    def finish(batches: Iterator[Any]) -> Iterator[Any]:
        import pyarrow

        for batch in batches:
            finished = [_file_by_file.finish(task, _in_this_process(key, work)) for task in batch.to_pylist()]
            yield pyarrow.RecordBatch.from_pylist(finished)

    def on_spark(tasks: list[dict[str, Any]]) -> list[dict[str, Any]]:
        frame = session.createDataFrame([tuple(task.values()) for task in tasks], "source string, destination string")
        # From one partition the files go round, one to each; from several some would get two.
        spread = frame.coalesce(1).repartition(len(tasks))
        return [row.asDict() for row in spread.mapInArrow(finish, "source string, destination string, rows long").collect()]

    return _file_by_file.run(tasks, on_spark)


def sweep_with_ray(
    classifier: AgileClassifier,
    grid: Mapping[str, Sequence[Any]],
    X: Sequence[str],
    y: Sequence[Any],
    held_out: Sequence[str],
    truth: Sequence[Any],
    folder: str | PathLike[str],
    *,
    workers: int = 2,
    threads: int = 1,
) -> list[dict[str, Any]]:
    """Train with every combination of parameters by Ray, and judge each on rows kept apart.

    Parameters
    ----------
    classifier : AgileClassifier
        What is trained; ``grid`` changes its parameters.
    grid : dict of lists
        Values of each parameter, as in scikit-learn's ``ParameterGrid``.
    X, y : sequence
        Training texts and their labels.
    held_out, truth : sequence
        Texts that nothing is trained on, and their labels.
    folder : str or path
        A file for each combination; those that are there are not done again. One folder is for one set of rows.
    workers : int, default=2
        Trainings at a time.
    threads : int, default=1
        Processor cores of each.

    Returns
    -------
    list of dict
        ``parameters`` and ``evaluation`` of each, in the grid's order.
    """
    from sklearn.model_selection import ParameterGrid

    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    settings = [json.dumps(parameters, sort_keys=True) for parameters in ParameterGrid(dict(grid))]
    tasks = [
        {"source": setting, "destination": fspath(place.absolute() / f"{hashlib.sha256(setting.encode()).hexdigest()[:16]}.json")}
        for setting in settings
    ]
    _on_ray(Trial(classifier, (list(X), list(y)), (list(held_out), list(truth)), threads), tasks, workers, threads)
    return [json.loads(Path(task["destination"]).read_text(encoding="utf-8")) for task in tasks]


def _on_ray(work: Work, tasks: list[dict[str, Any]], workers: int, threads: int) -> list[dict[str, Any]]:
    try:
        import ray.data
    except ImportError:
        raise LincahError("Ray is not installed: pip install 'lincah[ray]'") from None

    def on_ray(tasks: list[dict[str, Any]]) -> list[dict[str, Any]]:
        # A block for each task, so that a worker that has finished one takes the next.
        finished = ray.data.from_items(tasks, override_num_blocks=len(tasks)).map_batches(
            _RayWorker,
            fn_constructor_args=(work,),
            batch_size=1,
            batch_format="pyarrow",
            num_cpus=threads,
            compute=ray.data.ActorPoolStrategy(size=min(workers, len(tasks))),
        )
        return list(finished.take_all())

    return _file_by_file.run(tasks, on_ray)


class _RayWorker:
    def __init__(self, work: Work) -> None:
        self._work = work

    def __call__(self, batch: Any) -> Any:
        import pyarrow

        return pyarrow.Table.from_pylist([_file_by_file.finish(task, self._work) for task in batch.to_pylist()])


# Spark's processes do task after task, and get what they do anew for each.
_KEPT: dict[str, Work] = {}


def _in_this_process(key: str, work: Work) -> Work:
    if key not in _KEPT:
        _KEPT.clear()
        _KEPT[key] = work
    return _KEPT[key]
