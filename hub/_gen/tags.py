#!/usr/bin/env python3
"""Writes ../openclip_tags.txt: where open_clip finds the weights of each of its tags.

    pip download --no-deps open_clip_torch==3.3.0 && unzip open_clip_torch-3.3.0-*.whl
    python3 tags.py open_clip > ../openclip_tags.txt

The argument is the package's folder. Only its pretrained.py runs, which needs tqdm
and no torch."""
import importlib
import json
import os
import sys
import types

folder = sys.argv[1]
package = types.ModuleType("open_clip")
package.__path__ = [folder]
sys.modules["open_clip"] = package
pretrained = importlib.import_module("open_clip.pretrained")
version = importlib.import_module("open_clip.version").__version__

print(f"# Where open_clip {version} finds the weights of its tags; made by _gen/tags.py.")
print("# model tag repository[/file] url tokenizer's-repository [quickgelu]")
for model, tags in pretrained._PRETRAINED.items():
    with open(os.path.join(folder, "model_configs", model + ".json")) as f:
        text = json.load(f)["text_cfg"]
    for tag, cfg in tags.items():
        row = [model, tag, cfg["hf_hub"].rstrip("/"), cfg["url"] or "-", text.get("hf_tokenizer_name") or "-"]
        if cfg["hf_hub"].count("/") != 2:
            sys.exit(f"{model} {tag}: {cfg['hf_hub']} is no repository with an optional file")
        print(*row, *["quickgelu"] * cfg.get("quick_gelu", False))
