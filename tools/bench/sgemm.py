"""Times OpenBLAS, through PyTorch, at the products of a ViT-B/32 training step.

usage: sgemm.py SECONDS [--threads T]
"""
import json
import sys
import time

import torch_clip  # puts the thread settings in place before torch is loaded
import torch

SHAPES = [(layout, 1600, n, k) for n, k in ((768, 768), (3072, 768), (768, 3072)) for layout in ("NN", "NT")]
SHAPES += [("TN", 768, 3072, 1600), ("TN", 768, 768, 1600)]

for layout, m, n, k in SHAPES:
    a = torch.randn(k, m).t() if layout == "TN" else torch.randn(m, k)
    b = torch.randn(n, k).t() if layout == "NT" else torch.randn(k, n)
    c = torch.empty(m, n)
    torch.mm(a, b, out=c)
    best, end = float("inf"), time.perf_counter() + float(sys.argv[1])
    while time.perf_counter() < end:
        start = time.perf_counter()
        torch.mm(a, b, out=c)
        best = min(best, time.perf_counter() - start)
    print(json.dumps({"what": f"sgemm {layout} {m}×{n}×{k}", "items_per_s": 2 * m * n * k / best / 1e9}), flush=True)
