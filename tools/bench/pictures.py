"""Picture files to normalised pixels of 224×224, on one core.

usage: pictures.py write FOLDER | pictures.py KIND

KIND: pillow (the steps of open_clip's transform); draft (the same behind Pillow's draft mode); torchvision (its
decoder, antialiased bicubic resizing of bytes); opencv (INTER_AREA); reduced (OpenCV's decoding at a part of the size).
It reads a path a line, does the file twice, and answers with the seconds that the quicker took; "none" where
the library has no way to read it.
"""
import os
import sys
import time

import numpy as np

MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
SIDE = 224


def synthetic(rng, h, w):
    """A picture whose spectrum falls as photographs' does."""
    fy, fx = np.fft.fftfreq(h)[:, None], np.fft.rfftfreq(w)[None]
    fall = 1 / (np.hypot(fy, fx) + 2 / w) ** 1.25
    noise = [np.fft.irfft2(fall * np.fft.rfft2(rng.standard_normal((h, w))), (h, w)) for _ in range(3)]
    grey = noise[0] / noise[0].std()
    out = np.stack([grey + 0.35 * n / n.std() for n in noise], -1)
    out += 0.02 * rng.standard_normal(out.shape)
    return np.clip(118 + 52 * out, 0, 255).astype(np.uint8)


def write(folder):
    from PIL import Image
    rng = np.random.default_rng(3)
    os.makedirs(folder, exist_ok=True)
    jpegs = {
        "420": {}, "422": {"subsampling": 1}, "444": {"subsampling": 0}, "progressive": {"progressive": True},
        "progressive-444": {"progressive": True, "subsampling": 0}, "restarts": {"restart_marker_rows": 1},
    }
    for size, (h, w) in (("0.5", (612, 816)), ("12", (3024, 4032))):
        rgb = Image.fromarray(synthetic(rng, h, w))
        for name, how in jpegs.items():
            rgb.save(f"{folder}/{size}-{name}.jpg", quality=90, **how)
        rgb.convert("L").save(f"{folder}/{size}-grey.jpg", quality=90)
        rgb.convert("CMYK").save(f"{folder}/{size}-CMYK.jpg", quality=90)
    small = rgb.resize((816, 612))
    small.save(f"{folder}/0.5-PNG.png")
    small.save(f"{folder}/0.5-WebP.webp", quality=90)
    small.save(f"{folder}/0.5-WebP-lossless.webp", lossless=True)
    small.quantize(256).save(f"{folder}/0.5-PNG-palette.png")
    small.quantize(256).save(f"{folder}/0.5-GIF.gif")
    small.save(f"{folder}/0.5-BMP.bmp")
    small.save(f"{folder}/0.5-TIFF.tif")
    small.save(f"{folder}/0.5-TIFF-LZW.tif", compression="tiff_lzw")
    small.save(f"{folder}/0.5-TIFF-deflate.tif", compression="tiff_adobe_deflate")


def pillow(drafts):
    from PIL import Image

    def one(path):
        with Image.open(path) as image:
            if drafts:
                image.draft(None, (2 * SIDE, 2 * SIDE))
            w, h = image.size
            short, long = min(w, h), max(w, h)
            longer = int(SIDE * long / short)
            image = image.resize((SIDE, longer) if w <= h else (longer, SIDE), Image.Resampling.BICUBIC)
            left, top = round((image.width - SIDE) / 2), round((image.height - SIDE) / 2)
            image = image.crop((left, top, left + SIDE, top + SIDE)).convert("RGB")
            x = np.asarray(image).transpose(2, 0, 1).astype(np.float32)
        x /= 255
        x -= np.array(MEAN, np.float32)[:, None, None]
        x /= np.array(STD, np.float32)[:, None, None]
        return x
    return one


def torchvision():
    import torch
    from torchvision.io import ImageReadMode, decode_image, read_file
    from torchvision.transforms.v2 import functional as F
    torch.set_num_threads(1)

    def one(path):
        x = decode_image(read_file(path), ImageReadMode.RGB)
        x = F.resize(x, [SIDE], F.InterpolationMode.BICUBIC, antialias=True)
        x = F.center_crop(x, [SIDE, SIDE])
        return F.normalize(F.to_dtype(x, torch.float32, scale=True), MEAN, STD).numpy()
    return one


def opencv(reduced):
    import cv2
    cv2.setNumThreads(1)
    scale = (1 / (255 * np.array(STD))).astype(np.float32)
    shift = (-np.array(MEAN) / np.array(STD)).astype(np.float32)

    def one(path):
        flags = cv2.IMREAD_COLOR
        if reduced:
            flags = cv2.IMREAD_REDUCED_COLOR_4 if "12-" in path else cv2.IMREAD_COLOR
        x = cv2.imread(path, flags | cv2.IMREAD_IGNORE_ORIENTATION)
        h, w = x.shape[:2]
        s = SIDE / min(h, w)
        x = cv2.resize(x, (int(w * s), int(h * s)), interpolation=cv2.INTER_AREA)
        top, left = round((x.shape[0] - SIDE) / 2), round((x.shape[1] - SIDE) / 2)
        x = x[top:top + SIDE, left:left + SIDE, ::-1].astype(np.float32) * scale + shift
        return np.ascontiguousarray(x.transpose(2, 0, 1))
    return one


def serve(one):
    print("ready", flush=True)
    for line in sys.stdin:
        best = float("inf")
        try:
            for _ in range(2):
                start = time.perf_counter()
                one(line.strip())
                best = min(best, time.perf_counter() - start)
        except Exception as e:
            print(line.strip(), e, file=sys.stderr)
            best = "none"
        print(best, flush=True)


if sys.argv[1] == "write":
    write(sys.argv[2])
else:
    serve({"pillow": lambda: pillow(False), "draft": lambda: pillow(True), "torchvision": torchvision,
           "opencv": lambda: opencv(False), "reduced": lambda: opencv(True)}[sys.argv[1]]())
