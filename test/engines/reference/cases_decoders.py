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
PROMPTS = [ids(32, 72, 1)]

LLAMA3_ROPE = {
    "rope_type": "llama3",
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 16,
}

CASES = {
    "llama-gqa": {"config": LLAMA, "prompts": [ids(32, 72, 1), ids(9, 72, 2)], "without": [{"rope_theta": 500.0}]},
    "llama-tied-head": {"config": {**LLAMA, "tie_word_embeddings": True}, "prompts": PROMPTS},
    "llama-llama3-rope": {
        "config": {**LLAMA, "rope_theta": 500000.0, "rope_scaling": LLAMA3_ROPE},
        "prompts": PROMPTS,
        "without": [{"rope_scaling": None}],
    },
    "mistral-window": {
        "config": {**LLAMA, "model_type": "mistral", "sliding_window": 8, "head_dim": 24},
        "prompts": PROMPTS,
        "without": [{"sliding_window": None}],
    },
    "qwen2-bias": {
        "config": {
            **LLAMA,
            "model_type": "qwen2",
            "rms_norm_eps": 1e-6,
            "use_sliding_window": False,
            "sliding_window": 8,
            "max_window_layers": 1,
        },
        "prompts": PROMPTS,
    },
}
