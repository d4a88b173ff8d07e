"""Writes a folder with a model of Gemma's architecture and random weights in bfloat16, for the benchmarks: no licence, no download.

Usage: python tools/bench/random_gemma.py FOLDER [--layers 18 --hidden 2048 --intermediate 16384 --heads 8 --key-value-heads 1]
The sizes are Gemma-2B's unless given; 28, 3072, 24576, 16 and 16 are Gemma-7B's. There is no tokenizer: `step_speed` and `ethos_speed` need none.
"""

import argparse
import json
from pathlib import Path

import torch
from safetensors.torch import save_file

HEAD = 256
VOCABULARY = 256_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    for name, value in [("layers", 18), ("hidden", 2048), ("intermediate", 16_384), ("heads", 8), ("key-value-heads", 1)]:
        parser.add_argument(f"--{name}", type=int, default=value)
    arguments = parser.parse_args()
    hidden, intermediate = arguments.hidden, arguments.intermediate
    queries, keys = arguments.heads * HEAD, arguments.key_value_heads * HEAD
    torch.manual_seed(1)

    def matrix(outputs: int, inputs: int) -> torch.Tensor:
        return (torch.randn(outputs, inputs) * inputs**-0.5).bfloat16()

    tensors = {"model.embed_tokens.weight": matrix(VOCABULARY, hidden), "model.norm.weight": torch.zeros(hidden).bfloat16()}
    for layer in range(arguments.layers):
        for name, sizes in [
            ("self_attn.q_proj", (queries, hidden)),
            ("self_attn.k_proj", (keys, hidden)),
            ("self_attn.v_proj", (keys, hidden)),
            ("self_attn.o_proj", (hidden, queries)),
            ("mlp.gate_proj", (intermediate, hidden)),
            ("mlp.up_proj", (intermediate, hidden)),
            ("mlp.down_proj", (hidden, intermediate)),
        ]:
            tensors[f"model.layers.{layer}.{name}.weight"] = matrix(*sizes)
        for name in ["input_layernorm", "post_attention_layernorm"]:
            tensors[f"model.layers.{layer}.{name}.weight"] = torch.zeros(hidden).bfloat16()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    save_file(tensors, arguments.folder / "model.safetensors", metadata={"format": "pt"})
    config = {
        "architectures": ["GemmaForCausalLM"],
        "model_type": "gemma",
        "vocab_size": VOCABULARY,
        "hidden_size": hidden,
        "intermediate_size": intermediate,
        "num_hidden_layers": arguments.layers,
        "num_attention_heads": arguments.heads,
        "num_key_value_heads": arguments.key_value_heads,
        "head_dim": HEAD,
        "hidden_activation": "gelu_pytorch_tanh",
        "max_position_embeddings": 8192,
        "rms_norm_eps": 1e-6,
        "rope_theta": 10_000.0,
        "bos_token_id": 2,
        "eos_token_id": 1,
        "pad_token_id": 0,
        "tie_word_embeddings": True,
        "torch_dtype": "bfloat16",
    }
    (arguments.folder / "config.json").write_text(json.dumps(config, indent=1))


if __name__ == "__main__":
    main()
