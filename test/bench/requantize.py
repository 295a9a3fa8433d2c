"""The same trained weights as an ordinary 4-bit GGUF, so that both engines read one file: input of `peers.ts`.

    python3 test/bench/requantize.py SOURCE.gguf OUT.gguf q4_0|q4_k          (packages: gguf 0.19, numpy 2; a minute)

Every matrix of SOURCE is made float32 and rounded anew as llama.cpp lays these types out: q4_0, blocks of 32 with one
scale; q4_k, blocks of 256 with eight 6-bit scales and offsets, each block's least squares over a few candidates. As
in llama.cpp's own files the head is q6_k and the table of tokens as the linears are; vectors are float32.
"""
import sys

import numpy as np
from gguf import GGMLQuantizationType as Type
from gguf import GGUFReader, GGUFWriter, GGUFValueType, LlamaFileType
from gguf.quants import dequantize, quantize


def scale_and_offset(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """x [n, 32] -> scale, offset >= 0 [n] with x about scale * (0 .. 15) - offset, by least squares on rounded codes."""
    low = np.minimum(x.min(axis=1), 0)
    high = np.maximum(x.max(axis=1), 0)
    best = (np.full(len(x), np.inf), np.zeros(len(x)), np.zeros(len(x)))
    for step in range(-5, 8):
        scale = (high - low) / (15 + 0.15 * step)
        safe = np.where(scale > 0, scale, 1)
        q = np.clip(np.rint((x - low[:, None]) / safe[:, None]), 0, 15)
        mean_q, mean_x = q.mean(axis=1), x.mean(axis=1)
        spread = ((q - mean_q[:, None]) ** 2).sum(axis=1)
        fitted = ((q - mean_q[:, None]) * (x - mean_x[:, None])).sum(axis=1) / np.where(spread > 0, spread, 1)
        fitted = np.maximum(fitted, 0)
        offset = np.maximum(fitted * mean_q - mean_x, 0)
        error = ((fitted[:, None] * q - offset[:, None] - x) ** 2).sum(axis=1)
        better = error < best[0]
        best = tuple(np.where(better, new, old) for new, old in zip((error, fitted, offset), best))
    return best[1], best[2]


def half(x: np.ndarray) -> np.ndarray:
    return x.astype(np.float16)


def q4_k(x: np.ndarray) -> np.ndarray:
    """x [n, 256] -> bytes [n, 144]: d, dmin (f16), 12 bytes of 6-bit scales and offsets, 128 bytes of codes."""
    parts = x.reshape(-1, 32)
    scale, offset = (a.reshape(-1, 8) for a in scale_and_offset(parts))
    d, dmin = half(scale.max(axis=1) / 63), half(offset.max(axis=1) / 63)
    by = lambda a, unit: np.clip(np.rint(a / np.where(unit > 0, unit, 1).astype(np.float32)[:, None]), 0, 63).astype(np.uint8)
    s, m = by(scale, d), by(offset, dmin)
    real_scale = d.astype(np.float32)[:, None] * s
    real_offset = dmin.astype(np.float32)[:, None] * m
    safe = np.where(real_scale > 0, real_scale, 1)[:, :, None]
    q = np.clip(np.rint((x.reshape(-1, 8, 32) + real_offset[:, :, None]) / safe), 0, 15).astype(np.uint8)
    packed = np.empty((len(x), 12), np.uint8)
    packed[:, 0:4] = s[:, :4] | ((s[:, 4:] >> 4) << 6)
    packed[:, 4:8] = m[:, :4] | ((m[:, 4:] >> 4) << 6)
    packed[:, 8:12] = (s[:, 4:] & 15) | ((m[:, 4:] & 15) << 4)
    codes = (q[:, 0::2] | (q[:, 1::2] << 4)).reshape(-1, 128)
    return np.concatenate([d.view(np.uint8).reshape(-1, 2), dmin.view(np.uint8).reshape(-1, 2), packed, codes], axis=1)


def q6_k(x: np.ndarray) -> np.ndarray:
    """x [n, 256] -> bytes [n, 210]: low nibbles (128), upper two bits (64), 16 int8 scales, d (f16)."""
    parts = x.reshape(-1, 16, 16)
    at = np.abs(parts).argmax(axis=2)[:, :, None]
    scale = np.take_along_axis(parts, at, axis=2)[:, :, 0] / -32
    largest = np.take_along_axis(scale, np.abs(scale).argmax(axis=1)[:, None], axis=1)[:, 0]
    d = half(largest / -128)
    unit = np.where(d != 0, d, 1).astype(np.float32)
    s = np.clip(np.rint(scale / unit[:, None]), -128, 127).astype(np.int8)
    real = unit[:, None] * s
    safe = np.where(real != 0, real, 1)[:, :, None]
    q = (np.clip(np.rint(parts / safe), -32, 31) + 32).astype(np.uint8).reshape(-1, 2, 4, 32)
    low = np.concatenate([(q[:, :, 0] & 15) | ((q[:, :, 2] & 15) << 4), (q[:, :, 1] & 15) | ((q[:, :, 3] & 15) << 4)], axis=2)
    high = (q[:, :, 0] >> 4) | ((q[:, :, 1] >> 4) << 2) | ((q[:, :, 2] >> 4) << 4) | ((q[:, :, 3] >> 4) << 6)
    return np.concatenate(
        [low.reshape(-1, 128), high.reshape(-1, 64), s.view(np.uint8), d.view(np.uint8).reshape(-1, 2)], axis=1
    )


def rounded(x: np.ndarray, type: Type) -> np.ndarray:
    """x [rows, columns] -> the bytes of the rows; some thousands of rows at once."""
    if type == Type.Q4_0:
        return quantize(x, type)
    one = q4_k if type == Type.Q4_K else q6_k
    return np.concatenate([one(x[i : i + 512].reshape(-1, 256)).reshape(len(x[i : i + 512]), -1) for i in range(0, len(x), 512)])


def main(source: str, out: str, name: str) -> None:
    linear = {"q4_0": Type.Q4_0, "q4_k": Type.Q4_K}[name]
    reader = GGUFReader(source)
    writer = GGUFWriter(out, reader.fields["general.architecture"].contents())
    for field in reader.fields.values():
        if field.name.startswith("GGUF.") or field.name in ("general.architecture", "general.file_type"):
            continue
        sub_type = field.types[-1] if field.types[0] == GGUFValueType.ARRAY else None
        writer.add_key_value(field.name, field.contents(), field.types[0], sub_type=sub_type)
    writer.add_file_type(LlamaFileType.MOSTLY_Q4_0 if linear == Type.Q4_0 else LlamaFileType.MOSTLY_Q4_K_S)
    for tensor in reader.tensors:
        x = dequantize(tensor.data, tensor.tensor_type).astype(np.float32)
        if x.ndim == 1:
            writer.add_tensor(tensor.name, x)
            continue
        type = Type.Q6_K if tensor.name == "output.weight" else linear
        data = rounded(x, type)
        back = dequantize(data, type)
        error = float(np.sqrt(((back - x) ** 2).sum() / (x**2).sum()))
        print(f"{tensor.name} {tensor.tensor_type.name} -> {type.name}: relative error {error:.4f}", flush=True)
        assert error < 0.2, "this is not the same weight"
        writer.add_tensor(tensor.name, data, raw_dtype=type)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


main(*sys.argv[1:])
