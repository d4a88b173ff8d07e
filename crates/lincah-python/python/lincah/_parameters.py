"""The estimator's parameters, as scikit-learn wants them: explicit, and stored as they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike, fspath
from typing import TYPE_CHECKING, Any

from . import _data
from ._labels import Names
from ._progress import Callback


class Parameters:
    """What ``AgileClassifier`` documents."""

    if TYPE_CHECKING:

        def get_params(self, deep: bool = True) -> dict[str, Any]: ...

    def __init__(
        self,
        *,
        model: str | Sequence[str] | None = None,
        preset: str = "default",
        labels: Names = None,
        epochs: int | None = None,
        learning_rate: float | None = None,
        batch_size: int | None = None,
        gradient_accumulation: int | None = None,
        rank: int | None = None,
        alpha: float | None = None,
        rank_stabilized: bool = False,
        dropout: float | None = None,
        targets: str | Sequence[str] | None = None,
        layers: Sequence[int] | None = None,
        lora_layout: str | None = None,
        schedule: str | None = None,
        warmup: float | None = None,
        loss: str | None = None,
        class_weights: str | None = None,
        augment: str = "none",
        weight_decay: float | None = None,
        adam_epsilon: float | None = None,
        clip_norm: float | None = None,
        validation: float | None = None,
        patience: int | None = None,
        members: int | None = None,
        max_tokens: int | None = None,
        long_texts: str = "first",
        instruction: str | None = None,
        separator: str | None = None,
        no_bos: bool = False,
        keep_whitespace: bool = False,
        deobfuscate: bool = False,
        label_scheme: str | None = None,
        label_descriptions: Mapping[str, str] | None = None,
        calibrate_on: str | None = None,
        oof_folds: int = 5,
        target: str | Sequence[str] | None = None,
        threshold: float | Mapping[str, float] | None = None,
        review: float | str | None = None,
        calibration: str = "best",
        device: str = "auto",
        precision: str | None = None,
        recompute: bool = False,
        threads: int | None = None,
        seed: int | None = None,
        init: str | PathLike[str] | None = None,
        out: str | PathLike[str] | None = None,
        resume: bool = False,
        verbose: bool = False,
        callback: Callback | Sequence[Callback] | None = None,
    ) -> None:
        self.model = model
        self.preset = preset
        self.labels = labels
        self.epochs = epochs
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.gradient_accumulation = gradient_accumulation
        self.rank = rank
        self.alpha = alpha
        self.rank_stabilized = rank_stabilized
        self.dropout = dropout
        self.targets = targets
        self.layers = layers
        self.lora_layout = lora_layout
        self.schedule = schedule
        self.warmup = warmup
        self.loss = loss
        self.class_weights = class_weights
        self.augment = augment
        self.weight_decay = weight_decay
        self.adam_epsilon = adam_epsilon
        self.clip_norm = clip_norm
        self.validation = validation
        self.patience = patience
        self.members = members
        self.max_tokens = max_tokens
        self.long_texts = long_texts
        self.instruction = instruction
        self.separator = separator
        self.no_bos = no_bos
        self.keep_whitespace = keep_whitespace
        self.deobfuscate = deobfuscate
        self.label_scheme = label_scheme
        self.label_descriptions = label_descriptions
        self.calibrate_on = calibrate_on
        self.oof_folds = oof_folds
        self.target = target
        self.threshold = threshold
        self.review = review
        self.calibration = calibration
        self.device = device
        self.precision = precision
        self.recompute = recompute
        self.threads = threads
        self.seed = seed
        self.init = init
        self.out = out
        self.resume = resume
        self.verbose = verbose
        self.callback = callback

    def _options(self) -> dict[str, Any]:
        """The parameters in the form that the compiled part takes."""
        options: dict[str, Any] = self.get_params(deep=False)
        del options["labels"], options["verbose"], options["callback"]
        for name in ("init", "out"):
            if options[name] is not None:
                options[name] = fspath(options[name])
        for name in ("model", "targets", "layers", "target"):
            options[name] = _data.strings(options[name])
        for name in ("label_descriptions", "threshold"):
            if isinstance(options[name], Mapping):
                options[name] = dict(options[name])
        return options
