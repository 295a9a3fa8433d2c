"""The same models as GGUF files: written by the gguf package, in the names and with the changes of llama.cpp's converter.

A case with `gguf: architecture` gets one. Kept is the file's beginning, up to the tensors' data, and what each tensor is
made of: the numbers follow from the names again, and reference.ts puts them in. The hash is of the whole file.
"""

import base64
import hashlib
import math
import pathlib
import tempfile

import gguf
import numpy as np

version = "gguf 0.19.0"


def rope_of(config):
    rope = dict(config.get("rope_parameters") or {})
    rope.setdefault("rope_theta", 10000.0)
    return rope


def write_shared(writer, config):
    """What the converter writes for every text model."""
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])


def write_rope(writer, config):
    rope = rope_of(config)
    if rope.get("rope_type") == "linear":
        writer.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
        writer.add_rope_scaling_factor(rope["factor"])
    if rope.get("rope_type") == "yarn":
        writer.add_rope_scaling_type(gguf.RopeScalingType.YARN)
        writer.add_rope_scaling_factor(rope["factor"])
        writer.add_rope_scaling_orig_ctx_len(rope["original_max_position_embeddings"])
        if "attention_factor" in rope:
            writer.add_rope_scaling_yarn_attn_factor(rope["attention_factor"])
        if "beta_fast" in rope:
            writer.add_rope_scaling_yarn_beta_fast(rope["beta_fast"])
        if "beta_slow" in rope:
            writer.add_rope_scaling_yarn_beta_slow(rope["beta_slow"])
    writer.add_rope_freq_base(rope["rope_theta"])
    if config.get("head_dim") is not None:
        writer.add_key_length(config["head_dim"])
        writer.add_value_length(config["head_dim"])


def llama(writer, config):
    write_shared(writer, config)
    write_rope(writer, config)
    writer.add_vocab_size(config["vocab_size"])
    size = config["head_dim"]
    writer.add_rope_dimension_count(size)
    rope = rope_of(config)
    if rope.get("rope_type") != "llama3":
        return []
    factor, low, high = rope["factor"], rope["low_freq_factor"], rope["high_freq_factor"]
    context = rope["original_max_position_embeddings"]
    divisors = []
    for i in range(0, size, 2):
        turns = context / (2 * math.pi * rope["rope_theta"] ** (i / size))
        share = (turns - low) / (high - low)
        divisors.append(1.0 if turns > high else factor if turns < low else 1 / ((1 - share) / factor + share))
    return [("rope_freqs.weight", divisors)]


def qwen(writer, config):
    write_shared(writer, config)
    write_rope(writer, config)
    return []


def gemma(writer, config):
    write_shared(writer, config)
    writer.add_key_length(config["head_dim"])
    writer.add_value_length(config["head_dim"])
    if "attn_logit_softcapping" in config:
        writer.add_attn_logit_softcapping(config["attn_logit_softcapping"])
        writer.add_final_logit_softcapping(config["final_logit_softcapping"])
        writer.add_sliding_window(config["sliding_window"])
    return []


def phi3(writer, config):
    rope = rope_of(config)
    context, first = config["max_position_embeddings"], config["original_max_position_embeddings"]
    write_shared(writer, config)
    writer.add_rope_scaling_orig_ctx_len(first)
    part = rope.get("partial_rotary_factor", 1.0)
    writer.add_rope_dimension_count(int(part * config["hidden_size"]) // config["num_attention_heads"])
    writer.add_rope_freq_base(rope["rope_theta"])
    writer.add_sliding_window(config.get("sliding_window") or 0)
    if "long_factor" not in rope:
        return []
    writer.add_rope_scaling_attn_factors(math.sqrt(1 + math.log(context / first) / math.log(first)))
    return [("rope_factors_long.weight", rope["long_factor"]), ("rope_factors_short.weight", rope["short_factor"])]


writers = {"llama": llama, "qwen2": qwen, "qwen3": qwen, "gemma": gemma, "gemma2": gemma, "phi3": phi3}


def side_by_side(numbers, heads):
    """Rows of a head's two halves alternate, as the converter leaves q and k of a Llama."""
    rows = numbers.reshape(heads, 2, numbers.shape[0] // heads // 2, *numbers.shape[1:])
    return rows.swapaxes(1, 2).reshape(numbers.shape)


def write_gguf(architecture, config, tensors, numbers):
    """`tensors` as in the case's file; `numbers(tensor)` its array. What the case's file says of the GGUF file."""
    ends = {value: key for key, value in gguf.MODEL_ARCH_NAMES.items()}
    names = gguf.get_tensor_name_map(ends[architecture], config["num_hidden_layers"])
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "model.gguf"
        writer = gguf.GGUFWriter(path, architecture)
        writer.add_name("reference")
        extra = writers[architecture](writer, config)
        parts = []
        for name, values in extra:
            writer.add_tensor(name, np.array(values, dtype=np.float32))
            parts.append({"values": [float(value) for value in np.array(values, dtype=np.float32)]})
        for tensor in tensors:
            name = tensor["name"]
            if architecture.startswith("gemma") and name == "lm_head.weight":
                continue
            array, change = numbers(tensor), None
            if architecture == "llama" and ".q_proj." in name:
                change = {"heads": config["num_attention_heads"]}
            if architecture == "llama" and ".k_proj." in name:
                change = {"heads": config["num_key_value_heads"]}
            if architecture.startswith("gemma") and name.endswith("norm.weight"):
                change = {"plus": 1}
                array = array + np.float32(1)
            if change and "heads" in change:
                array = side_by_side(array, change["heads"])
            writer.add_tensor(names.get_name(name, try_suffixes=(".weight", ".bias")), np.ascontiguousarray(array))
            parts.append({"name": name, **(change or {})})
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        whole = path.read_bytes()
        reader = gguf.GGUFReader(path)
        for part, tensor in zip(parts, reader.tensors, strict=True):
            part["offset"] = int(tensor.data_offset)
        start = min(part["offset"] for part in parts)
        return {
            "version": version,
            "start": base64.b64encode(whole[:start]).decode(),
            "sizeBytes": len(whole),
            "sha256": hashlib.sha256(whole).hexdigest(),
            "tensors": parts,
        }
