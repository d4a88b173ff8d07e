"""Writes the golden models: tiny random Hugging Face models, PEFT adapters, and what transformers, peft and torch make of them.

What each file and tensor holds is in README.md. Everything is computed in float64 and stored as float32.
Usage: python tools/golden/models.py [FAMILY ...]
"""

import copy
import json
import os
import sys
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import save_file
from torch.nn.functional import cross_entropy
from torch.overrides import TorchFunctionMode
from transformers import AutoModelForCausalLM
from transformers.utils.logging import disable_progress_bar, set_verbosity_error

from families import FAMILIES, Family

OUTPUT = Path(__file__).resolve().parents[2] / "crates/lincah-model/tests/golden"
LENGTHS = [9, 14, 11]
PREFIX_LENGTH = 4
LABEL_TOKENS = [7, 19]
TARGETS = [7, 19, 19]
STEPS = 10
LOSSES = ["label", "restricted", "all_tokens"]
MAX_BYTES = 3_500_000


class StayInFloat64(TorchFunctionMode):
    """Undoes the casts to float32 that transformers has in its norms, softmax and RoPE, so that float64 is float64 throughout."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        def widen(value):
            return torch.float64 if value is torch.float32 else value

        if function is torch.Tensor.float:
            function = torch.Tensor.double
        return function(*map(widen, args), **{key: widen(value) for key, value in (kwargs or {}).items()})


def precision(model: torch.nn.Module) -> AbstractContextManager:
    return StayInFloat64() if next(model.parameters()).dtype == torch.float64 else nullcontext()


def random_weights(model: torch.nn.Module, family: Family) -> None:
    """Weights under which attention is far from uniform, every norm and bias matters, and logits are of order 1."""
    generator = torch.Generator().manual_seed(family.seed)

    def normal(parameter: torch.Tensor, mean: float, deviation: float) -> None:
        parameter.copy_(mean + deviation * torch.randn(parameter.shape, generator=generator))

    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "norm" in name:
                normal(parameter, 0.1 if family.norm_offset else 1.1, 0.3)
            elif "embed_tokens" in name or "lm_head" in name:
                normal(parameter, 0.0, family.embedding_scale)
            elif name.endswith("bias"):
                normal(parameter, 0.0, 0.5)
            else:
                gain = family.attention_gain if any(part in name for part in ("q_proj", "k_proj", "qkv_proj")) else 1.2
                normal(parameter, 0.0, gain / parameter.shape[1] ** 0.5)


def write_model(folder: Path, family: Family) -> None:
    config = copy.deepcopy(family.config)
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    random_weights(model, family)
    model.save_pretrained(folder)
    (folder / "generation_config.json").unlink()
    write_hub_config(folder, family)

    model.name_or_path = f"tiny-{config.model_type}"  # peft writes it into adapter_config.json
    adapted = get_peft_model(model, LoraConfig(r=3, lora_alpha=6, task_type="CAUSAL_LM", **family.adapter))
    generator = torch.Generator().manual_seed(family.seed + 100)
    with torch.no_grad():
        for name, parameter in adapted.named_parameters():
            if "lora_" in name:
                deviation = 0.3 if "lora_A" in name else 0.2
                parameter.copy_(deviation * torch.randn(parameter.shape, generator=generator))
    adapted.save_pretrained(folder / "adapter", save_embedding_layers=False)
    (folder / "adapter/README.md").unlink()
    sort_target_modules(folder / "adapter/adapter_config.json")


def sort_target_modules(path: Path) -> None:
    """peft writes a Python set, in an order that changes from run to run."""
    config = json.loads(path.read_text())
    config["target_modules"] = sorted(config["target_modules"])
    path.write_text(json.dumps(config, indent=2) + "\n")


def write_hub_config(folder: Path, family: Family) -> None:
    """The same configuration as files on the Hub, written by transformers 4, spell it; proved equal by reading it back."""
    written = json.loads((folder / "config.json").read_text())
    spelled = copy.deepcopy(written)
    rope = spelled.pop("rope_parameters")
    if "full_attention" in rope:
        spelled["rope_local_base_freq"] = rope["sliding_attention"]["rope_theta"]
        rope = rope["full_attention"]
    spelled["rope_theta"] = rope.pop("rope_theta")
    spelled["rope_scaling"] = None if rope["rope_type"] == "default" else rope
    spelled["torch_dtype"] = spelled.pop("dtype")
    spelled["transformers_version"] = "4.0.0"
    spelled |= family.hub_spelling
    for key in family.hub_omits:
        del spelled[key]
    read = type(family.config).from_dict(copy.deepcopy(spelled)).to_dict()
    for key in written.keys() - {"transformers_version", "architectures"}:
        expected, found = family_value(family, key), read[key]
        assert found == expected or key == "dtype", f"{folder.name}: hub spelling gives {key} = {found}, expected {expected}"
    (folder / "config.hub.json").write_text(json.dumps(spelled, indent=2, sort_keys=True) + "\n")


def family_value(family: Family, key: str):
    return family.config.to_dict()[key]


def read_model(folder: Path, dtype: torch.dtype, changes: dict | None = None) -> PeftModel:
    """Base and adapter from the files just written; `changes` replaces entries of the configuration."""
    config = type(FAMILIES[folder.name]().config).from_pretrained(folder, **(changes or {}))
    base = AutoModelForCausalLM.from_pretrained(folder, config=config, dtype=torch.float32, attn_implementation="eager")
    return PeftModel.from_pretrained(base, folder / "adapter", is_trainable=True).to(dtype).eval()


def make_sequences(family: Family) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(family.seed + 200)
    vocabulary = family.config.vocab_size
    prefix = torch.randint(3, vocabulary, (PREFIX_LENGTH,), generator=generator)
    sequences = [
        torch.cat([prefix, torch.randint(3, vocabulary, (length - PREFIX_LENGTH,), generator=generator)]) for length in LENGTHS
    ]
    assert len({int(sequence[PREFIX_LENGTH]) for sequence in sequences}) == len(sequences), "the prefix must end at its length"
    return sequences


def forward(model: PeftModel, sequences: list[torch.Tensor]) -> list[torch.Tensor]:
    """Logits of each sequence run alone, [length, vocabulary]."""
    with precision(model):
        return [model(input_ids=sequence[None], use_cache=False).logits[0] for sequence in sequences]


def losses(logits: list[torch.Tensor], sequences: list[torch.Tensor]) -> dict[str, torch.Tensor]:
    last = torch.stack([sequence_logits[-1] for sequence_logits in logits])
    targets = torch.tensor(TARGETS)
    labels = torch.tensor([LABEL_TOKENS.index(target) for target in TARGETS])
    shifted = torch.cat([torch.cat([sequence[1:], target[None]]) for sequence, target in zip(sequences, targets)])
    return {
        "label": cross_entropy(last, targets),
        "restricted": cross_entropy(last[:, LABEL_TOKENS], labels),
        "all_tokens": cross_entropy(torch.cat(logits), shifted, reduction="sum") / sum(LENGTHS),
    }


def adapter_parameters(model: PeftModel) -> dict[str, torch.nn.Parameter]:
    """The trainable parameters under their keys in adapter_model.safetensors."""
    return {name.replace(".default", ""): p for name, p in model.named_parameters() if p.requires_grad}


def hidden_states(model: PeftModel, sequences: list[torch.Tensor]) -> dict[str, torch.Tensor]:
    """The residual stream after the embedding and each layer, and the output of the final norm, all sequences concatenated."""
    backbone = model.base_model.model.model
    seen: dict[str, list[torch.Tensor]] = {}

    def record(name: str):
        def hook(module, inputs, output):
            seen.setdefault(name, []).append((output[0] if isinstance(output, tuple) else output)[0])
        return hook

    watched = [backbone.embed_tokens, *backbone.layers, backbone.norm]
    names = [f"hidden.{i}" for i in range(len(watched) - 1)] + ["hidden.final"]
    handles = [module.register_forward_hook(record(name)) for module, name in zip(watched, names)]
    with torch.no_grad():
        forward(model, sequences)
    for handle in handles:
        handle.remove()
    states = {name: torch.cat(parts) for name, parts in seen.items()}
    # Gemma's embedding scales its rows itself; of Granite's, the model does.
    states["hidden.0"] = states["hidden.0"] * getattr(model.config, "embedding_multiplier", 1.0)
    return states


def forward_tensors(model: PeftModel, sequences: list[torch.Tensor]) -> dict[str, torch.Tensor]:
    tensors = hidden_states(model, sequences)
    with torch.no_grad():
        logits = forward(model, sequences)
        tensors["logits.all"] = torch.cat(logits)
        tensors["logits.last"] = torch.stack([sequence_logits[-1] for sequence_logits in logits])
        with model.disable_adapter():
            tensors["base.logits.last"] = torch.stack([sequence_logits[-1] for sequence_logits in forward(model, sequences)])
        for name, loss in losses(logits, sequences).items():
            tensors[f"loss.{name}"] = loss[None]
    return tensors


def gradient_tensors(model: PeftModel, sequences: list[torch.Tensor]) -> dict[str, torch.Tensor]:
    tensors = {}
    parameters = adapter_parameters(model)
    for name in LOSSES:
        loss = losses(forward(model, sequences), sequences)[name]
        for key, gradient in zip(parameters, torch.autograd.grad(loss, parameters.values())):
            tensors[f"grad.{name}.{key}"] = gradient
    return tensors


def optimizer_tensors(model: PeftModel, sequences: list[torch.Tensor]) -> dict[str, torch.Tensor]:
    """Losses before each of ten full-batch steps, and the adapter after them, from the same start for both optimizers."""
    tensors = {}
    parameters = adapter_parameters(model)
    start = {key: parameter.detach().clone() for key, parameter in parameters.items()}
    settings = {"lr": 1e-2, "betas": (0.9, 0.999), "eps": 1e-8}
    optimizers = {
        "adam": torch.optim.Adam(parameters.values(), **settings),
        "adamw": torch.optim.AdamW(parameters.values(), weight_decay=0.1, **settings),
    }
    for name, optimizer in optimizers.items():
        with torch.no_grad():
            for key, parameter in parameters.items():
                parameter.copy_(start[key])
        values = []
        for _ in range(STEPS):
            loss = losses(forward(model, sequences), sequences)["label"]
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            values.append(loss.detach())
        tensors[f"{name}.label.losses"] = torch.stack(values)
        tensors |= {f"{name}.label.{key}": parameter.detach().clone() for key, parameter in parameters.items()}
    return tensors


def golden_tensors(folder: Path, dtype: torch.dtype, sequences: list[torch.Tensor]) -> dict[str, torch.Tensor]:
    model = read_model(folder, dtype)
    return (
        forward_tensors(model, sequences) | gradient_tensors(model, sequences) | optimizer_tensors(model, sequences)
    )


def relative_difference(found: torch.Tensor, expected: torch.Tensor) -> float:
    """Largest difference over the largest magnitude."""
    return float((found.double() - expected.double()).abs().max() / expected.double().abs().max())


def check_lively(name: str, tensors: dict[str, torch.Tensor]) -> None:
    for key, tensor in tensors.items():
        assert torch.isfinite(tensor).all(), f"{name}: {key} is not finite"
        if key.startswith("grad."):
            assert tensor.abs().max() > 1e-4, f"{name}: {key} is nearly zero, at most {tensor.abs().max():.1e}"
            assert (tensor != 0).all(), f"{name}: {key} has elements that are exactly zero"
    deviation = tensors["logits.all"].std()
    assert 0.5 < deviation < 4, f"{name}: logits have standard deviation {deviation:.2f}"
    for optimizer in ("adam", "adamw"):
        first, *_, final = tensors[f"{optimizer}.label.losses"].tolist()
        assert final < 0.8 * first, f"{name}: {optimizer} goes from {first:.3f} to {final:.3f} only"


def check_float32(folder: Path, golden: dict[str, torch.Tensor], sequences: list[torch.Tensor]) -> dict[str, float]:
    """The same in plain float32 must agree: else the golden numbers are too ill-conditioned to compare an engine with."""
    worst: dict[str, float] = {}
    for key, tensor in golden_tensors(folder, torch.float32, sequences).items():
        group = ".".join(key.split(".")[:2]) if key.split(".")[0] in ("grad", "loss") else key.split(".")[0]
        worst[group] = max(worst.get(group, 0.0), relative_difference(tensor, golden[key]))
    for group, difference in worst.items():
        # Adam divides by the gradient's own size, so an element with a small gradient multiplies its rounding.
        limit = 2e-4 if group.startswith("adam") else 1e-5
        assert difference < limit, f"{folder.name}: float32 differs from float64 in {group} by {difference:.1e}"
    return worst


def check_padded_batch(folder: Path, golden: dict[str, torch.Tensor], sequences: list[torch.Tensor]) -> None:
    """One padded batch with an attention mask gives what the sequences give alone, padded on either side."""
    model = read_model(folder, torch.float64)
    width = max(LENGTHS)
    for side in ("left", "right"):
        ids = torch.zeros(len(sequences), width, dtype=torch.long)
        mask = torch.zeros_like(ids)
        for row, sequence in enumerate(sequences):
            columns = slice(0, len(sequence)) if side == "right" else slice(width - len(sequence), width)
            ids[row, columns], mask[row, columns] = sequence, 1
        positions = (mask.cumsum(1) - 1).clamp(min=0)
        with torch.no_grad(), precision(model):
            logits = model(input_ids=ids, attention_mask=mask, position_ids=positions, use_cache=False).logits
        difference = relative_difference(logits[mask.bool()], golden["logits.all"])
        assert difference < 1e-10, f"{folder.name}: a batch padded on the {side} differs by {difference:.1e}"


def check_options_matter(folder: Path, family: Family, golden: dict[str, torch.Tensor], sequences: list[torch.Tensor]) -> str:
    """An engine that ignores one option, norm, bias or LoRA factor must fail far beyond its tolerance; gives the weakest."""
    differences = {}

    def moved(model: PeftModel, what: str) -> None:
        with torch.no_grad():
            difference = relative_difference(torch.cat(forward(model, sequences)), golden["logits.all"])
        assert difference > 2e-3, f"{folder.name}: {what} hardly matters, the logits move by {difference:.1e}"
        differences[what] = difference

    for what, changes in family.mutations.items():
        moved(read_model(folder, torch.float64, copy.deepcopy(changes)), what)

    model = read_model(folder, torch.float64)
    neutral = 0.0 if family.norm_offset else 1.0
    for name, parameter in model.named_parameters():
        if "norm" not in name and not name.endswith("bias") and "lora_" not in name:
            continue
        kept = parameter.detach().clone()
        with torch.no_grad():
            parameter.fill_(neutral if "norm" in name else 0.0)
        moved(model, name)
        with torch.no_grad():
            parameter.copy_(kept)
    adapter = relative_difference(golden["base.logits.last"], golden["logits.last"])
    assert adapter > 0.1, f"{folder.name}: the adapter hardly matters, the logits move by {adapter:.1e}"
    weakest = min(differences, key=differences.get)
    return f"{weakest} moves the logits by {differences[weakest]:.0e}"


def write_family(name: str) -> None:
    family = FAMILIES[name]()
    folder = OUTPUT / name
    folder.mkdir(parents=True, exist_ok=True)
    write_model(folder, family)
    sequences = make_sequences(family)
    golden = golden_tensors(folder, torch.float64, sequences)
    check_lively(name, golden)
    check_padded_batch(folder, golden, sequences)
    weakest = check_options_matter(folder, family, golden, sequences)
    worst = check_float32(folder, golden, sequences)

    inputs = {
        "tokens": torch.cat(sequences),
        "lengths": torch.tensor(LENGTHS),
        "prefix_length": torch.tensor([PREFIX_LENGTH]),
        "label_tokens": torch.tensor(LABEL_TOKENS),
        "targets": torch.tensor(TARGETS),
    }
    stored = {key: tensor.to(torch.int32) for key, tensor in inputs.items()}
    stored |= {key: tensor.to(torch.float32).contiguous() for key, tensor in golden.items()}
    save_file(stored, folder / "golden.safetensors")
    differences = "  ".join(f"{group} {difference:.0e}" for group, difference in worst.items())
    print(f"{name}: {len(stored)} tensors; least, {weakest}; float32 differs from float64 by: {differences}")


def main() -> None:
    torch.set_num_threads(1)
    disable_progress_bar()
    set_verbosity_error()
    for name in sys.argv[1:] or FAMILIES:
        write_family(name)
    size = sum(path.stat().st_size for path in OUTPUT.rglob("*") if path.is_file())
    assert size <= MAX_BYTES, f"{size} bytes in all, at most {MAX_BYTES}"
    print(f"{size} bytes in all")


if __name__ == "__main__":
    main()
