"""Packed weights with the numbers that PyTorch makes of them: test/engines/reference/quantized.safetensors.

    python make-quantized.py quantized.safetensors

Made with Python 3.11, torch 2.13.0, safetensors 0.8, numpy 2.4. Read by test/engines/quantized.test.ts, which needs none of
them. For each case NAME the file holds

    NAME.<ending>            the packed tensors as the hub has them (qweight, weight_packed, ...)
    expected.NAME            F32 [N, K]: the weights, outputs x inputs

The packed words are random bits, so every code and zero point stands in every place; scales are positive, negative, tiny
(below f16's normal numbers) and zero. What they mean is computed here by the formats' own words:

    AutoAWQ gemm    word c of a row: nibble i is output 8 c + (0, 2, 4, 6, 1, 3, 5, 7)[i]; w[k, n] = (q - z) s
    AutoAWQ gemv    words along the inputs, in order; zeros and scales padded to whole vectors
    AutoAWQ gemv_fast   packed by the published steps: 32 columns as (4, 4, 2) with the first two axes swapped, each eight
                    with even before odd, four rows side by side in 64 columns; zeros as -z s
    GPTQ            words along the inputs; v1 stores z - 1; g_idx says the group of an input
    compressed-tensors  words along the inputs, q + 8 (or 128); zeros along the outputs, + 8 (or 128)
"""

import sys

import torch
from safetensors.torch import save_file

N, K = 24, 256
tensors: dict[str, torch.Tensor] = {}
generator = torch.Generator().manual_seed(20260)


def random_words(*shape: int) -> torch.Tensor:
    return torch.randint(-(2**31), 2**31, shape, generator=generator, dtype=torch.int64).to(torch.int32)


def random_scales(*shape: int, dtype: torch.dtype = torch.float16) -> torch.Tensor:
    scales = (torch.rand(shape, generator=generator) - 0.3) * 0.05
    flat = scales.view(-1)
    flat[::7] *= 1e-4  # below f16's normal numbers
    flat[3] = 0
    if dtype == torch.bfloat16:
        flat[::7] *= 1e4  # a bf16 of that size is no f16
    return scales.to(dtype)


def unpack(words: torch.Tensor, bits: int) -> torch.Tensor:
    """i32 [..., C] -> codes [..., C, 32 / bits], the lowest bits first."""
    shifts = torch.arange(0, 32, bits)
    return (words.to(torch.int64).unsqueeze(-1) >> shifts) & (2**bits - 1)


def weights(codes: torch.Tensor, zeros: torch.Tensor, scales: torch.Tensor, groups: torch.Tensor) -> torch.Tensor:
    """codes [N, K], zeros and scales [N, G], groups [K] -> f32 [N, K]."""
    return (codes - zeros[:, groups]).float() * scales.float()[:, groups]


def consecutive(group_size: int) -> torch.Tensor:
    return torch.arange(K) // group_size


def awq_gemm(name: str, group_size: int) -> None:
    num_groups = K // group_size
    qweight, qzeros = random_words(K, N // 8), random_words(num_groups, N // 8)
    scales = random_scales(num_groups, N)
    order = torch.tensor([0, 2, 4, 6, 1, 3, 5, 7])

    def outputs(words: torch.Tensor) -> torch.Tensor:
        nibbles = unpack(words, 4)
        placed = torch.empty_like(nibbles)
        placed[..., order] = nibbles
        return placed.flatten(-2).T  # [N, ...]

    tensors.update({f"{name}.qweight": qweight, f"{name}.qzeros": qzeros, f"{name}.scales": scales})
    tensors[f"expected.{name}"] = weights(outputs(qweight), outputs(qzeros), scales.T, consecutive(group_size))


def zeros_width(num_groups: int, group_size: int) -> int:
    multiple = {32: 4, 64: 2}.get(group_size, 1)
    words = -(-num_groups // 8)
    return -(-words // multiple) * multiple


def awq_gemv(name: str, group_size: int) -> None:
    num_groups = K // group_size
    words = zeros_width(num_groups, group_size)
    qweight, qzeros = random_words(N, K // 8), random_words(N, words)
    scales = random_scales(N, 8 * words)
    zeros = unpack(qzeros, 4).flatten(-2)[:, :num_groups]
    tensors.update({f"{name}.qweight": qweight, f"{name}.qzeros": qzeros, f"{name}.scales": scales})
    tensors[f"expected.{name}"] = weights(
        unpack(qweight, 4).flatten(-2), zeros, scales[:, :num_groups], consecutive(group_size)
    )


def awq_gemv_fast(name: str, group_size: int) -> None:
    num_groups = K // group_size
    width = 8 * zeros_width(num_groups, group_size)
    codes = torch.randint(0, 16, (N, K), generator=generator)
    zeros = torch.randint(0, 16, (N, num_groups), generator=generator)
    scales = random_scales(N, num_groups)
    scales = torch.where(scales.abs() < 1e-4, torch.tensor(0.01, dtype=torch.float16), scales)

    packed = codes.reshape(N, K // 32, 4, 4, 2).permute(0, 1, 3, 2, 4).reshape(N, K // 32, 32)
    packed = packed.reshape(N, K // 32, 4, 4, 2).permute(0, 1, 2, 4, 3).reshape(N, K)
    packed = packed.reshape(N // 4, 4, K // 64, 64).permute(0, 2, 1, 3).reshape(N // 4, K // 64, 64, 4)
    words = packed[..., 0] | packed[..., 1] << 4 | packed[..., 2] << 8 | packed[..., 3] << 12
    padded = torch.zeros(N, width, dtype=torch.float16)
    padded[:, :num_groups] = scales
    scaled = torch.zeros(N, width, dtype=torch.float16)
    scaled[:, :num_groups] = -(scales * zeros.float()).to(torch.float16)
    tensors[f"{name}.qweight"] = words.reshape(N // 4, K).to(torch.int16)
    tensors[f"{name}.scaled_zeros"] = scaled.T.contiguous()
    tensors[f"{name}.scales"] = padded.T.contiguous()
    tensors[f"expected.{name}"] = weights(codes, zeros, scales, consecutive(group_size))


def gptq(name: str, bits: int, group_size: int, stored_less_one: bool, act_order: bool, symmetric: bool = False) -> None:
    num_groups = K // group_size
    qweight, qzeros = random_words(K * bits // 32, N), random_words(num_groups, N * bits // 32)
    if symmetric:
        middle = 2 ** (bits - 1) - (1 if stored_less_one else 0)
        word = sum(middle << (bits * i) for i in range(32 // bits))
        qzeros = torch.full_like(qzeros, word - 2**32 if word >= 2**31 else word)
    scales = random_scales(num_groups, N)
    groups = consecutive(group_size)
    if act_order:
        groups = groups[torch.randperm(K, generator=generator)]
    codes = unpack(qweight.T, bits).flatten(-2)
    zeros = unpack(qzeros, bits).flatten(-2).T + (1 if stored_less_one else 0)
    tensors.update({f"{name}.qweight": qweight, f"{name}.qzeros": qzeros, f"{name}.scales": scales})
    tensors[f"{name}.g_idx"] = groups.to(torch.int32)
    tensors[f"expected.{name}"] = weights(codes, zeros, scales.T, groups)


def compressed(
    name: str, bits: int, group_size: int, symmetric: bool, dtype: torch.dtype = torch.bfloat16, act_order: bool = False
) -> None:
    num_groups, middle = K // group_size, 2 ** (bits - 1)
    packed = random_words(N, K * bits // 32)
    scales = random_scales(N, num_groups, dtype=dtype)
    groups = consecutive(group_size)
    zeros = torch.full((N, num_groups), middle)
    tensors[f"{name}.weight_packed"] = packed
    tensors[f"{name}.weight_scale"] = scales
    tensors[f"{name}.weight_shape"] = torch.tensor([N, K])
    if act_order:
        groups = groups[torch.randperm(K, generator=generator)]
        tensors[f"{name}.weight_g_idx"] = groups.to(torch.int32)
    if not symmetric:
        words = random_words(-(-N * bits // 32), num_groups)
        tensors[f"{name}.weight_zero_point"] = words
        zeros = unpack(words.T, bits).flatten(-2).T[:N]
    # Both carry the middle, so that it goes out: (q - middle) - (z - middle).
    tensors[f"expected.{name}"] = weights(unpack(packed, bits).flatten(-2) - middle, zeros - middle, scales, groups)


awq_gemm("awq_gemm_128", 128)
awq_gemm("awq_gemm_32", 32)
awq_gemv("awq_gemv_128", 128)
awq_gemv("awq_gemv_64", 64)
awq_gemv_fast("awq_gemv_fast_128", 128)
awq_gemv_fast("awq_gemv_fast_32", 32)
gptq("gptq_v1_128", 4, 128, stored_less_one=True, act_order=False)
gptq("gptq_v1_order_32", 4, 32, stored_less_one=True, act_order=True)
gptq("gptq_v2_order_128", 4, 128, stored_less_one=False, act_order=True)
gptq("gptq_v2_row", 4, K, stored_less_one=False, act_order=False)
gptq("gptq_8_symmetric", 8, 128, stored_less_one=True, act_order=False, symmetric=True)
gptq("gptq_8_order", 8, 64, stored_less_one=False, act_order=True)
compressed("compressed_128", 4, 128, symmetric=True)
compressed("compressed_order_64", 4, 64, symmetric=False, dtype=torch.float16, act_order=True)
compressed("compressed_row", 4, K, symmetric=False)
compressed("compressed_8", 8, 128, symmetric=True)

save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, sys.argv[1])
