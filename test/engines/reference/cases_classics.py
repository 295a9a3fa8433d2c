"""Cases of GPT-2, GPT-J, GPT-NeoX, Falcon, MPT and BLOOM. See make-logits.py."""

import torch
from prompts import ids

VOCABULARY = 72
PROMPTS = [ids(32, VOCABULARY, 1), ids(9, VOCABULARY, 2)]
TOKENS = {"vocab_size": VOCABULARY, "bos_token_id": 1, "eos_token_id": 2}

GPT2 = {
    **TOKENS,
    "model_type": "gpt2",
    "n_embd": 64,
    "n_layer": 2,
    "n_head": 4,
    "n_positions": 48,
    "n_ctx": 48,
    "layer_norm_epsilon": 1e-5,
    "activation_function": "gelu_new",
}
GPTJ = {
    **TOKENS,
    "model_type": "gptj",
    "n_embd": 64,
    "n_layer": 2,
    "n_head": 4,
    "n_positions": 48,
    "n_inner": None,
    "rotary_dim": 8,
    "layer_norm_epsilon": 1e-5,
    "activation_function": "gelu_new",
    "tie_word_embeddings": False,
}
GPT_NEOX = {
    **TOKENS,
    "model_type": "gpt_neox",
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 48,
    "layer_norm_eps": 1e-5,
    "hidden_act": "gelu",
    "rotary_pct": 0.25,
    "rotary_emb_base": 10000,
    "use_parallel_residual": True,
    "tie_word_embeddings": False,
}
FALCON = {
    **TOKENS,
    "model_type": "falcon",
    "hidden_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 6,
    "layer_norm_epsilon": 1e-5,
    "alibi": False,
    "apply_residual_connection_post_layernorm": False,
    "bias": False,
    "multi_query": True,
    "new_decoder_architecture": False,
    "parallel_attn": True,
}
FALCON_40B = {**FALCON, "hidden_size": 64, "num_attention_heads": 4, "num_kv_heads": 2, "new_decoder_architecture": True}
FALCON_RW = {**FALCON, "alibi": True, "bias": True, "multi_query": False, "parallel_attn": False}
MPT_ATTENTION = {
    "alibi": True,
    "alibi_bias_max": 8,
    "attn_impl": "torch",
    "attn_pdrop": 0,
    "attn_type": "multihead_attention",
    "attn_uses_sequence_id": False,
    "clip_qkv": None,
    "prefix_lm": False,
    "qk_ln": False,
    "softmax_scale": None,
}
MPT = {
    **TOKENS,
    "model_type": "mpt",
    "d_model": 64,
    "n_layers": 2,
    "n_heads": 8,
    "expansion_ratio": 4,
    "max_seq_len": 48,
    "attn_config": MPT_ATTENTION,
    "learned_pos_emb": True,
    "logit_scale": None,
    "no_bias": True,
    "norm_type": "low_precision_layernorm",
}
MPT_LONG = {**MPT_ATTENTION, "alibi_bias_max": 16, "clip_qkv": 0.75, "softmax_scale": 0.4}
# bloomz-560m is published with these spellings, bloom with hidden_size and n_head.
BLOOM = {
    **TOKENS,
    "model_type": "bloom",
    "n_embed": 64,
    "n_layer": 2,
    "num_attention_heads": 8,
    "seq_length": 48,
    "layer_norm_epsilon": 1e-5,
    "apply_residual_connection_post_layernorm": False,
}


def read_bias_max(model):
    """transformers reads no `alibi_bias_max`; MosaicML's own code does."""
    largest = model.config.attn_config.alibi_bias_max
    plain = model.transformer.build_mpt_alibi_tensor
    model.transformer.build_mpt_alibi_tensor = lambda *given, **named: plain(*given, alibi_bias_max=largest, **named)


class SharedKeys(torch.nn.Linear):
    """q + k + v with fewer keys than queries, as MosaicML's own code has it; gives each query's head its key and value."""

    def forward(self, x):
        num_heads, num_kv_heads, size = 6, self.num_kv_heads, self.in_features // 6
        kv_size = num_kv_heads * size
        q, k, v = super().forward(x).split([self.in_features, kv_size, kv_size], -1)
        spread = [
            part.unflatten(-1, (num_kv_heads, size)).repeat_interleave(num_heads // num_kv_heads, -2).flatten(-2)
            for part in (k, v)
        ]
        return torch.cat([q, *spread], -1)


def share_keys(num_kv_heads):
    """transformers reads no `kv_n_heads`."""

    def change(model):
        for block in model.transformer.blocks:
            width = block.attn.hidden_size
            block.attn.Wqkv = SharedKeys(width, width + 2 * num_kv_heads * width // 6, bias=False)
            block.attn.Wqkv.num_kv_heads = num_kv_heads

    return change


def add_mpt_biases(model):
    """`no_bias: false` of MosaicML's own code, which transformers does not have: biases of every linear and every norm."""
    for name, module in model.named_modules():
        is_linear = isinstance(module, torch.nn.Linear) and name != "lm_head"
        if is_linear or isinstance(module, torch.nn.LayerNorm):
            module.bias = torch.nn.Parameter(torch.zeros(module.weight.shape[0]))


CASES = {
    "gpt2": {"config": GPT2, "prompts": PROMPTS, "without": [{"activation_function": "relu"}]},
    "gpt2-scales": {
        "config": {**GPT2, "n_inner": 160, "scale_attn_weights": False, "scale_attn_by_inverse_layer_idx": True},
        "prompts": PROMPTS,
        "without": [{"scale_attn_weights": True}, {"scale_attn_by_inverse_layer_idx": False}],
        # As `gpt2` of the hub calls them.
        "rename": lambda name: name.removeprefix("transformer."),
    },
    # Sizes that fill no vector, no block of rows and no group of columns.
    "gptj-odd": {
        "config": {**GPTJ, "vocab_size": 71, "n_embd": 60, "n_head": 5, "n_inner": 100, "rotary_dim": 6},
        "prompts": [ids(32, 71, 1)],
    },
    "gptj": {"config": GPTJ, "prompts": PROMPTS, "without": [{"rotary_dim": 16}, {"activation_function": "relu"}]},
    "gptj-tied-head": {
        "config": {**GPTJ, "rotary_dim": 16, "n_inner": 96, "tie_word_embeddings": True},
        "prompts": PROMPTS,
    },
    "gptneox": {
        "config": GPT_NEOX,
        "prompts": PROMPTS,
        "without": [{"use_parallel_residual": False}, {"rotary_pct": 1.0}, {"rotary_emb_base": 20}],
        # As Pythia calls it.
        "rename": lambda name: name.replace("lm_head", "embed_out"),
    },
    "gptneox-sequential": {
        "config": {
            **GPT_NEOX,
            "hidden_size": 96,
            "num_attention_heads": 6,
            "rotary_pct": 0.5,
            "rotary_emb_base": 500,
            "rope_scaling": {"type": "linear", "factor": 4.0},
            "use_parallel_residual": False,
            "attention_bias": False,
            "hidden_act": "gelu_fast",
        },
        "prompts": PROMPTS,
        "without": [{"use_parallel_residual": True}, {"rotary_emb_base": 10000}, {"rope_scaling": None}],
    },
    "falcon-7b": {"config": FALCON, "prompts": PROMPTS, "without": [{"rope_theta": 500.0}]},
    "falcon-40b": {"config": FALCON_40B, "prompts": PROMPTS, "without": [{"rope_theta": 500.0}]},
    "falcon-11b": {
        "config": {**FALCON_40B, "num_ln_in_parallel_attn": 1, "ffn_hidden_size": 96, "rope_theta": 500.0},
        "prompts": PROMPTS,
        "without": [{"rope_theta": None}],
    },
    "falcon-rw": {
        "config": {**FALCON_RW, "hidden_size": 64, "num_attention_heads": 8},
        "prompts": PROMPTS,
        # The eager path of this version adds ALiBi twice, in the mask and again beside it.
        "attention": "sdpa",
        "without": [{"alibi": False}],
    },
    "falcon-rw-6-heads": {
        "config": FALCON_RW,
        "prompts": PROMPTS,
        "attention": "sdpa",
        "without": [{"alibi": False}],
    },
    "mpt": {
        "config": MPT,
        "prompts": PROMPTS,
        "prepare": read_bias_max,
        "without": [{"attn_config": {**MPT_ATTENTION, "alibi_bias_max": 4}}],
    },
    "mpt-6-heads": {
        "config": {**MPT, "d_model": 96, "n_heads": 6, "layer_norm_epsilon": 1e-3, "attn_config": MPT_LONG},
        "prompts": PROMPTS,
        "prepare": read_bias_max,
        "without": [
            {"attn_config": {**MPT_LONG, "alibi_bias_max": 8}},
            {"attn_config": {**MPT_LONG, "clip_qkv": None}},
            {"attn_config": {**MPT_LONG, "softmax_scale": None}},
        ],
    },
    # More than a kv page, and slopes that are no powers of two.
    "mpt-12-heads": {
        "config": {**MPT, "vocab_size": 24, "d_model": 96, "n_heads": 12, "max_seq_len": 128},
        "prompts": [ids(100, 24, 1), ids(70, 24, 2)],
    },
    "mpt-shared-keys": {
        "config": {
            **MPT,
            "d_model": 96,
            "n_heads": 6,
            "attn_config": {**MPT_ATTENTION, "kv_n_heads": 2, "clip_qkv": 1.5},
        },
        "prompts": PROMPTS,
        "prepare": share_keys(2),
    },
    "mpt-one-key": {
        "config": {
            **MPT,
            "d_model": 96,
            "n_heads": 6,
            "attn_config": {**MPT_ATTENTION, "attn_type": "multiquery_attention"},
        },
        "prompts": PROMPTS,
        "prepare": share_keys(1),
    },
    "mpt-biases": {
        "config": {**MPT, "n_heads": 4, "no_bias": False},
        "prompts": PROMPTS,
        "prepare": add_mpt_biases,
    },
    "bloom": {"config": BLOOM, "prompts": PROMPTS},
    "bloom-odd": {
        "config": {**BLOOM, "vocab_size": 71, "n_embed": 60, "num_attention_heads": 5},
        "prompts": [ids(32, 71, 1)],
    },
    "bloom-6-heads": {
        "config": {**BLOOM, "n_embed": 96, "num_attention_heads": 6, "apply_residual_connection_post_layernorm": True},
        "prompts": PROMPTS,
        "without": [{"apply_residual_connection_post_layernorm": False}],
    },
}
