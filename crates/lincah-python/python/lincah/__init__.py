"""Agile text classifiers: a small language model, tuned with LoRA on a few hundred labelled texts.

`AgileClassifier` is a scikit-learn estimator whose inputs are texts. Nothing heavy is imported before it is used.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._estimator import AgileClassifier as AgileClassifier
    from ._functions import check as check
    from ._functions import compare as compare
    from ._functions import models as models
    from ._functions import pull as pull
    from ._results import Report as Report
    from ._results import Result as Result
    from .lincah_native import LincahError as LincahError
    from .lincah_native import close_models as close_models

    __version__: str

_HOMES = {
    "AgileClassifier": "_estimator",
    "LincahError": "lincah_native",
    "Report": "_results",
    "Result": "_results",
    "check": "_functions",
    "close_models": "lincah_native",
    "compare": "_functions",
    "models": "_functions",
    "pull": "_functions",
}

__all__ = [
    "AgileClassifier",
    "LincahError",
    "Report",
    "Result",
    "check",
    "close_models",
    "compare",
    "models",
    "pull",
]


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name == "__version__":
        from importlib.metadata import version

        return version("lincah")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_HOMES[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
