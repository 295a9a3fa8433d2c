"""The rate of f16 matrix products on this GPU, by PyTorch, on random numbers. Written for PyTorch 2.11."""

import statistics

import torch

size = 8192
a, b = (torch.randn(size, size, device="cuda", dtype=torch.float16) for _ in range(2))
times = []
for _ in range(13):
    begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    begin.record()
    a @ b
    end.record()
    end.synchronize()
    times.append(begin.elapsed_time(end))
print(f"f16 products TFLOP/s: {2 * size**3 / statistics.median(times[3:]) / 1e9:.0f} ({size} x {size} x {size}, PyTorch {torch.__version__})")
