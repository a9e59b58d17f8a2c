#!/usr/bin/env python3
"""Loads what "interop convert" wrote in the real libraries, as their users do, and compares
features and token ids with goclip's. .ci/run interop installs them, pinned."""
import json
import os
import sys

import open_clip
import torch
import transformers
from safetensors.torch import load_file

TOLERANCE = 1e-5        # of the largest feature


def tensor(x):
    """What get_image_features returns: a tensor, or since transformers 5 an object that has it."""
    return x if isinstance(x, torch.Tensor) else x.pooler_output


def with_open_clip(folder, expected):
    model = open_clip.create_model("local-dir:" + folder).float().eval()
    return model.encode_image(expected["pixel_values"]), model.encode_text(expected["input_ids"])


def with_transformers(folder, expected):
    model = transformers.AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
    return (tensor(model.get_image_features(pixel_values=expected["pixel_values"])),
            tensor(model.get_text_features(input_ids=expected["input_ids"])))


def tokens(folder):
    """The captions whose ids differ."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    with open(os.path.join(folder, "captions.json"), encoding="utf-8") as f:
        return [(c["text"], c["ids"], got) for c in json.load(f)
                if (got := tokenizer(c["text"])["input_ids"]) != c["ids"]]


def stored(folder):
    """The types of the weights of a folder."""
    name = next(n for n in ("open_clip_model.safetensors", "model.safetensors") if os.path.exists(os.path.join(folder, n)))
    return {str(t.dtype) for t in load_file(os.path.join(folder, name)).values() if t.ndim > 0 and t.is_floating_point()}


def compare(folder):
    of_open_clip = os.path.exists(os.path.join(folder, "open_clip_config.json"))
    expected = load_file(os.path.join(folder, "expected.safetensors"))
    with torch.no_grad():
        images, texts = (with_open_clip if of_open_clip else with_transformers)(folder, expected)
    good = True
    for name, got in (("image_features", images), ("text_features", texts)):
        want = expected[name]
        diff, limit = float((got - want).abs().max()), TOLERANCE * float(want.abs().max())
        good &= diff <= limit      # false for a NaN
        print(f"{os.path.basename(folder)}: {name}: largest difference {diff:.1e}, tolerance {limit:.1e}"
              + ("" if diff <= limit else ": FAILED"))
    precision = "torch." + folder.rsplit("-", 1)[1]
    if stored(folder) != {precision}:
        good = False
        print(f"{os.path.basename(folder)}: stored as {stored(folder)}, want {precision}: FAILED")
    for text, want, got in [] if of_open_clip else tokens(folder):
        good = False
        print(f"{os.path.basename(folder)}: {text!r} has the ids {got}, want {want}: FAILED")
    return good


if __name__ == "__main__":
    torch.set_grad_enabled(False)
    results = [compare(folder) for folder in sys.argv[1:]]
    sys.exit(0 if results and all(results) else 1)
