"""The case of the example in engines/architectures/README.md. See make-logits.py."""

from prompts import ids

CASES = {
    "opt": {
        "config": {
            "model_type": "opt",
            "vocab_size": 72,
            "hidden_size": 64,
            "word_embed_proj_dim": 64,
            "ffn_dim": 96,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "max_position_embeddings": 48,
            "do_layer_norm_before": True,
            "activation_function": "relu",
            "bos_token_id": 2,
            "eos_token_id": 2,
            "pad_token_id": 1,
        },
        "prompts": [ids(32, 72, 1), ids(9, 72, 2)],
        "without": [{"activation_function": "gelu"}],
    },
}
