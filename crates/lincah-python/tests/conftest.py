"""A model small enough to train within a second, rows, and a folder of models of the tests' own."""

import json
import os
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

USERS_ENVIRONMENT = dict(os.environ)
HIDDEN, INTERMEDIATE, LAYERS, VOCABULARY = 32, 48, 2, 257


def byte_alphabet() -> list[str]:
    """A visible character for each byte, as GPT-2's tokenizer has them."""
    visible = [*range(33, 127), *range(161, 173), *range(174, 256)]
    hidden = iter(range(256, 512))
    return [chr(byte) if byte in visible else chr(next(hidden)) for byte in range(256)]


def write_tiny_model(folder: Path, seed: int = 1) -> None:
    """A random llama over single bytes, as a Hugging Face folder."""
    folder.mkdir(parents=True)
    config = {
        "model_type": "llama", "architectures": ["LlamaForCausalLM"], "vocab_size": VOCABULARY, "hidden_size": HIDDEN,
        "intermediate_size": INTERMEDIATE, "num_hidden_layers": LAYERS, "num_attention_heads": 4, "num_key_value_heads": 2,
        "head_dim": 8, "max_position_embeddings": 512, "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "hidden_act": "silu",
        "tie_word_embeddings": True, "bos_token_id": 256, "eos_token_id": 256, "attention_bias": False, "mlp_bias": False,
    }  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config))
    byte_level = {"type": "ByteLevel", "trim_offsets": True, "use_regex": True}
    end = {"id": 256, "content": "<s>", "special": True}
    end |= {name: False for name in ("single_word", "lstrip", "rstrip", "normalized")}
    tokenizer = {
        "version": "1.0",
        "added_tokens": [end],
        "normalizer": None,
        "pre_tokenizer": byte_level | {"add_prefix_space": False},
        "post_processor": None,
        "decoder": byte_level | {"add_prefix_space": True},
        "model": {"type": "BPE", "vocab": {piece: id for id, piece in enumerate([*byte_alphabet(), "<s>"])}, "merges": []},
    }
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    (folder / "tokenizer_config.json").write_text(json.dumps({"bos_token": "<s>", "eos_token": "<s>"}))
    shapes = {"model.embed_tokens.weight": (VOCABULARY, HIDDEN), "model.norm.weight": (HIDDEN,)}
    for layer in range(LAYERS):
        of_layer = {
            "self_attn.q_proj": (32, HIDDEN), "self_attn.k_proj": (16, HIDDEN), "self_attn.v_proj": (16, HIDDEN),
            "self_attn.o_proj": (HIDDEN, 32), "mlp.gate_proj": (INTERMEDIATE, HIDDEN), "mlp.up_proj": (INTERMEDIATE, HIDDEN),
            "mlp.down_proj": (HIDDEN, INTERMEDIATE), "input_layernorm": (HIDDEN,), "post_attention_layernorm": (HIDDEN,),
        }  # fmt: skip
        shapes |= {f"model.layers.{layer}.{name}.weight": shape for name, shape in of_layer.items()}
    random, header, body = np.random.default_rng(seed), {}, b""
    for name, shape in shapes.items():
        values = random.uniform(-0.5, 0.5, shape)
        values = (1 + values if len(shape) == 1 else 0.6 * values).astype("<f4").tobytes()
        header[name] = {"dtype": "F32", "shape": list(shape), "data_offsets": [len(body), len(body) + len(values)]}
        body += values
    described = json.dumps(header).encode()
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(described)) + described + body)


@pytest.fixture(scope="session")
def users_environment() -> dict[str, str]:
    return USERS_ENVIRONMENT


@pytest.fixture(scope="session", autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory) -> None:
    """No test sees the user's models, or a network."""
    folder = tmp_path_factory.mktemp("home")
    os.environ |= {"LINCAH_HOME": str(folder), "HF_HOME": str(folder / "hf"), "HF_HUB_OFFLINE": "1"}


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("models") / "tiny"
    write_tiny_model(folder)
    return str(folder)


@pytest.fixture(scope="session")
def rows() -> tuple[list[str], list[str]]:
    """40 texts of two kinds."""
    kinds = [("aaaa bbbb", "A"), ("zzzz yyyy", "B")]
    pairs = [(f"{text} {row}", label) for row in range(20) for text, label in [kinds[row % 2], kinds[(row + 1) % 2]]]
    return [text for text, _ in pairs], [label for _, label in pairs]


@pytest.fixture
def quick(model: str) -> dict[str, object]:
    """Parameters of a training that takes a moment."""
    return {"model": model, "epochs": 6, "members": 1, "learning_rate": 0.01, "device": "cpu"}


def lincah(*arguments: str, **options: object) -> "subprocess.CompletedProcess[str]":
    """The command that the package brings."""
    command = Path(sys.executable).with_name("lincah")
    return subprocess.run([command, *arguments], capture_output=True, text=True, **options)  # type: ignore[call-overload,no-any-return]
