"""What the tests of GPT-2, GPT-J, GPT-NeoX, Falcon, MPT and BLOOM compare with, beside the logits: the slopes of ALiBi by
transformers, the names that llama.cpp's converter gives to tensors, by its library `gguf`, and the tensors of published
models, by transformers' classes made from their configs (without the keys that change nothing).

Run by hand:  python make-classics.py
Made with: Python 3.11, torch 2.13.0 (CPU), transformers 5.17.0, gguf 0.19.0. Writes classics.json beside this file.
"""

import copy
import json
import pathlib
import re

import gguf
import torch
from transformers import AutoConfig, AutoModelForCausalLM
from transformers.models.bloom import modeling_bloom
from transformers.models.falcon import modeling_falcon
from transformers.models.mpt import modeling_mpt

folder = pathlib.Path(__file__).parent
ARCHITECTURES = {
    "gpt2": gguf.MODEL_ARCH.GPT2,
    "gpt_neox": gguf.MODEL_ARCH.GPTNEOX,
    "falcon": gguf.MODEL_ARCH.FALCON,
    "mpt": gguf.MODEL_ARCH.MPT,
    "bloom": gguf.MODEL_ARCH.BLOOM,
}
MPT_7B = {
    "model_type": "mpt",
    "attn_config": {"alibi": True, "alibi_bias_max": 8, "attn_type": "multihead_attention", "clip_qkv": None,
                    "prefix_lm": False, "qk_ln": False, "softmax_scale": None},
    "d_model": 4096, "expansion_ratio": 4, "learned_pos_emb": True, "logit_scale": None, "max_seq_len": 2048,
    "n_heads": 32, "n_layers": 32, "no_bias": True, "norm_type": "low_precision_layernorm", "vocab_size": 50432,
}
PUBLISHED = {
    "openai-community/gpt2": {
        "model_type": "gpt2", "activation_function": "gelu_new", "layer_norm_epsilon": 1e-05, "n_ctx": 1024, "n_embd": 768,
        "n_head": 12, "n_layer": 12, "n_positions": 1024, "vocab_size": 50257,
    },
    "EleutherAI/gpt-j-6b": {
        "model_type": "gptj", "activation_function": "gelu_new", "layer_norm_epsilon": 1e-05, "n_embd": 4096, "n_head": 16,
        "n_inner": None, "n_layer": 28, "n_positions": 2048, "rotary": True, "rotary_dim": 64,
        "tie_word_embeddings": False, "vocab_size": 50400,
    },
    "EleutherAI/gpt-neox-20b": {
        "model_type": "gpt_neox", "hidden_act": "gelu_fast", "hidden_size": 6144, "intermediate_size": 24576,
        "layer_norm_eps": 1e-05, "max_position_embeddings": 2048, "num_attention_heads": 64, "num_hidden_layers": 44,
        "rotary_emb_base": 10000, "rotary_pct": 0.25, "tie_word_embeddings": False, "vocab_size": 50432,
    },
    "EleutherAI/pythia-160m": {
        "model_type": "gpt_neox", "hidden_act": "gelu", "hidden_size": 768, "intermediate_size": 3072,
        "layer_norm_eps": 1e-05, "max_position_embeddings": 2048, "num_attention_heads": 12, "num_hidden_layers": 12,
        "rotary_emb_base": 10000, "rotary_pct": 0.25, "tie_word_embeddings": False, "use_parallel_residual": True,
        "vocab_size": 50304,
    },
    "tiiuae/falcon-7b": {
        "model_type": "falcon", "alibi": False, "apply_residual_connection_post_layernorm": False, "bias": False,
        "hidden_size": 4544, "layer_norm_epsilon": 1e-05, "multi_query": True, "new_decoder_architecture": False,
        "num_attention_heads": 71, "num_hidden_layers": 32, "parallel_attn": True, "vocab_size": 65024,
    },
    "tiiuae/falcon-40b": {
        "model_type": "falcon", "alibi": False, "bias": False, "hidden_size": 8192, "layer_norm_epsilon": 1e-05,
        "new_decoder_architecture": True, "num_attention_heads": 128, "num_hidden_layers": 60, "num_kv_heads": 8,
        "parallel_attn": True, "vocab_size": 65024,
    },
    "tiiuae/falcon-rw-1b": {
        "model_type": "falcon", "alibi": True, "apply_residual_connection_post_layernorm": False, "bias": True,
        "hidden_size": 2048, "layer_norm_epsilon": 1e-05, "multi_query": False, "new_decoder_architecture": False,
        "num_attention_heads": 32, "num_hidden_layers": 24, "parallel_attn": False, "vocab_size": 50304,
    },
    "mosaicml/mpt-7b": MPT_7B,
    "bigscience/bloom-560m": {
        "model_type": "bloom", "n_embed": 1024, "n_layer": 24, "num_attention_heads": 16, "seq_length": 2048,
        "vocab_size": 250880,
    },
    "bigscience/bloom": {
        "model_type": "bloom", "hidden_size": 14336, "layer_norm_epsilon": 1e-05, "n_head": 112, "n_inner": None,
        "n_layer": 70, "offset_alibi": 100, "pretraining_tp": 4, "vocab_size": 250880,
    },
}


def published(config):
    """The config, the number of weights, and the tensors, one layer standing for all as `{layer}`."""
    settings = copy.deepcopy(config)
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(AutoConfig.for_model(settings.pop("model_type"), **settings))
    shapes, layers = {}, 0
    for name, tensor in model.named_parameters():
        found = re.search(r"\.(\d+)\.", name)
        layers = max(layers, int(found[1]) + 1 if found else 0)
        pattern = re.sub(r"\.\d+\.", ".{layer}.", name, count=1)
        assert shapes.setdefault(pattern, list(tensor.shape)) == list(tensor.shape), name
    count = sum(tensor.numel() for tensor in model.parameters())
    return {"config": config, "layers": layers, "weights": count, "tensors": shapes}


def slopes(num_heads):
    mask = torch.ones(1, 2)
    # Column 1 is the position 1; MPT's column 0 is one token back.
    return {
        "bloom": modeling_bloom.build_alibi_tensor(mask, num_heads, torch.float32)[:, 0, 1],
        "falcon": modeling_falcon.build_alibi_tensor(mask.long(), num_heads, torch.float32)[:, 0, 1],
        "mpt": -modeling_mpt.build_mpt_alibi_tensor(num_heads, 2)[:, 0, 0],
        "mpt16": -modeling_mpt.build_mpt_alibi_tensor(num_heads, 2, 16)[:, 0, 0],
    }


def names(model_type, tensors):
    table = gguf.get_tensor_name_map(ARCHITECTURES[model_type], 2)
    found = {}
    for tensor in tensors:
        # The converter drops this of BLOOM's names.
        name = tensor.removeprefix("transformer.") if model_type == "bloom" else tensor
        found[tensor] = table.get_name(name, try_suffixes=(".weight", ".bias"))
    return found


result = {"slopes": {}, "names": {}, "published": {name: published(config) for name, config in PUBLISHED.items()}}
for num_heads in (6, 8, 12, 71):
    result["slopes"][num_heads] = {rule: values.tolist() for rule, values in slopes(num_heads).items()}
for path in sorted((folder / "logits").glob("*.json")):
    case = json.loads(path.read_text())
    model_type = case["configs"][0]["model_type"]
    if model_type in ARCHITECTURES:
        result["names"][path.stem] = names(model_type, [tensor["name"] for tensor in case["tensors"]])
(folder / "classics.json").write_text(json.dumps(result, separators=(",", ":")) + "\n")
