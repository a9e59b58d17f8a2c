"""Writes resize.json: PyTorch's interpolate on small grids and lines, called as
open_clip's resize_pos_embed and resize_text_pos_embed call it.

Run with PyTorch 1.13.1 (CPU): python3 resize.py > resize.json
"""
import json

import torch
import torch.nn.functional as F

WIDTH = 3


def values(n):
    """n numbers that any language computes alike."""
    return torch.tensor([(i * 7919 % 257 - 128) / 128 for i in range(n)], dtype=torch.float32)


cases = []
for old, new in [((7, 7), (14, 14)), ((7, 7), (12, 9)), ((16, 16), (7, 7)), ((5, 5), (3, 8)), ((9, 4), (4, 9)),
                 ((1, 1), (2, 3)), ((4, 4), (1, 1)), ((24, 24), (16, 16))]:
    x = values(old[0] * old[1] * WIDTH).reshape(1, *old, WIDTH).permute(0, 3, 1, 2)
    y = F.interpolate(x, size=new, mode="bicubic", antialias=True, align_corners=False)
    cases.append({"from": old, "to": new, "want": y.permute(0, 2, 3, 1).flatten().tolist()})
for old, new in [(77, 32), (16, 77), (5, 5), (1, 4), (4, 1)]:
    x = values(old * WIDTH).reshape(1, old, WIDTH).permute(0, 2, 1)
    y = F.interpolate(x, size=new, mode="linear", antialias=False, align_corners=False)
    cases.append({"from": [old], "to": [new], "want": y.permute(0, 2, 1).flatten().tolist()})
# Nine digits place a float32 to its last bit.
cases = [dict(c, want=[round(v, 9) for v in c["want"]]) for c in cases]
print("[\n" + ",\n".join(json.dumps(c) for c in cases) + "\n]")
