"""Writes what transformers and peft make of sequence classifiers (`task_type` SEQ_CLS) on the tiny models of models.py: an adapter with a head,
its logits, losses of exclusive and of independent labels, every gradient, and ten Adam steps. In float64, stored as float32.

Usage: python tools/golden/label_rows.py
"""

import json

import torch
from models import OUTPUT, STEPS, make_sequences, precision, relative_difference, sort_target_modules
from families import FAMILIES
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import save_file
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy
from transformers import AutoModelForSequenceClassification

LABELS = 5
TARGETS = [3, 0, 4]
INDEPENDENT = [[1, 0, 0, 1, 0], [0, 0, 0, 0, 0], [0, 1, 1, 0, 1]]
MODELS = ["llama", "gemma2"]


def base_model(folder, dtype):
    """The backbone of the causal model's file under a fresh head."""
    config = type(FAMILIES[folder.name]().config).from_pretrained(folder, num_labels=LABELS)
    model = AutoModelForSequenceClassification.from_pretrained(
        folder, config=config, dtype=torch.float32, attn_implementation="eager"
    )
    return model.to(dtype)


def write_adapter(folder, family):
    model = base_model(folder, torch.float32)
    model.name_or_path = f"tiny-{folder.name}"
    adapted = get_peft_model(model, LoraConfig(r=3, lora_alpha=6, task_type="SEQ_CLS", **family.adapter))
    generator = torch.Generator().manual_seed(family.seed + 300)
    with torch.no_grad():
        for name, parameter in adapted.named_parameters():
            if parameter.requires_grad:
                deviation = 0.1 if "lora_B" in name else 0.2
                parameter.copy_(deviation * torch.randn(parameter.shape, generator=generator))
    adapted.save_pretrained(folder / "label_rows")
    (folder / "label_rows/README.md").unlink()
    sort_target_modules(folder / "label_rows/adapter_config.json")


def read_model(folder, dtype):
    model = PeftModel.from_pretrained(base_model(folder, torch.float32), folder / "label_rows", is_trainable=True)
    return model.to(dtype).eval()


def parameters_of(model):
    """The trainable parameters under their keys in adapter_model.safetensors."""
    keys = {
        name: name.replace(".modules_to_save.default", "").replace(".default", "")
        for name, parameter in model.named_parameters()
        if parameter.requires_grad
    }
    return {keys[name]: parameter for name, parameter in model.named_parameters() if name in keys}


def logits_of(model, sequences):
    """Each sequence alone, so that nothing is padded. [sequences, labels]"""
    with precision(model):
        return torch.cat([model(input_ids=sequence[None], use_cache=False).logits for sequence in sequences])


def losses(logits):
    return {
        "exclusive": cross_entropy(logits, torch.tensor(TARGETS)),
        "independent": binary_cross_entropy_with_logits(logits, torch.tensor(INDEPENDENT, dtype=logits.dtype)),
    }


def golden_tensors(folder, dtype, sequences):
    model = read_model(folder, dtype)
    parameters = parameters_of(model)
    with torch.no_grad():
        tensors = {"logits": logits_of(model, sequences)}
    for name in ["exclusive", "independent"]:
        loss = losses(logits_of(model, sequences))[name]
        tensors[f"loss.{name}"] = loss.detach()[None]
        for key, gradient in zip(parameters, torch.autograd.grad(loss, parameters.values())):
            tensors[f"grad.{name}.{key}"] = gradient
    optimizer = torch.optim.Adam(parameters.values(), lr=1e-2, betas=(0.9, 0.999), eps=1e-8)
    values = []
    for _ in range(STEPS):
        loss = losses(logits_of(model, sequences))["exclusive"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        values.append(loss.detach())
    tensors["adam.losses"] = torch.stack(values)
    return tensors | {f"adam.{key}": parameter.detach().clone() for key, parameter in parameters.items()}


def check(name, golden, in_float32):
    for key, tensor in golden.items():
        assert torch.isfinite(tensor).all(), f"{name}: {key} is not finite"
        if key.startswith("grad."):
            assert tensor.abs().max() > 1e-4, f"{name}: {key} is nearly zero"
        limit = 2e-4 if key.startswith("adam") else 1e-5
        difference = relative_difference(in_float32[key], tensor)
        assert difference < limit, f"{name}: float32 differs from float64 in {key} by {difference:.1e}"
    first, *_, final = golden["adam.losses"].tolist()
    assert final < 0.8 * first, f"{name}: Adam goes from {first:.3f} to {final:.3f} only"


def main():
    for name in MODELS:
        folder, family = OUTPUT / name, FAMILIES[name]()
        write_adapter(folder, family)
        sequences = make_sequences(family)
        golden = golden_tensors(folder, torch.float64, sequences)
        check(name, golden, golden_tensors(folder, torch.float32, sequences))
        stored = {key: tensor.detach().to(torch.float32).contiguous().clone() for key, tensor in golden.items()}
        save_file(stored, folder / "label_rows/golden.safetensors")
        config = json.loads((folder / "label_rows/adapter_config.json").read_text())
        print(f"{name}: {config['task_type']}, {config['modules_to_save']}, {len(golden)} arrays")


if __name__ == "__main__":
    main()
