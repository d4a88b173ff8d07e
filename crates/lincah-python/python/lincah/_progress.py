"""What is happening, in a terminal or a notebook."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

Callback = Callable[[dict[str, Any]], object]

# Seconds between two looks: a line that changes more often is not read, and a log of lines should not be long.
_ON_SCREEN = 0.2
_IN_LOG = 10.0


def listener(verbose: Any, callback: Callback | Sequence[Callback] | None) -> Callable[[str], None] | None:
    """Whoever hears of events: a line that shows them, callbacks, both or nobody."""
    listeners: list[Callback] = [_Line()] if verbose else []
    if callable(callback):
        listeners.append(callback)
    elif callback is not None:
        listeners += callback
    if not listeners:
        return None

    def heard(event: str) -> None:
        described = json.loads(event)
        for listener in listeners:
            listener(described)

    return heard


def _in_notebook() -> bool:
    shell = sys.modules.get("IPython")
    return shell is not None and type(shell.get_ipython()).__name__ == "ZMQInteractiveShell"


class _Line:
    """One line that changes while steps go by, and lines that stay."""

    def __init__(self) -> None:
        self._notebook = _in_notebook()
        self._display: Any = None
        self._shown = 0.0
        self._terminal = self._notebook or sys.stderr.isatty()

    def __call__(self, event: dict[str, Any]) -> None:
        text, passes = _words(event)
        if text is None:
            return
        now = time.monotonic()
        if passes and now - self._shown < (_ON_SCREEN if self._terminal else _IN_LOG):
            return
        self._shown = now if passes else 0.0
        if self._notebook:
            self._in_notebook(text, passes)
        elif self._terminal:
            sys.stderr.write(f"\r\x1b[K{text}" + ("" if passes else "\n"))
        else:
            sys.stderr.write(text + "\n")
        sys.stderr.flush()

    def _in_notebook(self, text: str, passes: bool) -> None:
        from IPython import display

        show: Any = display.display

        class Text:
            def __repr__(self) -> str:
                return text

        if self._display is None:
            self._display = show(Text(), display_id=True)
        else:
            self._display.update(Text())
        if not passes:
            self._display = None


def _seconds(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 120 else f"{seconds:.0f} s"


def _words(event: dict[str, Any]) -> tuple[str | None, bool]:
    """An event in words, and whether the next one takes its place."""
    fold = f"fold {event['fold']}: " if "fold" in event else ""
    kind = event["event"]
    if kind == "step":
        words = f"step {event['step']}, epoch {event['epoch']}, loss {event['loss']:.3f}, {_seconds(event['seconds_left'])} left"
        return fold + words, True
    if kind == "start":
        return f"{fold}{event['rows']} rows, {event['steps']} steps", False
    if kind == "validation":
        return f"{fold}epoch {event['epoch']}: validation loss {event['loss']:.3f}, F1 {event['f1']:.3f}", False
    if kind == "member":
        return f"{fold}member {event['member']} of {event['members']}: {', '.join(event['models'])}", False
    if kind == "reading":
        return f"{fold}{', '.join(event['models'])} read {event['texts']} texts", True
    if kind == "fitted":
        return f"{fold}fitted on {event['model']}, weight {event['weight']:.2f}", False
    if kind == "end":
        return f"{fold}trained in {_seconds(event['seconds'])}", False
    if kind == "progress":
        total = f" of {event['total'] / 1e6:.0f}" if event["total"] else ""
        return f"{event['done'] / 1e6:.0f}{total} MB", True
    if kind in ("waiting", "started", "source_failed", "done"):
        place = event.get("source") or event.get("path") or ""
        reason = f": {event['reason']}" if "reason" in event else ""
        return f"{kind.replace('_', ' ')} {place}{reason}".strip(), False
    return None, True
