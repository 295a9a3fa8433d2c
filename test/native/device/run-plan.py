"""A plan's program in PyTorch, in float32 over the weights that the plan's bytes mean, to compare a device with.

    python3 run-plan.py PLAN IDS FOUND NUM_SEQUENCES

IDS: int32 [S, T]. FOUND: float32, what a device gave: logits [S, T, V], or embeddings [S, D]. Prints one line of JSON: for logits
the mean and the largest Kullback-Leibler divergence of a token from this program's, for embeddings the least cosine. It knows the
layouts of engines/plan/format.md and the steps of the families of Llama and BERT. Keys and values are kept in float32 here.
Written for PyTorch 2.11 to 2.13 and numpy 2.
"""

import json
import sys

import numpy as np
import torch

GROUP = {"q8": (32, 544), "int4_g32": (32, 320), "int4_g128": (128, 1088)}
device = "cuda" if torch.cuda.is_available() else "cpu"
torch.backends.cuda.matmul.allow_tf32 = False


def read_header(path):
    with open(path, "rb") as file:
        start = file.read(48)
        assert start[:8] == b"QUOTHPLN"
        return json.loads(file.read(int.from_bytes(start[12:16], "little")))


def matrix(raw, tensor):
    """A tensor's numbers, float32 [N, K]."""
    kind, n, k = tensor["type"], tensor["rows"], tensor["columns"]
    if kind in ("f32", "f16"):
        numbers = torch.from_numpy(raw.view("<f4" if kind == "f32" else "<f2").copy())
        return numbers.to(device).float().view(n, k)
    g, size = GROUP[kind]
    blocks = -(-n // 16)
    records = torch.from_numpy(raw.copy()).to(device).view(blocks, k // g, size)
    tail = 32 if kind == "q8" else 64
    ends = records[..., size - tail :].contiguous().view(torch.float16).float().view(blocks, k // g, tail // 32, 16)
    weights = records[..., : size - tail]
    if kind == "q8":  # byte 4 r + j of vector i: row r, column 4 i + j
        values = weights.view(blocks, k // g, g // 4, 16, 4).float() - 128
        values = values.permute(0, 3, 1, 2, 4).reshape(blocks, 16, k // g, g)
        zeros = 0
    else:  # low nibble: column 8 i + j, high nibble: column 8 i + 4 + j
        weights = weights.view(blocks, k // g, g // 8, 16, 4)
        values = torch.stack((weights & 15, weights >> 4), dim=-2).float()  # [.., i, r, half, j]
        values = values.permute(0, 3, 1, 2, 4, 5).reshape(blocks, 16, k // g, g)
        zeros = ends[:, :, 1].permute(0, 2, 1).unsqueeze(-1)
    scales = ends[:, :, 0].permute(0, 2, 1).unsqueeze(-1)
    return ((values - zeros) * scales).reshape(blocks * 16, k)[:n]


class Program:
    def __init__(self, path):
        self.header = read_header(path)
        self.file = np.memmap(path, dtype=np.uint8, mode="r")
        self.held = {}

    def weight(self, index):
        if index not in self.held:
            tensor = self.header["tensors"][index]
            raw = np.array(self.file[tensor["offset"] : tensor["offset"] + tensor["sizeBytes"]])
            self.held[index] = matrix(raw, tensor)
        return self.held[index]

    def run(self, ids):
        """The output for one sequence: [T, V], or [1, D]."""
        buffers = [None] * len(self.header["program"]["buffers"])
        kept = {}
        t = len(ids)
        positions = torch.arange(t, device=device)

        def get(view):
            buffer, first, width = view
            return buffers[buffer][:, first : first + width]

        def put(view, values):
            buffer, first, width = view
            spec = self.header["program"]["buffers"][buffer]
            rows = values.shape[0]
            if buffers[buffer] is None or buffers[buffer].shape[0] != rows:
                buffers[buffer] = torch.full((rows, spec["width"]), float("nan"), device=device)
            buffers[buffer][:, first : first + width] = values

        def rms(x, w, epsilon):
            return x * torch.rsqrt((x * x).mean(-1, keepdim=True) + epsilon) * w

        def layer_norm(x, w, b, epsilon):
            return torch.nn.functional.layer_norm(x, (x.shape[-1],), w.view(-1), b.view(-1), epsilon)

        def activate(x, name):
            functional = torch.nn.functional
            return {
                "none": lambda: x,
                "silu": lambda: functional.silu(x),
                "gelu": lambda: functional.gelu(x),
                "gelu_tanh": lambda: functional.gelu(x, approximate="tanh"),
                "relu": lambda: functional.relu(x),
                "tanh": lambda: torch.tanh(x),
            }[name]()

        def turn(x, step, frequencies):
            half = step["rotarySize"] // 2
            assert not step["adjacentPairs"]
            angles = positions[:, None].float() * frequencies.view(1, -1)
            factor = step.get("factor", 1)
            cosine, sine = (angles.cos() * factor)[:, None], (angles.sin() * factor)[:, None]
            a, b = x[..., :half], x[..., half : 2 * half]
            return torch.cat((a * cosine - b * sine, b * cosine + a * sine, x[..., 2 * half :]), dim=-1)

        def attend(q, k, v, step, causal):
            scores = torch.einsum("thd,shd->hts", q, k) * step["scale"]
            if causal:
                apart = positions[:, None] - positions[None, :]
                hidden = (apart < 0) | ((apart >= step["window"]) if step["window"] > 0 else False)
                scores = scores.masked_fill(hidden, float("-inf"))
            return torch.einsum("hts,shd->thd", scores.softmax(-1), v).reshape(t, -1)

        for step in self.header["program"]["steps"]:
            op, i, o = step["op"], step.get("in", []), step.get("out", [])
            w = [None if index is None else self.weight(index) for index in step.get("weights", [])]
            if op == "embed":
                put(o[0], w[0][ids] * step["scale"])
            elif op == "add_positions":
                put(o[0], get(o[0]) + w[0][positions + step["offset"]])
            elif op == "add_segments":
                put(o[0], get(o[0]) + w[0][0])
            elif op == "gather_outputs":
                put(o[0], get(i[0]))
            elif op == "linear":
                x = get(i[0]) @ w[0].T
                put(o[0], activate(x if w[1] is None else x + w[1], step["activation"]))
            elif op == "rms_norm":
                put(o[0], rms(get(i[0]), w[0], step["epsilon"]))
            elif op == "layer_norm":
                put(o[0], layer_norm(get(i[0]), w[0], w[1], step["epsilon"]))
            elif op in ("add_rms_norm", "add_layer_norm"):
                x = get(i[0]) + get(i[1])
                put(i[0], x)
                put(o[0], rms(x, w[0], step["epsilon"]) if op == "add_rms_norm" else layer_norm(x, *w, step["epsilon"]))
            elif op == "add":
                put(o[0], get(i[0]) + get(i[1]))
            elif op == "add_bias":
                put(o[0], get(o[0]) + w[0].view(-1))
            elif op == "activate":
                put(o[0], activate(get(i[0]), step["activation"]))
            elif op == "gated":
                gate, up = get(i[0]).chunk(2, dim=-1)
                put(o[0], activate(gate, step["activation"]) * up)
            elif op == "rope_kv_write":
                d, h, g = step["headSize"], step["numHeads"], step["numKvHeads"]
                qkv = get(o[0]).view(t, h + 2 * g, d)
                turned = turn(qkv[:, : h + g], step, w[0])
                kept[step["layer"]] = (turned[:, h:], qkv[:, h + g :].clone())
                put(o[0], torch.cat((turned, qkv[:, h + g :]), dim=1).reshape(t, -1))
            elif op == "attention":
                d, h, g = step["headSize"], step["numHeads"], step["numKvHeads"]
                k, v = (one.repeat_interleave(h // g, dim=1) for one in kept[step["layer"]])
                put(o[0], attend(get(i[0]).reshape(t, h, d), k, v, step, True))
            elif op == "attention_full":
                q, k, v = (get(view).reshape(t, step["numHeads"], step["headSize"]) for view in i)
                put(o[0], attend(q, k, v, step, False))
            elif op == "pool_mean":
                put(o[0], get(i[0]).mean(0, keepdim=True))
            elif op == "pool_first":
                put(o[0], get(i[0])[:1])
            elif op == "normalize":
                put(o[0], torch.nn.functional.normalize(get(o[0]), dim=-1, eps=1e-12))
            else:
                raise SystemExit(f"the step {op} is not known here")
        return buffers[self.header["program"]["output"]]


def main():
    path, ids_path, found_path, num_sequences = sys.argv[1:]
    program = Program(path)
    ids = np.fromfile(ids_path, dtype="<i4").reshape(int(num_sequences), -1)
    found = np.memmap(found_path, dtype="<f4", mode="r").reshape(len(ids), -1)
    divergences, cosines, differences, same = [], [], [], []
    with torch.no_grad():
        for row, sequence in enumerate(ids):
            wanted = program.run(torch.from_numpy(sequence.astype(np.int64)).to(device))
            other = torch.from_numpy(np.array(found[row])).to(device).view(wanted.shape)
            differences.append(((wanted - other).norm() / wanted.norm()).item())
            if wanted.shape[0] == 1:
                cosines.append(torch.nn.functional.cosine_similarity(wanted, other).item())
                continue
            p, q = wanted.double().log_softmax(-1), other.double().log_softmax(-1)
            divergences.append((p.exp() * (p - q)).sum(-1))
            same.append((wanted.argmax(-1) == other.argmax(-1)).float().mean().item())
    result = {"sequences": len(ids), "tokens": ids.shape[1], "relative": float(np.max(differences))}
    if divergences:
        kl = torch.cat(divergences)
        result.update(meanKl=kl.mean().item(), maxKl=kl.max().item(), sameTop=float(np.mean(same)))
    else:
        result.update(leastCosine=min(cosines))
    result["torch"] = f"{torch.__version__} on {device}"
    print(json.dumps(result))


main()
