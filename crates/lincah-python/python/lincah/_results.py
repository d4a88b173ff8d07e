"""What is found out about classifiers and data, as it shows in a terminal and in a notebook."""

from __future__ import annotations

import html
import json
from os import PathLike
from pathlib import Path
from typing import Any

_HEADLINES = ("accuracy", "subset_accuracy", "f1", "macro_f1", "micro_f1", "roc_auc", "macro_roc_auc", "log_loss")


class Result(dict[str, Any]):
    """The JSON of the command's ``--json``, as a dictionary that shows its figures.

    Attributes
    ----------
    notices : list of str
        What a reader must know of the rows that the figures are of.
    """

    def __init__(self, found: str, notices: list[str] | None = None) -> None:
        super().__init__(json.loads(found))
        self.notices = notices or []

    def _figures(self) -> list[tuple[str, str]]:
        figures = []
        for key, value in self.items():
            interval = self.get("intervals", {}).get(key) if isinstance(self.get("intervals"), dict) else None
            if isinstance(value, bool) or not isinstance(value, (int, float, str)):
                continue
            shown = f"{value:.3f}" if isinstance(value, float) else str(value)
            if isinstance(interval, list) and len(interval) == 2:
                shown += f" [{interval[0]:.3f}, {interval[1]:.3f}]"
            figures.append((key.replace("_", " "), shown))
        return figures

    def __str__(self) -> str:
        figures = self._figures()
        width = max((len(name) for name, _ in figures), default=0)
        return "\n".join([*(f"{name:<{width}}  {value}" for name, value in figures), *self.notices])

    def _repr_html_(self) -> str:
        rows = "".join(f"<tr><th>{html.escape(name)}</th><td>{html.escape(value)}</td></tr>" for name, value in self._figures())
        notices = "".join(f"<p>{html.escape(notice)}</p>" for notice in self.notices)
        return f"<table>{rows}</table>{notices}"


class Report:
    """A page about a classifier, which shows in a notebook.

    Attributes
    ----------
    html : str
        The whole page, without scripts or requests to any network.
    plots : dict of str to str
        Its plots by name, as SVG.
    """

    def __init__(self, page: str, plots: list[tuple[str, str]]) -> None:
        self.html = page
        self.plots = dict(plots)

    def save(self, path: str | PathLike[str]) -> None:
        """Write the page to a file.

        Parameters
        ----------
        path : str or path
            The file, which is replaced.
        """
        Path(path).write_text(self.html, encoding="utf-8")

    def _repr_html_(self) -> str:
        # A frame of its own, so that the page's styles and the notebook's leave each other alone.
        return f'<iframe srcdoc="{html.escape(self.html)}" style="width:100%;height:40em;border:0" sandbox></iframe>'

    def __repr__(self) -> str:
        return f"Report({len(self.html)} characters, plots {', '.join(self.plots)})"
