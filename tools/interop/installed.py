#!/usr/bin/env python3
"""Loads what "interop convert" and "interop cases" wrote in the real libraries, as their users
do, and compares features, token ids and types with goclip's. .ci/python installs them, pinned."""
import contextlib
import json
import logging
import os
import sys
import tempfile
from unittest import mock

import open_clip
import torch
import transformers
from safetensors.torch import load_file

TOLERANCE = 1e-5        # of the largest feature


class Unknown(Exception):
    """The installed open_clip is older than what a folder needs."""


def published(names, changed):
    """The configuration of a text tower that open_clip asks the hub for, from the table beside the cases."""
    sys.path.append(os.path.join(os.environ["GOCLIP_SHARED"], "reference"))
    import hfconfigs
    config = hfconfigs.config(names)
    for key, value in changed.items():
        setattr(config, key, value)
    return config


@contextlib.contextmanager
def of_this_open_clip(folder):
    """A folder as the installed open_clip can read it. Versions up to 3.3 take the sizes of timm's
    and transformers' towers from their names alone, so small ones need timm_model_kwargs and
    hf_model_config, which 4 has: they are handed to timm and transformers here, as 4 does."""
    with open(os.path.join(folder, "open_clip_config.json"), encoding="utf-8") as f:
        config = json.load(f)
    vision, text = config["model_cfg"]["vision_cfg"], config["model_cfg"]["text_cfg"]
    new = not hasattr(open_clip.model.CLIPVisionCfg, "timm_model_kwargs")
    kwargs = (vision.pop("timm_model_kwargs", None) or {}) if new else {}
    changed = (text.pop("hf_model_config", None) or {}) if new else {}
    for cfg, known in ((vision, open_clip.model.CLIPVisionCfg), (text, open_clip.model.CLIPTextCfg)):
        for key in [k for k in cfg if k not in known.__dataclass_fields__]:
            raise Unknown(f"open_clip {open_clip.__version__} has no {key}")
    with contextlib.ExitStack() as patches, tempfile.TemporaryDirectory() as copy:
        timm = open_clip.timm_model.timm
        create = timm.create_model
        if kwargs:
            patches.enter_context(mock.patch.object(timm, "create_model", lambda *a, **k: create(*a, **(k | kwargs))))
        if "hf_model_name" in text:
            known = mock.Mock()
            known.from_pretrained = lambda name, **_: published(name, changed)
            patches.enter_context(mock.patch.object(open_clip.hf_model, "AutoConfig", known))
        with open(os.path.join(copy, "open_clip_config.json"), "w", encoding="utf-8") as f:
            json.dump(config, f)
        os.symlink(os.path.abspath(os.path.join(folder, "open_clip_model.safetensors")),
                   os.path.join(copy, "open_clip_model.safetensors"))
        try:
            yield open_clip.create_model("local-dir:" + (copy if kwargs or changed else folder)).float().eval()
        except TypeError as why:
            if "add_pooling_layer" in str(why):     # which ModernBERT does not take
                raise Unknown(f"open_clip {open_clip.__version__} makes no {text['hf_model_name']}") from why
            raise


def pictures(x):
    """The images of a folder: pixels, or patches of several grids as timm's NaFlex towers take them."""
    if "spatial_shapes" not in x:
        return x["pixel_values"]
    coordinates = torch.zeros(*x["pixel_values"].shape[:2], 2, dtype=torch.long)
    for row, (h, w) in zip(coordinates, x["spatial_shapes"].tolist()):
        row[:h * w] = torch.cartesian_prod(torch.arange(h), torch.arange(w))
    return {"patches": x["pixel_values"], "patch_coord": coordinates, "patch_valid": x["pixel_attention_mask"].bool()}


def with_open_clip(folder, x):
    with of_this_open_clip(folder) as model:
        # CoCa normalises unless it is told not to.
        return model.encode_image(pictures(x), normalize=False), model.encode_text(x["input_ids"], normalize=False)


def tensor(x):
    """What get_image_features returns: a tensor, or since transformers 5 an object that has it."""
    return x if isinstance(x, torch.Tensor) else x.pooler_output


def with_transformers(folder, x):
    model = transformers.AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
    given = lambda *names: {name: x[name] for name in names if name in x}
    return (tensor(model.get_image_features(**given("pixel_values", "pixel_attention_mask", "spatial_shapes"))),
            tensor(model.get_text_features(**given("input_ids", "attention_mask", "token_type_ids"))))


def tokens(folder):
    """The captions whose ids differ."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    with open(os.path.join(folder, "captions.json"), encoding="utf-8") as f:
        return [(c["text"], c["ids"], got) for c in json.load(f)
                if (got := tokenizer(c["text"])["input_ids"]) != c["ids"]]


def stored(folder):
    """The types of the weights of a folder, but for numbers that stand alone and BatchNorm's statistics, which stay float32."""
    name = next(n for n in ("open_clip_model.safetensors", "model.safetensors") if os.path.exists(os.path.join(folder, n)))
    weights = load_file(os.path.join(folder, name)).items()
    return {str(t.dtype) for n, t in weights if t.ndim > 0 and t.is_floating_point() and ".running_" not in n}


def compare(folder):
    """Whether all is equal, and by which part of the tolerance features differ; None where this open_clip cannot tell."""
    label = os.path.basename(folder)
    of_open_clip = os.path.exists(os.path.join(folder, "open_clip_config.json"))
    expected = load_file(os.path.join(folder, "expected.safetensors"))
    try:
        images, texts = (with_open_clip if of_open_clip else with_transformers)(folder, expected)
    except Unknown as why:
        print(f"{label}: not compared: {why}")
        return None
    good, parts = True, {}
    for name, got in (("image_features", images), ("text_features", texts)):
        want = expected[name]
        if got.shape != want.shape:
            print(f"{label}: {name} has shape {list(got.shape)}, want {list(want.shape)}: FAILED")
            return False
        parts[name] = float((got - want).abs().max()) / (TOLERANCE * float(want.abs().max()))
        good &= parts[name] <= 1   # false for a NaN
    print(f"{label}: " + ", ".join(f"{name} {part:.2f} of the tolerance" for name, part in parts.items()) + ("" if good else ": FAILED"))
    precision = "torch." + folder.rsplit("-", 1)[1]
    if stored(folder) != {precision}:
        good = False
        print(f"{label}: stored as {stored(folder)}, want {precision}: FAILED")
    if not of_open_clip and os.path.exists(os.path.join(folder, "captions.json")):
        for text, want, got in tokens(folder):
            good = False
            print(f"{label}: {text!r} has the ids {got}, want {want}: FAILED")
    return good


def attempt(folder):
    try:
        return compare(folder)
    except Exception as why:    # the others are compared all the same
        print(f"{os.path.basename(folder)}: {type(why).__name__}: {why}: FAILED")
        return False


if __name__ == "__main__":
    torch.set_grad_enabled(False)
    torch.set_num_threads(1)    # the models are small
    transformers.utils.logging.disable_progress_bar()
    logging.disable(logging.WARNING)
    results = [attempt(folder) for folder in sys.argv[1:]]
    print(f"{results.count(True)} folders agree, {results.count(False)} do not, {results.count(None)} were not compared")
    sys.exit(0 if True in results and False not in results else 1)
