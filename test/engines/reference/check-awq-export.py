"""Reads an exported AutoAWQ folder with PyTorch and compares it with a plan of the same model, to the last bit.

    quoth quantize MODEL --method awq --out model.plan
    quoth quantize MODEL --method awq --export awq --out model-awq
    python test/engines/reference/check-awq-export.py model.plan model-awq [--logits]

Checked: the codes, zero points and scales are the same; (q - z) * s in float16, as AutoAWQ computes it, is the same from
both; what is not rounded equals the plan's f32 or f16 numbers in float16. With --logits a Llama of transformers with the
dequantized weights gives finite logits for a few ids, printed for a comparison with `quoth score`.

Written with torch 2.13, safetensors 0.8, numpy 2; --logits with transformers 5.17.
"""
import json
import sys
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open

AWQ_REVERSE = [0, 4, 1, 5, 2, 6, 3, 7]  # AutoAWQ, awq/utils/packing_utils.py


def unpack_awq(qweight, qzeros):
    """[K, N/8] and [K/128, N/8] int32 -> codes [K, N] and zeros [K/128, N]; as AutoAWQ's `unpack_awq` and its reorder."""
    shifts = torch.arange(0, 32, 4)
    def unpack(words):
        nibbles = (words[:, :, None] >> shifts[None, None, :]).to(torch.int8) & 15
        nibbles = nibbles[:, :, AWQ_REVERSE]
        return nibbles.reshape(words.shape[0], -1)
    return unpack(qweight), unpack(qzeros)


def read_plan(path):
    data = np.memmap(path, dtype=np.uint8, mode="r")
    assert bytes(data[:8]) == b"QUOTHPLN"
    size = int(data[12:16].view("<u4")[0])
    return data, json.loads(bytes(data[48 : 48 + size]))


def int4_of_plan(data, tensor):
    """Records of 16 rows x 128 columns (engines/plan/format.md) -> codes [N, K], scales f16 [N, K/128], zeros."""
    rows, groups = tensor["rows"], tensor["columns"] // 128
    tiles = -(-rows // 16)
    raw = np.asarray(data[tensor["offset"] : tensor["offset"] + tensor["sizeBytes"]]).reshape(tiles, groups, 1088)
    body = raw[:, :, :1024].reshape(tiles, groups, 16, 16, 4)  # vector i, row r, byte j
    codes = np.stack([body & 15, body >> 4], axis=4)  # vector, row, (low, high), j: column 8 i + 4 half + j
    codes = codes.transpose(0, 3, 1, 2, 4, 5).reshape(tiles * 16, groups * 128)[:rows]
    ends = np.ascontiguousarray(raw[:, :, 1024:]).view("<f2").reshape(tiles, groups, 2, 16)
    scales = ends[:, :, 0].transpose(0, 2, 1).reshape(tiles * 16, groups)[:rows]
    zeros = ends[:, :, 1].transpose(0, 2, 1).reshape(tiles * 16, groups)[:rows]
    return codes, scales, zeros


def main():
    plan_path, folder = sys.argv[1], Path(sys.argv[2])
    data, header = read_plan(plan_path)
    exported = {}
    for file in sorted(folder.glob("*.safetensors")):
        with safe_open(file, "pt") as shard:
            exported.update({name: shard.get_tensor(name) for name in shard.keys()})
    if (folder / "model.safetensors.index.json").exists():
        index = json.loads((folder / "model.safetensors.index.json").read_text())["weight_map"]
        assert set(index) == set(exported), "the index does not name what is there"
    weights, compared = {}, 0
    for tensor in header["tensors"]:
        first = 0
        parts = tensor["name"].split("+")
        if tensor["type"] == "int4_g128":
            codes, scales, zeros = int4_of_plan(data, tensor)
        for name in parts:
            at = name.removesuffix(".weight")
            if f"{at}.qweight" in exported:
                assert tensor["type"] == "int4_g128", f"{name} is {tensor['type']} in the plan"
                q, z = unpack_awq(exported[f"{at}.qweight"], exported[f"{at}.qzeros"])
                s = exported[f"{at}.scales"]
                rows = q.shape[1]
                mine = slice(first, first + rows)
                first += rows
                assert s.dtype == torch.float16 and exported[f"{at}.qweight"].dtype == torch.int32
                assert np.array_equal(q.numpy().T, codes[mine]), f"{name}: other codes"
                assert np.array_equal(z.numpy().T, zeros[mine].astype(np.int8)), f"{name}: other zero points"
                assert np.array_equal(s.numpy().T.view("<u2"), scales[mine].view("<u2")), f"{name}: other scales"
                # AutoAWQ: (iweight - izeros.repeat) * scales.repeat in float16
                theirs = (q.half() - z.half().repeat_interleave(128, 0)) * s.repeat_interleave(128, 0)
                wide = torch.from_numpy(codes[mine].astype(np.float32)) - torch.from_numpy(
                    zeros[mine].astype(np.float32)
                ).repeat_interleave(128, 1)
                ours = (wide * torch.from_numpy(scales[mine].astype(np.float32)).repeat_interleave(128, 1)).half()
                assert torch.equal(theirs.T.contiguous().view(torch.int16), ours.view(torch.int16)), f"{name}: other weights"
                weights[name] = theirs.T.float()
                compared += 1
            elif name in exported and tensor["type"] in ("f32", "f16"):
                dtype = "<f4" if tensor["type"] == "f32" else "<f2"
                numbers = np.asarray(data[tensor["offset"] : tensor["offset"] + tensor["sizeBytes"]]).view(dtype)
                count = exported[name].numel()
                own = numbers[first : first + count].astype(np.float16)
                first += count
                assert exported[name].dtype == torch.float16, f"{name} is no float16"
                assert np.array_equal(exported[name].numpy().reshape(-1).view("<u2"), own.view("<u2")), f"{name} differs"
                weights[name] = exported[name].float()
                compared += 1
            else:
                assert name not in exported or tensor["type"] == "q8", f"{name} was not compared"
                if name in exported:
                    weights[name] = exported[name].float()
    named = {name.removesuffix(end) + ".weight" for name in exported for end in (".qweight",) if name.endswith(end)}
    assert named <= set(weights), "a linear of the export is not in the plan"
    print(f"{compared} tensors are equal to the last bit ({len(named)} of them in 4 bits)")

    if "--logits" in sys.argv:
        from transformers import LlamaConfig, LlamaForCausalLM

        config = json.loads((folder / "config.json").read_text())
        config.pop("quantization_config")
        config.pop("torch_dtype", None)
        model = LlamaForCausalLM(LlamaConfig(**config)).float().eval()
        missing, unexpected = model.load_state_dict(weights, strict=False)
        assert not unexpected and all("rotary" in name or name == "lm_head.weight" for name in missing), (missing, unexpected)
        ids = torch.tensor([[(7 * i * i + 3 * i) % config["vocab_size"] for i in range(24)]])
        with torch.no_grad():
            logprobs = torch.log_softmax(model(ids).logits[0, :-1].double(), -1)
        scores = logprobs.gather(1, ids[0, 1:, None])[:, 0].tolist()
        print(json.dumps({"ids": ids[0].tolist(), "logprobs": [round(score, 5) for score in scores]}))


if __name__ == "__main__":
    main()
