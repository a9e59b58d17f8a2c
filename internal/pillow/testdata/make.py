#!/usr/bin/python3
"""Writes the pictures of this folder and, to reference.txt, what Pillow makes
of each: file name, mode, and the SHA-256 of convert("RGB")'s bytes.
Made with Pillow 9.4.0 (libtiff 4.5.0, libwebp 1.2.4)."""
import hashlib
import os
import random

from PIL import Image, ImageOps

os.chdir(os.path.dirname(os.path.abspath(__file__)))
random.seed(1)
W, H = 23, 17
pixels = [((11 * x) % 256, (15 * y) % 256, (x * y + random.randrange(12)) % 256) for y in range(H) for x in range(W)]
rgb = Image.new("RGB", (W, H))
rgb.putdata(pixels)
gray = rgb.convert("L")
bilevel = rgb.convert("1")
alpha = Image.new("L", (W, H))
alpha.putdata([(9 * i) % 256 for i in range(W * H)])
rgba = rgb.copy()
rgba.putalpha(alpha)
palette = rgb.convert("P", palette=Image.ADAPTIVE, colors=11)
ramp = Image.new("P", (W, H))
ramp.putdata(gray.getdata())
ramp.putpalette([v for i in range(256) for v in (i, i, i)])
turned = Image.Exif()
turned[274] = 6

files = [
    ("bits1.bmp", bilevel, {}), ("bits8.bmp", palette, {}), ("gray.bmp", gray, {}), ("bits32.bmp", rgba, {}),
    ("plain.gif", palette, {}), ("interlaced.gif", palette, {"interlace": 1}), ("ramp.gif", ramp, {}),
    ("clear.gif", palette, {"transparency": 3}), ("ramp_clear.gif", gray, {"transparency": 40}),
    ("bits2.png", palette.quantize(4), {"bits": 2}), ("clear.png", palette, {"transparency": 2}),
    ("alphas.png", palette, {"transparency": bytes(range(0, 250, 25))}),
    ("raw.tiff", rgb, {}), ("lzw.tiff", rgba, {"compression": "tiff_lzw"}),
    ("deflate.tiff", palette, {"compression": "tiff_adobe_deflate"}), ("packbits.tiff", gray, {"compression": "packbits"}),
    ("bits1.tiff", bilevel, {}), ("group4.tiff", bilevel, {"compression": "group4"}),
    ("turned.tiff", rgb, {"tiffinfo": {274: 8}}),
    ("lossless.webp", rgb, {"lossless": True}), ("lossless_alpha.webp", rgba, {"lossless": True, "exact": True}),
    ("lossy.webp", rgb, {"quality": 60}), ("lossy_alpha.webp", rgba, {"quality": 60}),
    ("turned.webp", rgb, {"lossless": True, "exif": turned}),
    ("animated.webp", rgb, {"save_all": True, "append_images": [ImageOps.mirror(rgb)], "quality": 50}),
]
with open("reference.txt", "w") as out:
    for name, image, options in files:
        image.save(name, **options)
        with Image.open(name) as back:
            back.load()
            digest = hashlib.sha256(back.convert("RGB").tobytes()).hexdigest()
            print(name, back.mode, digest, file=out)
