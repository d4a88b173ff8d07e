"""Rows that come bit by bit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._data import Rows
from ._labels import Labels


@dataclass
class Known:
    """The labels that a classifier tells apart, among all that are known."""

    labels: Labels
    # Places of the classifier's labels among the names; none where all are its.
    told_apart: list[int] | None = None
    # The probabilities of the others.
    others: NDArray[np.float64] | None = None

    def spread(self, found: NDArray[Any] | None, rows: int) -> NDArray[Any]:
        """The classifier's columns as columns of all labels."""
        if self.told_apart is None or self.others is None:
            assert found is not None
            return found
        spread = np.tile(self.others, (rows, 1))
        if found is None:
            return spread
        spread = spread.astype(found.dtype)
        spread[:, self.told_apart] = found
        return spread


@dataclass
class Remembered:
    """All rows so far."""

    labels: Labels
    texts: list[str] = field(default_factory=list)
    truth: list[Any] = field(default_factory=list)
    weights: list[float] = field(default_factory=list)

    def take(self, rows: Rows) -> None:
        """Take further rows in."""
        self.texts += rows.texts
        self.truth += rows.truth
        self.weights += rows.weights or [1.0] * len(rows.texts)

    def rows(self) -> tuple[Rows | None, Known]:
        """What can be trained on, if there is anything to tell apart yet, and what it is among all labels."""
        count = len(self.labels.names)
        if self.labels.is_multi_label:
            share = np.mean(np.array(self.truth, dtype=np.float64), axis=0)
            told_apart = [label for label in range(count) if 0 < share[label] < 1]
            truth: list[Any] = [[row[label] for label in told_apart] for row in self.truth]
        else:
            told_apart = sorted(set(self.truth))
            place = {label: position for position, label in enumerate(told_apart)}
            truth = [place[label] for label in self.truth]
            share = np.eye(count)[told_apart[0]] if len(told_apart) == 1 else np.zeros(count)
        if len(told_apart) == count:
            return Rows(self.texts, self.labels.names, truth, self._weights()), Known(self.labels)
        known = Known(self.labels, told_apart, np.asarray(np.round(share), dtype=np.float64))
        if len(told_apart) < 2:
            return None, known
        return Rows(self.texts, _chosen(self.labels.names, told_apart), truth, self._weights()), known

    def _weights(self) -> list[float] | None:
        return None if all(weight == 1.0 for weight in self.weights) else self.weights


def _chosen(names: Sequence[str], places: list[int]) -> list[str]:
    return [names[place] for place in places]
