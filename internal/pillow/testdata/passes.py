"""Writes passes.txt: CRC-32 of what a Pillow makes of a drawn image, one line a case.

    python passes.py >passes.txt    with Pillow 13.0.0 and a Python with 12.3.0 as argument
"""
import random
import subprocess
import sys
import zlib

import numpy as np
import PIL
from PIL import Image


def drawn(mode, width, height):
    y, x = np.mgrid[0:height, 0:width].astype(np.uint32)
    planes = [((x * x * 7 + y * y * 13 + x * y * 5 + c * 101) * np.uint32(2654435761) >> np.uint32(17)) % 256 for c in range(4)]
    if mode == "I;16":
        return Image.fromarray((planes[0] * 256 + planes[1]).astype(np.uint16))
    if mode == "L":
        return Image.fromarray(planes[0].astype(np.uint8))
    count = {"RGB": 3, "RGBA": 4, "CMYK": 4}[mode]
    return Image.fromarray(np.stack(planes[:count], 2).astype(np.uint8), mode=mode)


def main():
    random.seed(16)
    for mode in ["RGB", "L", "RGBA", "CMYK", "I;16"]:
        for filter in ["BICUBIC", "LANCZOS", "BILINEAR", "BOX", "HAMMING"]:
            for _ in range(8):
                w, h, W, H = [random.randint(1, 70) for _ in range(4)]
                image = drawn(mode, w, h)
                if mode == "I;16":
                    image = image.convert("I")
                small = image.resize((W, H), Image.Resampling[filter]).convert("RGB")
                print(mode, filter.lower(), w, h, W, H, f"{zlib.crc32(small.tobytes()):08x}")


if len(sys.argv) > 1:
    own = subprocess.run([sys.executable, "-W", "ignore", __file__], capture_output=True, text=True, check=True).stdout.splitlines()
    other = subprocess.run([sys.argv[1], "-W", "ignore", __file__], capture_output=True, text=True, check=True).stdout.splitlines()
    print("# mode, filter, width and height before and after, CRC-32 of Pillow 13.0.0 and of 12.3.0")
    for a, b in zip(own, other):
        print(a, b.split()[-1])
else:
    main()
