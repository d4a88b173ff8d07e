"""The tiny models, one a family: every option of a family is on, differs from its default, and is large enough to matter.

`Family.mutations` lists changes of the configuration that an engine which ignored the option would amount to; models.py proves
that each of them moves the logits.
"""

from dataclasses import dataclass, field

from transformers import (
    Gemma2Config,
    Gemma3TextConfig,
    GemmaConfig,
    GraniteConfig,
    LlamaConfig,
    MistralConfig,
    Olmo2Config,
    Phi3Config,
    PreTrainedConfig,
    Qwen2Config,
    Qwen3Config,
    SmolLM3Config,
)

ALL_PROJECTIONS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


@dataclass
class Family:
    config: PreTrainedConfig
    seed: int
    # Norms multiply by 1 + weight (the Gemmas) or by weight.
    norm_offset: bool
    # Standard deviation of the embedding rows, which are the head's rows too where the head is tied.
    embedding_scale: float
    # Gain of the query and key projections: large enough for an attention that is far from uniform.
    attention_gain: float
    mutations: dict[str, dict] = field(default_factory=dict)
    # How configuration files on the Hub (transformers 4) spell what transformers 5 writes otherwise.
    hub_spelling: dict = field(default_factory=dict)
    hub_omits: list[str] = field(default_factory=list)
    adapter: dict = field(default_factory=lambda: {"target_modules": ALL_PROJECTIONS})


def shape(hidden: int, layers: int, kv_heads: int, intermediate: int, vocabulary: int, head_dim: int | None = None) -> dict:
    sizes = {
        "hidden_size": hidden,
        "num_hidden_layers": layers,
        "num_attention_heads": 4,
        "num_key_value_heads": kv_heads,
        "intermediate_size": intermediate,
        "vocab_size": vocabulary,
        "max_position_embeddings": 64,
        "pad_token_id": 0,
        "eos_token_id": 1,
        "bos_token_id": 2,
    }
    return sizes if head_dim is None else sizes | {"head_dim": head_dim}


def default_rope(theta: float) -> dict:
    return {"rope_type": "default", "rope_theta": theta}


LLAMA3_ROPE = {
    "rope_type": "llama3",
    "rope_theta": 500.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    # With theta 500 and head_dim 12 the six wavelengths are 6, 18, 50, 140, 396, 1115: one kept, two blended, three divided.
    "original_max_position_embeddings": 64,
}


def gemma() -> Family:
    config = GemmaConfig(**shape(24, 3, 1, 40, 53, head_dim=14), rms_norm_eps=0.02, rope_parameters=default_rope(2000.0))
    return Family(
        config,
        seed=21,
        norm_offset=True,
        embedding_scale=0.3,
        attention_gain=1.2,
        mutations={
            "rms_norm_eps": {"rms_norm_eps": 1e-6},
            "rope_theta": {"rope_parameters": default_rope(10000.0)},
            "hidden_act": {"hidden_act": "silu"},
        },
        # The first files on the Hub say "gelu" and mean the tanh form.
        hub_spelling={"hidden_act": "gelu"},
    )


def gemma2() -> Family:
    config = Gemma2Config(
        **shape(24, 4, 2, 40, 48, head_dim=12),
        rms_norm_eps=0.01,
        rope_parameters=default_rope(200.0),
        query_pre_attn_scalar=5,
        sliding_window=5,
        attn_logit_softcapping=2.5,
        final_logit_softcapping=3.0,
    )
    return Family(
        config,
        seed=2,
        norm_offset=True,
        embedding_scale=0.5,
        attention_gain=1.2,
        mutations={
            "rms_norm_eps": {"rms_norm_eps": 1e-6},
            "rope_theta": {"rope_parameters": default_rope(10000.0)},
            "query_pre_attn_scalar": {"query_pre_attn_scalar": 12},
            "sliding_window": {"sliding_window": 4},
            "no sliding_window": {"layer_types": ["full_attention"] * 4},
            "the other layers slide": {"layer_types": ["full_attention", "sliding_attention"] * 2},
            "attn_logit_softcapping": {"attn_logit_softcapping": None},
            "final_logit_softcapping": {"final_logit_softcapping": None},
            "hidden_activation": {"hidden_activation": "silu"},
        },
        hub_omits=["layer_types"],
    )


def gemma3() -> Family:
    local, full = default_rope(30.0), {"rope_type": "linear", "factor": 4.0, "rope_theta": 300.0}
    config = Gemma3TextConfig(
        **shape(24, 4, 2, 40, 56, head_dim=16),
        rms_norm_eps=0.01,
        rope_parameters={"sliding_attention": local, "full_attention": full},
        query_pre_attn_scalar=9,
        sliding_window=4,
        sliding_window_pattern=3,  # sliding, sliding, full, sliding
        architectures=["Gemma3ForCausalLM"],
    )
    return Family(
        config,
        seed=3,
        norm_offset=True,
        embedding_scale=0.35,
        attention_gain=1.0,
        mutations={
            "rms_norm_eps": {"rms_norm_eps": 1e-6},
            "global theta": {"rope_parameters": {"sliding_attention": local, "full_attention": full | {"rope_theta": 30.0}}},
            "local theta": {"rope_parameters": {"sliding_attention": default_rope(300.0), "full_attention": full}},
            "rope factor": {"rope_parameters": {"sliding_attention": local, "full_attention": default_rope(300.0)}},
            "rope factor everywhere": {"rope_parameters": {"sliding_attention": full | local | {"rope_type": "linear"},
                                                           "full_attention": full}},
            "query_pre_attn_scalar": {"query_pre_attn_scalar": 16},
            "sliding_window": {"sliding_window": 5},
            "no sliding_window": {"sliding_window": 64},
            "hidden_activation": {"hidden_activation": "silu"},
        },
        hub_spelling={"sliding_window_pattern": 3},
        hub_omits=["layer_types", "_sliding_window_pattern"],
    )


def llama() -> Family:
    sizes = shape(32, 3, 2, 39, 50, head_dim=12) | {"max_position_embeddings": 512}
    config = LlamaConfig(**sizes, rms_norm_eps=0.02, rope_parameters=LLAMA3_ROPE, tie_word_embeddings=False)
    return Family(
        config,
        seed=4,
        norm_offset=False,
        embedding_scale=0.4,
        attention_gain=2.0,
        mutations={
            "rms_norm_eps": {"rms_norm_eps": 1e-6},
            "rope_theta": {"rope_parameters": LLAMA3_ROPE | {"rope_theta": 10000.0}},
            "rope scaling": {"rope_parameters": default_rope(500.0)},
            "linear for llama3 scaling": {"rope_parameters": {"rope_type": "linear", "factor": 8.0, "rope_theta": 500.0}},
            "hidden_act": {"hidden_act": "gelu_pytorch_tanh"},
        },
    )


def qwen2() -> Family:
    config = Qwen2Config(**shape(32, 3, 1, 40, 64), rms_norm_eps=0.01, rope_parameters=default_rope(1000.0),
                         tie_word_embeddings=True)
    return Family(
        config,
        seed=5,
        norm_offset=False,
        embedding_scale=0.4,
        attention_gain=1.7,
        mutations={
            "rms_norm_eps": {"rms_norm_eps": 1e-6},
            "rope_theta": {"rope_parameters": default_rope(10000.0)},
            "hidden_act": {"hidden_act": "gelu_pytorch_tanh"},
        },
        hub_omits=["layer_types"],
    )


def qwen3() -> Family:
    config = Qwen3Config(**shape(24, 4, 2, 41, 51, head_dim=16), rms_norm_eps=0.01, rope_parameters=default_rope(5000.0),
                         tie_word_embeddings=True)
    return Family(
        config,
        seed=6,
        norm_offset=False,
        embedding_scale=0.4,
        attention_gain=1.0,
        mutations={
            "rms_norm_eps": {"rms_norm_eps": 1e-6},
            "rope_theta": {"rope_parameters": default_rope(100.0)},
            "hidden_act": {"hidden_act": "gelu_pytorch_tanh"},
        },
        hub_omits=["layer_types"],
        adapter={"target_modules": ["q_proj", "v_proj"], "layers_to_transform": [1, 3], "use_rslora": True},
    )


def llama_bias() -> Family:
    """Every projection of a Llama with its bias."""
    config = LlamaConfig(**shape(24, 2, 2, 33, 46, head_dim=8), rms_norm_eps=0.02, rope_parameters=default_rope(500.0),
                         tie_word_embeddings=True, attention_bias=True, mlp_bias=True)
    return Family(
        config,
        seed=7,
        norm_offset=False,
        embedding_scale=0.4,
        attention_gain=1.5,
        mutations={"hidden_act": {"hidden_act": "gelu_pytorch_tanh"}},
    )


def mistral() -> Family:
    config = MistralConfig(**shape(24, 2, 1, 35, 47, head_dim=8), rms_norm_eps=0.02, rope_parameters=default_rope(800.0),
                           sliding_window=5, tie_word_embeddings=False)
    return Family(
        config,
        seed=8,
        norm_offset=False,
        embedding_scale=0.4,
        attention_gain=1.7,
        mutations={
            "rms_norm_eps": {"rms_norm_eps": 1e-6},
            "rope_theta": {"rope_parameters": default_rope(10000.0)},
            "sliding_window": {"sliding_window": 4},
            "no sliding_window": {"sliding_window": None},
        },
    )


def smollm3() -> Family:
    config = SmolLM3Config(**shape(32, 4, 2, 36, 49), rms_norm_eps=0.02, rope_parameters=default_rope(600.0),
                           no_rope_layers=[1, 0, 1, 0], tie_word_embeddings=True)
    return Family(
        config,
        seed=9,
        norm_offset=False,
        embedding_scale=0.4,
        attention_gain=1.5,
        mutations={
            "rms_norm_eps": {"rms_norm_eps": 1e-6},
            "rope_theta": {"rope_parameters": default_rope(10000.0)},
            "every layer rotates": {"no_rope_layers": [1, 1, 1, 1]},
            "the last layer rotates": {"no_rope_layers": [1, 0, 1, 1]},
        },
        hub_omits=["layer_types"],
        adapter={"target_modules": ["q_proj", "v_proj"]},
    )


def granite() -> Family:
    config = GraniteConfig(**shape(32, 2, 2, 35, 45), rms_norm_eps=0.02, rope_parameters=default_rope(700.0),
                           embedding_multiplier=1.5, residual_multiplier=0.6, attention_multiplier=0.2, logits_scaling=0.7,
                           tie_word_embeddings=True)
    return Family(
        config,
        seed=10,
        norm_offset=False,
        embedding_scale=0.3,
        attention_gain=1.7,
        mutations={
            "rms_norm_eps": {"rms_norm_eps": 1e-6},
            "rope_theta": {"rope_parameters": default_rope(10000.0)},
            "embedding_multiplier": {"embedding_multiplier": 1.0},
            "residual_multiplier": {"residual_multiplier": 1.0},
            "attention_multiplier": {"attention_multiplier": 8**-0.5},
            "logits_scaling": {"logits_scaling": 1.0},
        },
    )


def olmo2() -> Family:
    config = Olmo2Config(**shape(32, 3, 2, 36, 48), rms_norm_eps=0.02, rope_parameters=default_rope(900.0),
                         tie_word_embeddings=False)
    return Family(
        config,
        seed=11,
        norm_offset=False,
        embedding_scale=0.4,
        attention_gain=1.0,
        mutations={
            "rms_norm_eps": {"rms_norm_eps": 1e-6},
            "rope_theta": {"rope_parameters": default_rope(10000.0)},
        },
    )


def phi3() -> Family:
    config = Phi3Config(**shape(32, 2, 2, 36, 44), rms_norm_eps=0.02, rope_parameters=default_rope(650.0), sliding_window=6,
                        tie_word_embeddings=False)
    return Family(
        config,
        seed=13,
        norm_offset=False,
        embedding_scale=0.4,
        attention_gain=1.3,
        mutations={
            "rms_norm_eps": {"rms_norm_eps": 1e-6},
            "rope_theta": {"rope_parameters": default_rope(10000.0)},
            "sliding_window": {"sliding_window": 5},
            "no sliding_window": {"sliding_window": None},
        },
        adapter={"target_modules": ["qkv_proj", "o_proj", "gate_up_proj", "down_proj"]},
    )


FAMILIES = {
    "gemma": gemma,
    "gemma2": gemma2,
    "gemma3": gemma3,
    "granite": granite,
    "llama": llama,
    "llama_bias": llama_bias,
    "mistral": mistral,
    "olmo2": olmo2,
    "phi3": phi3,
    "qwen2": qwen2,
    "qwen3": qwen3,
    "smollm3": smollm3,
}
