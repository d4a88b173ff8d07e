"""A tiny random Gemma trained with KerasHub as the "Agile classifiers" codelab trains: enable_lora(4), Adam 5e-4, batch 2, every
token's loss, no shuffling. Written as a Hugging Face folder and the LoRA in its PEFT form.

    KERAS_BACKEND=jax python keras_codelab.py ../../crates/lincah-model/tests/golden/keras

Keras keeps for a projection of H heads one A a head, [H, hidden, rank], and one B for all heads, [rank, head_dim]. The same product as one
pair of matrices: A's rows are the heads' ranks one after the other, B is block-diagonal with the shared B in every block, and a projection
with fewer heads is padded with zeros to the rank of the one with most.
"""
import json
import os
import pathlib
import sys

os.environ.setdefault("KERAS_BACKEND", "jax")
import keras
import keras_hub
import numpy as np
from safetensors.numpy import save_file

LAYERS, HIDDEN, HEADS, KEY_VALUE_HEADS, HEAD_DIM, INTERMEDIATE, VOCABULARY, RANK = 2, 16, 4, 2, 8, 32, 61, 4
STEPS, BATCH, LENGTH = 10, 2, 12

keras.utils.set_random_seed(7)
backbone = keras_hub.models.GemmaBackbone(
    vocabulary_size=VOCABULARY, num_layers=LAYERS, num_query_heads=HEADS, num_key_value_heads=KEY_VALUE_HEADS, hidden_dim=HIDDEN,
    intermediate_dim=2 * INTERMEDIATE, head_dim=HEAD_DIM)
random = np.random.default_rng(0)
for weight in backbone.weights:  # norms start at zero, and embeddings so small that the logits say nothing
    noise = random.normal(0, 0.3 if "norm" in weight.path else 1 / np.sqrt(HIDDEN), weight.shape)
    weight.assign(noise)
backbone.enable_lora(rank=RANK)
model = keras_hub.models.GemmaCausalLM(backbone=backbone, preprocessor=None)
model.compile(loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True), optimizer=keras.optimizers.Adam(learning_rate=5e-4),
              weighted_metrics=[keras.metrics.SparseCategoricalAccuracy()])


def layer_arrays(layer):
    block = backbone.get_layer(f"decoder_block_{layer}")
    attention, array = block.attention, lambda variable: np.asarray(variable, dtype=np.float32)
    heads_first = lambda kernel: array(kernel).transpose(0, 2, 1).reshape(-1, HIDDEN)  # [H, D, C] -> [H C, D]
    prefix = f"model.layers.{layer}"
    return {
        f"{prefix}.input_layernorm.weight": array(block.pre_attention_norm.scale),
        f"{prefix}.post_attention_layernorm.weight": array(block.pre_ffw_norm.scale),
        f"{prefix}.self_attn.q_proj.weight": heads_first(attention.query_dense._kernel),
        f"{prefix}.self_attn.k_proj.weight": heads_first(attention.key_dense._kernel),
        f"{prefix}.self_attn.v_proj.weight": heads_first(attention.value_dense._kernel),
        f"{prefix}.self_attn.o_proj.weight": array(attention.output_dense._kernel).reshape(HEADS * HEAD_DIM, HIDDEN).T.copy(),
        f"{prefix}.mlp.gate_proj.weight": array(block.gating_ffw._kernel).T.copy(),
        f"{prefix}.mlp.up_proj.weight": array(block.gating_ffw_2._kernel).T.copy(),
        f"{prefix}.mlp.down_proj.weight": array(block.ffw_linear._kernel).T.copy(),
    }


def peft_form(kernel_a, kernel_b):
    a, b = np.asarray(kernel_a, dtype=np.float32), np.asarray(kernel_b, dtype=np.float32)
    heads = a.shape[0]
    whole_a = np.zeros((HEADS * RANK, HIDDEN), np.float32)
    whole_b = np.zeros((heads * HEAD_DIM, HEADS * RANK), np.float32)
    for head in range(heads):
        whole_a[head * RANK:(head + 1) * RANK] = a[head].T
        whole_b[head * HEAD_DIM:(head + 1) * HEAD_DIM, head * RANK:(head + 1) * RANK] = b.T
    return whole_a, whole_b


def adapter(name):
    arrays = {}
    for layer in range(LAYERS):
        attention = backbone.get_layer(f"decoder_block_{layer}").attention
        for target, dense in (("q_proj", attention.query_dense), ("v_proj", attention.value_dense)):
            key = f"{name}.base_model.model.model.layers.{layer}.self_attn.{target}"
            a, b = peft_form(dense.lora_kernel_a, dense.lora_kernel_b)
            arrays[f"{key}.lora_A.weight"], arrays[f"{key}.lora_B.weight"] = a, b
    return arrays


ids = random.integers(3, VOCABULARY, (STEPS * BATCH, LENGTH + 1))
lengths = random.integers(4, LENGTH + 2, STEPS * BATCH)
mask = np.arange(LENGTH + 1)[None] < lengths[:, None]
ids = np.where(mask, ids, 0)
inputs = {"token_ids": ids[:, :-1], "padding_mask": mask[:, :-1].astype(int)}
golden = adapter("initial")
weights = {"model.embed_tokens.weight": np.asarray(backbone.token_embedding.embeddings, np.float32),
           "model.norm.weight": np.asarray(backbone.layers[-1].scale, np.float32)}
for layer in range(LAYERS):
    weights |= layer_arrays(layer)
losses = []
for step in range(STEPS):
    rows = slice(step * BATCH, (step + 1) * BATCH)
    batch = {name: array[rows] for name, array in inputs.items()}
    losses.append(float(model.train_on_batch(batch, ids[rows, 1:], sample_weight=mask[rows, 1:].astype("float32"))[0]))
    model.reset_metrics()
golden |= adapter("trained")
logits = np.asarray(model({name: array[:BATCH] for name, array in inputs.items()}))
golden["losses"] = np.array(losses, np.float32)
golden["logits_after"] = np.concatenate([logits[row, :min(lengths[row], LENGTH)] for row in range(BATCH)]).astype(np.float32)
golden["tokens"] = np.concatenate([ids[row, :lengths[row]] for row in range(len(ids))]).astype(np.int32)
golden["lengths"] = lengths.astype(np.int32)
golden["largest_initial_a"] = np.array([max(np.abs(golden[key]).max() for key in golden if key.startswith("initial") and f"{target}.lora_A" in key)
                                        for target in ("q_proj", "v_proj")], np.float32)

folder = pathlib.Path(sys.argv[1])
folder.mkdir(parents=True, exist_ok=True)
save_file({key: np.ascontiguousarray(array) for key, array in weights.items()}, folder / "model.safetensors", {"format": "pt"})
save_file({key: np.ascontiguousarray(array) for key, array in golden.items()}, folder / "golden.safetensors")
config = {"model_type": "gemma", "architectures": ["GemmaForCausalLM"], "vocab_size": VOCABULARY, "hidden_size": HIDDEN,
          "intermediate_size": INTERMEDIATE, "num_hidden_layers": LAYERS, "num_attention_heads": HEADS,
          "num_key_value_heads": KEY_VALUE_HEADS, "head_dim": HEAD_DIM, "hidden_act": "gelu_pytorch_tanh",
          "hidden_activation": "gelu_pytorch_tanh", "max_position_embeddings": 64, "rms_norm_eps": 1e-6, "rope_theta": 10000.0,
          "attention_bias": False, "tie_word_embeddings": True}
(folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
print("keras", keras.__version__, "keras_hub", keras_hub.__version__, "losses", np.round(losses, 4).tolist())
print("largest initial A", golden["largest_initial_a"], "he bounds", [np.sqrt(6 / (h * HIDDEN)) for h in (HEADS, KEY_VALUE_HEADS)])
