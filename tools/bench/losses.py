"""Contrastive losses with their gradients, by open_clip's ClipLoss and SigLipLoss in PyTorch, eager.

usage: losses.py THREADS [avx2]

It reads a work a line, such as infonce/2048, of embeddings (B, 512), runs it for half a second, three times at
least, and answers with the seconds of the quickest run.
"""
import os
import sys
import time

if "avx2" in sys.argv[2:]:
    os.environ.update(ATEN_CPU_CAPABILITY="avx2", ONEDNN_MAX_CPU_ISA="AVX2", MKL_ENABLE_INSTRUCTIONS="AVX2")

import torch  # noqa: E402
from open_clip.loss import ClipLoss, SigLipLoss  # noqa: E402

torch.set_num_threads(int(sys.argv[1]))


def work(kind, b, d=512):
    torch.manual_seed(1)
    image, text = (torch.nn.functional.normalize(torch.randn(b, d), dim=-1).requires_grad_() for _ in range(2))
    scale, bias = torch.tensor(10.0, requires_grad=True), torch.tensor(-3.0, requires_grad=True)
    module = ClipLoss() if kind == "infonce" else SigLipLoss()

    def run():
        for x in (image, text, scale, bias):
            x.grad = None
        cost = module(image, text, scale) if kind == "infonce" else module(image, text, scale, bias)
        cost.backward()
    return run


works = {}
print("ready", flush=True)
for line in sys.stdin:
    name = line.strip()
    if name not in works:
        kind, b = name.split("/")
        works[name] = work(kind, int(b))
        works[name]()
    best, runs, end = float("inf"), 0, time.perf_counter() + 0.5
    while runs < 3 or time.perf_counter() < end:
        start = time.perf_counter()
        works[name]()
        best, runs = min(best, time.perf_counter() - start), runs + 1
    print(best, flush=True)
