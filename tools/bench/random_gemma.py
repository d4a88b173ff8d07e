"""Writes a folder with a model of Gemma's architecture and random weights in bfloat16, for the benchmarks: no licence, no download.

Usage: python tools/bench/random_gemma.py FOLDER [--layers 18 --hidden 2048 --intermediate 16384 --heads 8 --key-value-heads 1]
The sizes are Gemma-2B's unless given; 28, 3072, 24576, 16 and 16 are Gemma-7B's. There is no tokenizer: `step_speed` and `ethos_speed` need none.
"""

import argparse

import torch
from transformers import GemmaConfig, GemmaForCausalLM


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    for name, value in [("layers", 18), ("hidden", 2048), ("intermediate", 16_384), ("heads", 8), ("key-value-heads", 1)]:
        parser.add_argument(f"--{name}", type=int, default=value)
    arguments = parser.parse_args()
    config = GemmaConfig(
        vocab_size=256_000,
        hidden_size=arguments.hidden,
        intermediate_size=arguments.intermediate,
        num_hidden_layers=arguments.layers,
        num_attention_heads=arguments.heads,
        num_key_value_heads=arguments.key_value_heads,
        head_dim=256,
    )
    torch.manual_seed(1)
    torch.set_default_dtype(torch.bfloat16)
    GemmaForCausalLM(config).save_pretrained(arguments.folder)


if __name__ == "__main__":
    main()
