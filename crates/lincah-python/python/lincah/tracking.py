"""Trackers of trainings: what a classifier's ``callback`` may be.

Each hears of every event of a training, and logs its figures: losses, learning rate, speed, and what the validation rows say. Where a
training has several parts, their figures have names of their own, such as ``fold-2/member-1/training/loss``.
"""

from __future__ import annotations

from os import PathLike, fspath
from typing import Any

from .lincah_native import EventFiles

__all__ = ["MLflow", "TensorBoard", "WeightsAndBiases"]


class TensorBoard:
    """Writes event files, as ``lincah train --log-to tensorboard`` does; TensorBoard itself need not be installed.

    Parameters
    ----------
    folder : str or path
        Where to write; a training of several parts has a folder for each.
    """

    def __init__(self, folder: str | PathLike[str]) -> None:
        self.folder = fspath(folder)
        self._files: EventFiles | None = None

    def __call__(self, event: dict[str, Any]) -> None:
        """Hear of an event."""
        if "metrics" in event:
            self._files = self._files or EventFiles(self.folder)
            self._files.write(event["run"], event["step"], event["metrics"])

    def __getstate__(self) -> dict[str, Any]:
        return {"folder": self.folder, "_files": None}


class MLflow:
    """Logs to MLflow.

    Parameters
    ----------
    run_id : str, optional
        The run; by default the one that is active, which begins if there is none.
    """

    def __init__(self, run_id: str | None = None) -> None:
        self.run_id = run_id

    def __call__(self, event: dict[str, Any]) -> None:
        """Hear of an event."""
        if metrics := _named(event):
            import mlflow

            mlflow.log_metrics(metrics, step=event["step"], run_id=self.run_id)


class WeightsAndBiases:
    """Logs to Weights & Biases, or to its folder where ``WANDB_MODE`` is ``offline``.

    Parameters
    ----------
    run : wandb.Run, optional
        The run; by default the one that is active.
    """

    def __init__(self, run: Any = None) -> None:
        self.run = run

    def __call__(self, event: dict[str, Any]) -> None:
        """Hear of an event."""
        if "metrics" not in event:
            return
        import wandb

        run: Any = self.run or wandb.run or wandb.init()
        step = _prefix(event) + "step"
        if metrics := _named(event):
            run.log(metrics | {step: event["step"]})
        else:
            # Steps of the parts of a training all begin at 1, and wandb's own only go up.
            for kind in ("training", "validation"):
                run.define_metric(f"{_prefix(event)}{kind}/*", step_metric=step)


def _prefix(event: dict[str, Any]) -> str:
    return f"{event['run']}/" if event["run"] else ""


def _named(event: dict[str, Any]) -> dict[str, float]:
    """The figures of an event by their full names."""
    return {_prefix(event) + name: value for name, value in event.get("metrics", {}).items()}
