"""Golden data for GGUF weights: what the `gguf` package and transformers make of quantized tensors.

    python tools/golden/gguf_dequantize.py                                        # types.gguf, types.safetensors
    python tools/golden/gguf_dequantize.py --model NAME FILE.gguf [--model …]     # real_models.json

Written to crates/lincah-model/tests/golden/gguf/. Made with gguf 0.19.0, numpy 2.4.6, safetensors and transformers 5.23.

types.*: one random tensor of four rows for each type that lincah reads. Where the package has no quantizer (the k-quants), the blocks
are random bytes with finite scales. real_models.json: for every tensor of a model file the first 16 hexadecimal digits of the SHA-256
of its values as little-endian f32, as the `gguf` package dequantizes it; and the same under Hugging Face names from the state dict of
`AutoModelForCausalLM.from_pretrained(…, gguf_file=…)`, for the first and last layer and what lies outside the layers.
"""

import argparse
import hashlib
import json
import pathlib

import gguf
import numpy as np
from safetensors.numpy import save_file

GOLDEN = pathlib.Path(__file__).resolve().parents[2] / "crates/lincah-model/tests/golden/gguf"
ROWS, WIDTH = 4, 256
TYPES = ["F32", "F16", "BF16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K"]
# Byte offsets of the f16 scales in a block of the types that the package cannot quantize.
SCALE_OFFSETS = {"Q2_K": [80, 82], "Q3_K": [108], "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208]}


def random_blocks(random, name, quantization):
    block_length, block_bytes = gguf.GGML_QUANT_SIZES[quantization]
    blocks = random.integers(0, 256, (ROWS * WIDTH // block_length, block_bytes), dtype=np.uint8)
    for offset in SCALE_OFFSETS[name]:
        scales = random.normal(0, 0.05, len(blocks)).astype("<f2")
        blocks[:, offset : offset + 2] = scales.view(np.uint8).reshape(-1, 2)
    return blocks.reshape(ROWS, -1)


def write_types():
    random = np.random.default_rng(7)
    writer = gguf.GGUFWriter(GOLDEN / "types.gguf", "llama")
    expected = {}
    for name in TYPES:
        quantization = gguf.GGMLQuantizationType[name]
        numbers = random.normal(0, 1, (ROWS, WIDTH)).astype(np.float32)
        stored = random_blocks(random, name, quantization) if name in SCALE_OFFSETS else gguf.quantize(numbers, quantization)
        writer.add_tensor(name, stored, raw_dtype=quantization)
        expected[name] = np.ascontiguousarray(gguf.dequantize(stored, quantization).reshape(ROWS, WIDTH), dtype=np.float32)
        assert np.isfinite(expected[name]).all(), name
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    save_file(expected, GOLDEN / "types.safetensors")


def digest(numbers):
    return hashlib.sha256(np.ascontiguousarray(numbers, dtype="<f4").tobytes()).hexdigest()[:16]


def model_digests(path):
    import torch
    from transformers import AutoModelForCausalLM

    tensors = {tensor.name: digest(gguf.dequantize(tensor.data, tensor.tensor_type)) for tensor in gguf.GGUFReader(path).tensors}
    model = AutoModelForCausalLM.from_pretrained(path.parent, gguf_file=path.name, dtype=torch.float32)
    last = model.config.num_hidden_layers - 1
    chosen = lambda name: ".layers." not in name or f".layers.{last}." in name or ".layers.0." in name
    hugging_face = {name: digest(value.numpy()) for name, value in model.state_dict().items() if chosen(name)}
    return {"gguf": dict(sorted(tensors.items())), "hugging_face": dict(sorted(hugging_face.items()))}


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", nargs=2, action="append", metavar=("NAME", "FILE"))
    models = parser.parse_args().model
    if models:
        digests = {name: model_digests(pathlib.Path(path)) for name, path in models}
        (GOLDEN / "real_models.json").write_text(json.dumps(digests, indent=1) + "\n")
    else:
        write_types()
