"""What the tests of GPT-2, GPT-NeoX, Falcon, MPT and BLOOM compare with, beside the logits: the slopes of ALiBi by
transformers, and the names that llama.cpp's converter gives to tensors, by its library `gguf`.

Run by hand:  python make-classics.py
Made with: Python 3.11, torch 2.13.0 (CPU), transformers 5.17.0, gguf 0.19.0. Writes classics.json beside this file.
"""

import json
import pathlib

import gguf
import torch
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


result = {"slopes": {}, "names": {}}
for num_heads in (6, 8, 12, 71):
    result["slopes"][num_heads] = {rule: values.tolist() for rule, values in slopes(num_heads).items()}
for path in sorted((folder / "logits").glob("*.json")):
    case = json.loads(path.read_text())
    model_type = case["configs"][0]["model_type"]
    if model_type in ARCHITECTURES:
        result["names"][path.stem] = names(model_type, [tensor["name"] for tensor in case["tensors"]])
(folder / "classics.json").write_text(json.dumps(result, separators=(",", ":")) + "\n")
