"""Writes the golden encoders: a tiny random BERT with what transformers makes of it in float64, and the embeddings that sentence-transformers
gives of a few texts with all-MiniLM-L6-v2.

Usage: python tools/golden/encoder.py [FOLDER OF all-MiniLM-L6-v2]
"""

import json
import os
import sys
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"

import torch
from safetensors.torch import save_file
from transformers import BertConfig, BertModel

ROOT = Path(__file__).resolve().parents[2]
TINY = ROOT / "crates/lincah-model/tests/golden/bert"
REAL = ROOT / "crates/lincah/tests/golden/minilm.json"
LENGTHS = [1, 9, 14, 40]
TEXTS = [
    "Thank you, that helped a lot.",
    "The meeting is moved to Thursday at half past nine; please bring the printed plans, the two keys and something to write with.",
    "C'est où, déjà ? Zwölf Boxkämpfer jagen Viktor. Добрый вечер!",
    "今日はいい天気ですね。 🙂 1234567890 see https://example.org/a?b=c#d & <b>this</b>\nsecond line\tand a tab",
    "ok " * 400,
    "?",
]


def tiny() -> None:
    config = BertConfig(
        vocab_size=83, hidden_size=24, num_hidden_layers=3, num_attention_heads=3, intermediate_size=40, max_position_embeddings=48,
        type_vocab_size=2, hidden_act="gelu", layer_norm_eps=1e-5, attn_implementation="eager",
    )
    model = BertModel(config, add_pooling_layer=False).double().eval()
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            is_norm = "LayerNorm.weight" in name
            deviation = 0.2 if is_norm or name.endswith("bias") else 1.2 / parameter.shape[-1] ** 0.5
            # Every number is one of f32, so that both sides read the same.
            values = (1.0 if is_norm else 0.0) + deviation * torch.randn(parameter.shape, generator=generator)
            parameter.copy_(values.float().double())
    TINY.mkdir(parents=True, exist_ok=True)
    save_file({name: value.float().contiguous() for name, value in model.state_dict().items()}, TINY / "model.safetensors")
    (TINY / "config.json").write_text(json.dumps({"model_type": "bert", **{
        key: getattr(config, key)
        for key in ["vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "max_position_embeddings",
                    "type_vocab_size", "hidden_act", "layer_norm_eps"]
    }}, indent=1) + "\n")
    texts = [torch.randint(0, 83, (length,), generator=generator) for length in LENGTHS]
    golden = {}
    with torch.no_grad():
        for index, text in enumerate(texts):
            states = model(input_ids=text[None]).last_hidden_state[0]
            golden[f"tokens.{index}"] = text
            golden[f"mean.{index}"] = states.mean(0).float()
            golden[f"first.{index}"] = states[0].float()
            golden[f"normalized.{index}"] = torch.nn.functional.normalize(states.mean(0), dim=0).float()
    save_file({name: value.contiguous() for name, value in golden.items()}, TINY / "golden.safetensors")


def real(folder: str) -> None:
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(folder, device="cpu")
    embeddings = [model.encode(text).tolist() for text in TEXTS]
    REAL.write_text(json.dumps({"texts": TEXTS, "embeddings": [[round(value, 8) for value in row] for row in embeddings]}) + "\n")


if __name__ == "__main__":
    tiny()
    if len(sys.argv) > 1:
        real(sys.argv[1])
