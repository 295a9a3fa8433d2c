"""Cases of the decoders with rotary positions: Llama and what descends from it. See make-logits.py."""

from prompts import ids

LLAMA = {
    "model_type": "llama",
    "vocab_size": 72,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 128,
    "rms_norm_eps": 1e-5,
    "rope_theta": 10000.0,
    "hidden_act": "silu",
    "tie_word_embeddings": False,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
MISTRAL = {**LLAMA, "model_type": "mistral", "sliding_window": 8}
QWEN2 = {**LLAMA, "model_type": "qwen2", "rms_norm_eps": 1e-6}
QWEN2_WINDOW = {**QWEN2, "num_hidden_layers": 3, "use_sliding_window": True, "sliding_window": 8, "max_window_layers": 1}
QWEN3 = {**QWEN2, "model_type": "qwen3", "head_dim": 24, "attention_bias": False}
GEMMA = {
    **LLAMA,
    "model_type": "gemma",
    "head_dim": 32,
    "hidden_act": "gelu_pytorch_tanh",
    "rms_norm_eps": 1e-6,
    "tie_word_embeddings": True,
    "num_key_value_heads": 1,
    "pad_token_id": 0,
}
GEMMA2 = {
    **GEMMA,
    "model_type": "gemma2",
    "head_dim": 24,
    "num_hidden_layers": 3,
    "num_key_value_heads": 2,
    "hidden_activation": "gelu_pytorch_tanh",
    "query_pre_attn_scalar": 16,
    "attn_logit_softcapping": 3.0,
    "final_logit_softcapping": 8.0,
    "sliding_window": 8,
}
GEMMA2.pop("hidden_act")
PHI3 = {**LLAMA, "model_type": "phi3", "sliding_window": None, "original_max_position_embeddings": 128, "pad_token_id": 0}
LONGROPE = {
    "type": "longrope",
    "short_factor": [1.0, 1.05, 1.1, 1.2, 1.4, 1.8, 2.0, 2.2],
    "long_factor": [1.1, 1.3, 1.9, 2.5, 3.5, 5.0, 6.5, 8.0],
}
PROMPTS = [ids(32, 72, 1)]

LLAMA3 = {
    "rope_type": "llama3",
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 16,
}
YARN = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32}


def gemma(name, shape):
    """Norms of 1 + weight; a table that is small, since it is multiplied by 8, and is the head too."""
    if len(shape) == 1 and name.endswith("norm.weight"):
        return (0.0, 0.3)
    return (0.0, 0.3) if "embed" in name else None


def scaled(scaling, **more):
    """A Llama with scaled positions, against the same one without."""
    config = {**LLAMA, "rope_scaling": scaling, **more}
    return {"config": config, "prompts": PROMPTS, "without": [{"rope_scaling": None}], "gguf": "llama"}


def case(config, *without, prompts=PROMPTS, **more):
    return {"config": config, "prompts": prompts, "without": list(without), **more}


CASES = {
    "llama-gqa": case(LLAMA, {"rope_theta": 500.0}, prompts=[ids(32, 72, 1), ids(9, 72, 2)], gguf="llama"),
    "llama-tied-head": case({**LLAMA, "tie_word_embeddings": True}),
    "llama-biases": case({**LLAMA, "attention_bias": True, "mlp_bias": True}, {"mlp_bias": False}),
    "llama-head-size": case({**LLAMA, "head_dim": 24, "num_key_value_heads": 1, "num_attention_heads": 2}),
    "llama-llama3-rope": scaled(LLAMA3, rope_theta=500000.0),
    "llama-linear-rope": scaled({"type": "linear", "factor": 4.0}),
    "llama-dynamic-rope": case({**LLAMA, "rope_scaling": {"type": "dynamic", "factor": 4.0}}),
    "llama-yarn": scaled(YARN),
    "llama-yarn-factor": scaled({**YARN, "beta_fast": 8.0, "beta_slow": 0.5, "attention_factor": 1.4}),
    # GGUF has no words for these two.
    "llama-yarn-settings": {
        **scaled({**YARN, "beta_fast": 8.0, "mscale": 1.3, "mscale_all_dim": 0.7, "truncate": False}),
        "gguf": None,
    },
    "llama-longrope": {**scaled({**LONGROPE, "factor": 4.0}, original_max_position_embeddings=16), "gguf": None},
    "mistral-window": case({**MISTRAL, "head_dim": 24}, {"sliding_window": 4096}),
    # Longer than a kv page of 64 tokens, with a window that reaches over its border.
    "mistral-pages": case(
        {**MISTRAL, "vocab_size": 40, "sliding_window": 20}, {"sliding_window": 4096}, prompts=[ids(84, 40, 3)]
    ),
    "mistral-no-window": case({**MISTRAL, "sliding_window": None, "rope_theta": 1000000.0}),
    "qwen2-bias": case({**QWEN2, "use_sliding_window": False, "sliding_window": 8, "max_window_layers": 1}, gguf="qwen2"),
    "qwen2-window": case(QWEN2_WINDOW, {"use_sliding_window": False}, {"max_window_layers": 0}),
    "qwen2-yarn": case({**QWEN2, "rope_scaling": YARN, "tie_word_embeddings": True}, {"rope_scaling": None}, gguf="qwen2"),
    "qwen3": case(QWEN3, gguf="qwen3"),
    "qwen3-biases": case({**QWEN3, "attention_bias": True, "tie_word_embeddings": True}),
    "gemma": case(GEMMA, {"hidden_act": "relu"}, kinds=gemma, gguf="gemma"),
    "gemma2": case(
        GEMMA2,
        {"attn_logit_softcapping": 50.0},
        {"final_logit_softcapping": 30.0},
        {"sliding_window": 4096},
        {"query_pre_attn_scalar": 256},
        kinds=gemma,
    ),
    # GGUF does not say what the scores are divided by: it is the root of a head's width.
    "gemma2-head-scale": case({**GEMMA2, "query_pre_attn_scalar": 24}, kinds=gemma, gguf="gemma2"),
    "gemma2-layer-types": case(
        {
            **GEMMA2,
            "layer_types": ["full_attention", "sliding_attention", "sliding_attention"],
            "attn_logit_softcapping": None,
            "final_logit_softcapping": None,
        },
        {"layer_types": None},
        kinds=gemma,
    ),
    "phi3": case({**PHI3, "sliding_window": 8}, {"sliding_window": None}, gguf="phi3"),
    # More ids than the first context: the reference takes the long factors, as a plan of this context does.
    "phi3-longrope": case(
        {**PHI3, "original_max_position_embeddings": 16, "rope_scaling": LONGROPE},
        {"rope_scaling": None},
        gguf="phi3",
    ),
    # Fewer: the short ones, as in a plan for a context no longer than the first (reference.ts: `contextTokens`).
    "phi3-longrope-short": case(
        {
            **PHI3,
            "original_max_position_embeddings": 32,
            "rope_scaling": {**LONGROPE, "type": "su", "original_max_position_embeddings": 32},
        },
        {"rope_scaling": None},
        contextTokens=32,
        gguf="phi3",
    ),
    "phi3-partial": case(
        {
            **PHI3,
            "partial_rotary_factor": 0.75,
            "original_max_position_embeddings": 16,
            "rope_scaling": {key: value if key == "type" else value[:6] for key, value in LONGROPE.items()},
            "tie_word_embeddings": True,
        },
        {"rope_scaling": None},
        gguf="phi3",
    ),
}
