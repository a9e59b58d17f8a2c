#!/usr/bin/env python3
"""Loads checkpoints that goclip saved in the reference implementations and
compares their features with goclip's. README.md has the commands."""
import argparse
import importlib.util
import json
import math
import os
import struct
import sys
import types

import numpy as np
import torch
import torch.nn.functional as F

TOLERANCE = 1e-5        # of the largest feature
# Buffers that older versions of transformers stored.
POSITION_IDS = ("text_model.embeddings.position_ids", "vision_model.embeddings.position_ids")
DTYPES = {"F32": "<f4", "I64": "<i8"}


def read_safetensors(path):
    """The tensors of a file, by its published layout."""
    with open(path, "rb") as f:
        header = json.loads(f.read(struct.unpack("<Q", f.read(8))[0]))
        data = f.read()
    header.pop("__metadata__", None)
    return {name: torch.from_numpy(
        np.frombuffer(data[slice(*e["data_offsets"])], DTYPES[e["dtype"]]).reshape(e["shape"]).copy())
        for name, e in header.items()}


def read_json(folder, name):
    with open(os.path.join(folder, name)) as f:
        return json.load(f)


# ---- Hugging Face's names, as transformers' CLIPModel gives them ----

NORMS = {"ln_1": "layer_norm1", "ln_2": "layer_norm2",
         "attn.out_proj": "self_attn.out_proj", "mlp.c_fc": "mlp.fc1", "mlp.c_proj": "mlp.fc2"}


def hf_names(config):
    """For each parameter of OpenAI's: the tensors it is made of, and whether they are transposed."""
    names = {"logit_scale": (["logit_scale"], False),
             "text_projection": (["text_projection.weight"], True),
             "visual.proj": (["visual_projection.weight"], True),
             "token_embedding.weight": (["text_model.embeddings.token_embedding.weight"], False),
             "positional_embedding": (["text_model.embeddings.position_embedding.weight"], False),
             "visual.conv1.weight": (["vision_model.embeddings.patch_embedding.weight"], False),
             "visual.class_embedding": (["vision_model.embeddings.class_embedding"], False),
             "visual.positional_embedding": (["vision_model.embeddings.position_embedding.weight"], False)}
    for kind in ("weight", "bias"):
        names["ln_final." + kind] = (["text_model.final_layer_norm." + kind], False)
        names["visual.ln_pre." + kind] = (["vision_model.pre_layrnorm." + kind], False)   # spelled so
        names["visual.ln_post." + kind] = (["vision_model.post_layernorm." + kind], False)
        for own, hf, tower in (("", "text_model.", "text_config"), ("visual.", "vision_model.", "vision_config")):
            for i in range(config[tower]["num_hidden_layers"]):
                block, layer = f"{own}transformer.resblocks.{i}.", f"{hf}encoder.layers.{i}."
                for a, b in NORMS.items():
                    names[f"{block}{a}.{kind}"] = ([f"{layer}{b}.{kind}"], False)
                names[f"{block}attn.in_proj_{kind}"] = ([f"{layer}self_attn.{x}_proj.{kind}" for x in "qkv"], False)
    return names


def hf_shapes(config):
    """The shape of every tensor that CLIPModel has by its configuration."""
    t, v, d = config["text_config"], config["vision_config"], config["projection_dim"]
    p, patches = v["patch_size"], (v["image_size"] // v["patch_size"]) ** 2
    shapes = {"logit_scale": [],
              "text_projection.weight": [d, t["hidden_size"]],
              "visual_projection.weight": [d, v["hidden_size"]],
              "text_model.embeddings.token_embedding.weight": [t["vocab_size"], t["hidden_size"]],
              "text_model.embeddings.position_embedding.weight": [t["max_position_embeddings"], t["hidden_size"]],
              "vision_model.embeddings.patch_embedding.weight": [v["hidden_size"], 3, p, p],
              "vision_model.embeddings.class_embedding": [v["hidden_size"]],
              "vision_model.embeddings.position_embedding.weight": [patches + 1, v["hidden_size"]]}
    for norm in ("text_model.final_layer_norm", "vision_model.pre_layrnorm", "vision_model.post_layernorm"):
        w = t["hidden_size"] if norm.startswith("text") else v["hidden_size"]
        shapes[norm + ".weight"] = shapes[norm + ".bias"] = [w]
    for tower, c in (("text_model", t), ("vision_model", v)):
        w, m = c["hidden_size"], c["intermediate_size"]
        for i in range(c["num_hidden_layers"]):
            layer = f"{tower}.encoder.layers.{i}."
            for part, rows, cols in [("self_attn.%s_proj" % x, w, w) for x in ("q", "k", "v", "out")] + \
                    [("mlp.fc1", m, w), ("mlp.fc2", w, m)]:
                shapes[f"{layer}{part}.weight"], shapes[f"{layer}{part}.bias"] = [rows, cols], [rows]
            for part in ("layer_norm1", "layer_norm2"):
                shapes[f"{layer}{part}.weight"] = shapes[f"{layer}{part}.bias"] = [w]
    return shapes


def check_hf_shapes(folder):
    """Every name and shape of a Hugging Face folder, against hf_shapes; lists what differs."""
    want = hf_shapes(read_json(folder, "config.json"))
    got = {n: list(t.shape) for n, t in read_safetensors(os.path.join(folder, "model.safetensors")).items()}
    for name in POSITION_IDS:
        got.pop(name, None)
    wrong = [f"  {n}: has {got.get(n)}, want {want.get(n)}" for n in sorted(got.keys() | want.keys())
             if got.get(n) != want.get(n)]
    print(f"{folder}: {len(got)} names and shapes, {len(wrong)} wrong")
    print("\n".join(wrong), end="\n" if wrong else "")
    return not wrong


# ---- the references ----

class Unsuitable(Exception):
    """The model is one that a reference cannot compute."""


def read_model(folder):
    """open_clip's model_cfg and state dict, of either layout."""
    if os.path.exists(os.path.join(folder, "open_clip_config.json")):
        return (read_json(folder, "open_clip_config.json")["model_cfg"],
                read_safetensors(os.path.join(folder, "open_clip_model.safetensors")))
    config = read_json(folder, "config.json")
    t, v = config["text_config"], config["vision_config"]
    stored = read_safetensors(os.path.join(folder, "model.safetensors"))
    state = {}
    for name, (parts, transposed) in hf_names(config).items():
        x = torch.cat([stored.pop(p) for p in parts]) if len(parts) > 1 else stored.pop(parts[0])
        state[name] = x.t().contiguous() if transposed else x
    for name in POSITION_IDS:
        stored.pop(name, None)
    if stored:
        sys.exit(f"{folder}: no parameter is made of {sorted(stored)}")
    if t["hidden_act"] != v["hidden_act"] or t["hidden_act"] not in ("quick_gelu", "gelu"):
        raise Unsuitable("activations %s and %s" % (t["hidden_act"], v["hidden_act"]))
    # 2 is the legacy id, with which CLIPTextModel takes the highest id instead.
    pool = {"pool_type": "argmax"} if t["eos_token_id"] == 2 else {"pool_type": "eos", "eos_id": t["eos_token_id"]}
    return {"embed_dim": config["projection_dim"], "quick_gelu": t["hidden_act"] == "quick_gelu",
            "vision_cfg": {"image_size": v["image_size"], "layers": v["num_hidden_layers"], "width": v["hidden_size"],
                           "head_width": v["hidden_size"] // v["num_attention_heads"], "patch_size": v["patch_size"],
                           "mlp_ratio": v["intermediate_size"] / v["hidden_size"],
                           "norm_kwargs": {"eps": v["layer_norm_eps"]}},
            "text_cfg": {"context_length": t["max_position_embeddings"], "vocab_size": t["vocab_size"],
                         "width": t["hidden_size"], "heads": t["num_attention_heads"], "layers": t["num_hidden_layers"],
                         "mlp_ratio": t["intermediate_size"] / t["hidden_size"],
                         "norm_kwargs": {"eps": t["layer_norm_eps"]}, **pool}}, state


def openai_clip(checkout, config, state):
    """openai/CLIP's clip.model.CLIP; it has one activation, 64 channels a head and the highest id."""
    v, t = config["vision_cfg"], config["text_cfg"]
    for what, ok in (("another activation than quick_gelu", config.get("quick_gelu")),
                     ("another head width than 64", v.get("head_width", 64) == 64 and t["width"] == 64 * t["heads"]),
                     ("another MLP ratio than 4", v.get("mlp_ratio", 4) == t.get("mlp_ratio", 4) == 4),
                     ("another epsilon than 1e-5", all(c.get("norm_kwargs", {}).get("eps", 1e-5) == 1e-5 for c in (v, t))),
                     ("another pooling than argmax", t.get("pool_type", "argmax") == "argmax"),
                     ("a logit bias", "logit_bias" not in state)):
        if not ok:
            raise Unsuitable(what)
    spec = importlib.util.spec_from_file_location("openai_clip_model", os.path.join(checkout, "clip", "model.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.CLIP(config["embed_dim"], v["image_size"], v["layers"], v["width"], v["patch_size"],
                       t["context_length"], t["vocab_size"], t["width"], t["heads"], t["layers"])


def attention(q, k, v, attn_mask=None, dropout_p=0.0, is_causal=False, scale=None):
    """F.scaled_dot_product_attention by its definition, which torch has from 2.0 on."""
    assert dropout_p == 0 and not is_causal
    scores = q @ k.transpose(-2, -1) * (scale or 1 / math.sqrt(q.shape[-1]))
    return (scores if attn_mask is None else scores + attn_mask).softmax(-1) @ v


def open_clip(checkout, config, state):
    """open_clip's model.py, without the package's own __init__, which needs more packages than the model does."""
    if not hasattr(F, "scaled_dot_product_attention"):
        F.scaled_dot_product_attention = attention
    if not hasattr(torch, "compiler"):
        torch.compiler = types.SimpleNamespace(disable=lambda f=None, **_: f if f else lambda g: g)
    package = types.ModuleType("open_clip")
    package.__path__ = [os.path.join(checkout, "src", "open_clip")]
    sys.modules.setdefault("open_clip", package)
    module = importlib.import_module("open_clip.model")
    config = {k: v for k, v in config.items() if k != "custom_text"}
    custom = any(name.startswith("text.") for name in state)
    return (module.CustomTextCLIP if custom else module.CLIP)(**config)


def compare(folder, reference, checkout):
    """Whether the reference gives goclip's features."""
    label = f"{folder} in {reference.__name__}"
    try:
        config, state = read_model(folder)
        model = reference(checkout, config, state)
    except Unsuitable as why:
        print(f"{label}: not compared, the model has {why}")
        return None
    model.load_state_dict(state, strict=True)
    model = model.float().eval()
    expected = read_safetensors(os.path.join(folder, "expected.safetensors"))
    with torch.no_grad():
        got = {"image_features": model.encode_image(expected["pixel_values"]),
               "text_features": model.encode_text(expected["input_ids"])}
    good = True
    for name, x in got.items():
        want = expected[name]
        diff, limit = float((x - want).abs().max()), TOLERANCE * float(want.abs().max())
        ok = x.shape == want.shape and diff <= limit         # false for a NaN
        good &= ok
        print(f"{label}: {name} {list(want.shape)}: largest difference {diff:.2e}, tolerance {limit:.2e}: "
              + ("ok" if ok else "FAILED"))
    return good


def main():
    ap = argparse.ArgumentParser(description=__doc__)
    ap.add_argument("folders", nargs="+", help="checkpoints, each with an expected.safetensors")
    ap.add_argument("--openai-clip", metavar="PATH", help="a checkout of openai/CLIP")
    ap.add_argument("--open-clip", metavar="PATH", help="a checkout of mlfoundations/open_clip")
    ap.add_argument("--hf-example", metavar="DIR", help="a Hugging Face folder from elsewhere, to check the table of names with")
    a = ap.parse_args()
    references = [(f, p) for f, p in ((openai_clip, a.openai_clip), (open_clip, a.open_clip)) if p]
    if not references:
        ap.error("name a checkout of at least one reference")
    good = check_hf_shapes(a.hf_example) if a.hf_example else True
    for folder in a.folders:
        if os.path.exists(os.path.join(folder, "config.json")):
            good &= check_hf_shapes(folder)
        results = [compare(folder, f, p) for f, p in references]
        good &= any(r is not None for r in results) and False not in results
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
