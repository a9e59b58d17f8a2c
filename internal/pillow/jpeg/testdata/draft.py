"""Writes draft.txt: of each file, drawn at a half, a quarter and an eighth by Pillow's draft
mode, the size asked for and the SHA-256 of the pixels. It was run with Pillow 13.0.0."""
import glob
import hashlib
import os

from PIL import Image

os.chdir(os.path.dirname(os.path.abspath(__file__)))
with open("draft.txt", "w") as out:
    for path in sorted(glob.glob("*.jpg")):
        for part in 2, 4, 8:
            image = Image.open(path)
            width, height = (side // part for side in image.size)
            image.draft(None, (width, height))
            print(path, width, height, *image.size, hashlib.sha256(image.tobytes()).hexdigest(), file=out)
