"""Reference logits of small models of the true architectures, by PyTorch and transformers.

Run by hand:  python make-logits.py [name of a case ...]      (no name: all)
Made with: Python 3.11, torch 2.13.0 (CPU), transformers 5.17.0, numpy 2, gguf 0.19.0. Each file says what it was made with.

Cases stand in the files cases_*.py beside this one: a dictionary CASES, name -> dict with
  config       what the hub's config.json says, with its model_type, in the spelling that is published
  prompts      list of lists of ids (prompts.py makes some)
  without      list of changes to the config that must change the output by at least 1 % of its spread: that the case is
               about what it is named after. A change is a dictionary; the value None removes the key
Optional:
  auto         the class of transformers that makes the model (default AutoModelForCausalLM)
  output       function (model, ids) -> matrix (default: the logits of every row)
  kind         'logits' (default), 'embedding' (one row a text) or 'score' (one number a pair)
  files        { path: JSON } more files of the hub's folder, e.g. '1_Pooling/config.json'
  first        for pairs: how many ids of each prompt are the first segment
  contextTokens  the context that the plan is built for, where it is not the model's own
  gguf         the architecture's name in GGUF: the same model as a GGUF file too (gguf_files.py)
  kinds        function (name, shape) -> (around, spread) of a tensor's numbers, or None for `kind_of`
  attention    transformers' implementation of it (default 'eager')
  prepare      function (model): what transformers leaves out of the model
  rename       function name -> name, how the checkpoint calls the tensor where that is not the state dict's name

Each case becomes logits/<case>.json; its weights are not in it: number i of tensor NAME is
  around + spread * (h >> 8 as a fraction of 2^23, less 1),  h = mix(FNV-1a(NAME) ^ (i * 0x9E3779B1)),  rounded to float32
with the 32-bit mix of MurmurHash3. reference.ts makes the same numbers.
"""

import copy
import importlib
import json
import pathlib
import platform
import sys

import numpy as np
import torch
import transformers
from transformers import AutoConfig

sys.dont_write_bytecode = True
folder = pathlib.Path(__file__).parent
sys.path.insert(0, str(folder))
versions = f"Python {platform.python_version()}, torch {torch.__version__}, transformers {transformers.__version__}"


def numbers(name, count, around, spread):
    seed = 0x811C9DC5
    for byte in name.encode():
        seed = ((seed ^ byte) * 0x01000193) & 0xFFFFFFFF
    h = (np.arange(count, dtype=np.uint64) * 0x9E3779B1 & 0xFFFFFFFF) ^ seed
    h ^= h >> 16
    h = h * 0x85EBCA6B & 0xFFFFFFFF
    h ^= h >> 13
    h = h * 0xC2B2AE35 & 0xFFFFFFFF
    h ^= h >> 16
    return (around + spread * ((h >> 8).astype(np.float64) / 2**23 - 1)).astype(np.float32)


def kind_of(name, shape):
    """Around which number, and how far from it: so that activations stay lively through the layers."""
    if len(shape) == 1:
        is_norm = name.endswith("weight")
        return (1.0, 0.3) if is_norm else (0.0, 0.3)
    if any(part in name for part in ("embed", "wte", "wpe")):
        return (0.0, 1.0)
    gain = 2.5 if "head" in name else 1.3
    return (0.0, round(gain * (3 / shape[-1]) ** 0.5, 3))


def make_model(config, case):
    settings = copy.deepcopy(config)  # transformers writes into what it is given
    parsed = AutoConfig.for_model(settings.pop("model_type"), **settings)
    attention = case.get("attention", "eager")
    parsed._attn_implementation = attention
    # The hub's older spellings become the newer here; the copy keeps a config of one case from another's changes.
    auto = getattr(transformers, case.get("auto", "AutoModelForCausalLM"))
    model = auto.from_config(parsed, attn_implementation=attention).float().eval()
    if "prepare" in case:
        case["prepare"](model)
    tensors, seen = [], set()
    for name, tensor in model.state_dict().items():
        if not tensor.is_floating_point() or tensor.data_ptr() in seen:
            continue  # a mask, or a tied head: it is published once
        seen.add(tensor.data_ptr())
        name = case["rename"](name) if "rename" in case else name
        found = case["kinds"](name, tuple(tensor.shape)) if "kinds" in case else None
        around, spread = found or kind_of(name, tuple(tensor.shape))
        values = numbers(name, tensor.numel(), around, spread).reshape(tensor.shape)
        tensor.copy_(torch.from_numpy(values))
        tensors.append({"name": name, "shape": list(tensor.shape), "around": around, "spread": spread})
    return model, parsed, tensors


def logits_of(model, ids):
    return model(torch.tensor([ids]), use_cache=False).logits[0]


def outputs_of(config, case):
    with torch.no_grad():
        model, parsed, tensors = make_model(config, case)
        output = case.get("output", logits_of)
        return [output(model, ids).float().numpy() for ids in case["prompts"]], parsed, tensors


def changed(config, change):
    merged = {**config, **change}
    return {key: value for key, value in merged.items() if value is not None}


def write_case(name, case):
    config = case["config"]
    outputs, parsed, tensors = outputs_of(config, case)
    spread = float(max(matrix.max() for matrix in outputs) - min(matrix.min() for matrix in outputs))
    for change in case.get("without", []):
        others, _, _ = outputs_of(changed(config, change), case)
        moved = max(float(abs(a - b).max()) for a, b in zip(outputs, others))
        assert moved > 0.01 * spread, f"{name}: without {change} the output moves by {moved:.2g} only"
    saved = json.loads(parsed.to_json_string(use_diff=False))
    for key in ("_name_or_path", "transformers_version", "dtype", "id2label", "label2id", "chunk_size_feed_forward",
                "output_attentions", "output_hidden_states", "return_dict", "problem_type", "architectures"):
        if key not in config:
            saved.pop(key, None)
    result = {
        "versions": versions,
        "kind": case.get("kind", "logits"),
        # As published, and as transformers 5 saves it.
        "configs": [config, saved],
        "tensors": tensors,
        "sequences": [
            {"ids": ids, "output": [float(f"{value:.6g}") for value in matrix.flatten()]}
            for ids, matrix in zip(case["prompts"], outputs)
        ],
    }
    for key in ("files", "first", "contextTokens"):
        if key in case:
            result[key] = case[key]
    if case.get("gguf"):
        from gguf_files import write_gguf

        arrays = lambda tensor: numbers(
            tensor["name"], int(np.prod(tensor["shape"])), tensor["around"], tensor["spread"]
        ).reshape(tensor["shape"])
        result["gguf"] = write_gguf(case["gguf"], saved, tensors, arrays)
    text = json.dumps(result, separators=(",", ":"))
    assert len(text) < 60_000, f"{name}: {len(text)} bytes"
    (folder / "logits" / f"{name}.json").write_text(text + "\n")
    print(f"{name}: spread {spread:.3g}, {len(text)} bytes")


def main():
    torch.set_num_threads(1)
    wanted = set(sys.argv[1:])
    for path in sorted(folder.glob("cases_*.py")):
        for name, case in importlib.import_module(path.stem).CASES.items():
            if not wanted or name in wanted:
                write_case(name, case)


if __name__ == "__main__":
    main()
