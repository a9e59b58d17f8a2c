#!/usr/bin/python3
"""Writes crops.txt: what Pillow makes of boxes of two pictures, RGBA and opaque,
cut out and resized: kind, width, height, box, new size, filter, and the SHA-256 of the
bytes of RGBA. Made with Pillow 9.5.0."""
import hashlib
import os
import random

from PIL import Image

os.chdir(os.path.dirname(os.path.abspath(__file__)))
random.seed(1)


def picture(kind, width, height):
    """The picture that crop_test.go makes, too."""
    values = bytearray((i * i // 7 + 37 * i) % 256 for i in range(4 * width * height))
    if kind == "opaque":
        values[3::4] = b"\xff" * (width * height)
    return Image.frombytes("RGBA", (width, height), bytes(values))


with open("crops.txt", "w") as out:
    for kind in ["alpha", "opaque"]:
        for width, height in [(1, 1), (2, 1), (23, 40), (120, 75)]:
            image = picture(kind, width, height)
            for i in range(6):
                left, top = random.randrange(width), random.randrange(height)
                box = (left, top, random.randint(left + 1, width), random.randint(top + 1, height))
                size = (random.randint(1, 50), random.randint(1, 50))
                if i == 0:
                    size = (box[2] - box[0], box[3] - box[1])
                for name in ["bicubic", "bilinear"]:
                    resized = image.crop(box).resize(size, getattr(Image.Resampling, name.upper()))
                    print(kind, width, height, *box, *size, name, hashlib.sha256(resized.tobytes()).hexdigest(), file=out)
