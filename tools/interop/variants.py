#!/usr/bin/env python3
"""Random small models of every family of open_clip's, and what open_clip computes with them.

  variants.py OUT [--seed N] [--each N] [--only FAMILY…]

OUT becomes a tree of reference cases as tools/conform reads it. It wants GOCLIP_SHARED, for reference/case.py, and the newest open_clip on PYTHONPATH.
"""
import argparse
import copy
import os
import random
import sys

sys.path.insert(0, os.path.join(os.environ["GOCLIP_SHARED"], "reference"))
import case  # noqa: E402
from open_clip.factory import get_model_config  # noqa: E402


def side(r, patch, cells=(1, 5), square=0.4):
    """An image's size: often not square, and now and then no multiple of the patch."""
    h = r.randint(*cells) * patch + (r.randint(0, patch - 1) if r.random() < 0.3 else 0)
    w = r.randint(*cells) * patch + (r.randint(0, patch - 1) if r.random() < 0.3 else 0)
    return h if r.random() < square else [h, w]


def whole(r, patch, cells=(1, 5), square=0.4):
    """The same in whole patches."""
    h, w = r.randint(*cells) * patch, r.randint(*cells) * patch
    return h if r.random() < square else [h, w]


def heads(r, step=4):
    """A number of heads and a width that it divides; a head's width is a multiple of step."""
    n = r.choice([1, 2, 3, 4, 5])
    return n, n * step * r.randint(1, 20 // step + 1)


def some(r, **options):
    """A few of the options: each value is a list to choose from."""
    return {k: r.choice(v) for k, v in options.items() if r.random() < 0.4}


def small_text(r, dim):
    """The native text tower."""
    n, width = heads(r)
    t = {"context_length": r.choice([5, 16, 33]), "vocab_size": r.choice([128, 300]), "width": width, "heads": n, "layers": r.randint(1, 3)}
    t.update(some(r, mlp_ratio=[2, 3.7362, 1.3, 2.6666667, 4.35], no_causal_mask=[True], act_kwargs=[{"approximate": "tanh"}],
                  norm_kwargs=[{"eps": 1e-6}, {"eps": 1e-3}], proj_bias=[True, False]))
    t.update(r.choice([{}, {}, {"pool_type": "last"}, {"pool_type": "eos", "eos_id": 2}, {"pool_type": "first"}]))
    if width == dim and r.random() < 0.5:
        t["proj_type"] = "none"
    return t


def small_vit(r):
    n, width = heads(r)
    patch = r.choice([4, 5, 8])
    v = {"image_size": side(r, patch), "patch_size": patch, "width": width, "head_width": width // n, "layers": r.randint(1, 3)}
    v.update(some(r, mlp_ratio=[2, 4.9231, 4.3637, 1.3], no_ln_pre=[True], final_ln_after_pool=[True], pool_type=["avg", "tok"],
                  ls_init_value=[1e-4, 1.0], act_kwargs=[{"approximate": "tanh"}], norm_kwargs=[{"eps": 1e-6}, {"eps": 1e-3}]))
    return v


def native(r):
    dim = r.choice([24, 32, 48])
    cfg = {"embed_dim": dim, "vision_cfg": small_vit(r), "text_cfg": small_text(r, dim)}
    cfg.update(some(r, quick_gelu=[True], custom_text=[True], init_logit_bias=[-10], nonscalar_logit_scale=[True]))
    if cfg.get("quick_gelu"):
        cfg["vision_cfg"].pop("act_kwargs", None)
        cfg["text_cfg"].pop("act_kwargs", None)
    return cfg


def resnet(r):
    dim = r.choice([24, 32, 48])
    width = r.choice([8, 16])
    v = {"image_size": 32 * r.randint(1, 3), "layers": [r.randint(1, 2) for _ in range(4)], "width": width,
         "head_width": r.choice([8, 16, 32])}
    t, quick = small_text(r, dim), some(r, quick_gelu=[True])
    if quick:
        t.pop("act_kwargs", None)
    return {"embed_dim": dim, "vision_cfg": v, "text_cfg": t, **quick}


def coca(r):
    n, dim = heads(r, 8)
    v = small_vit(r)
    if r.random() < 0.7:
        v.update({"attentional_pool": True, "attn_pooler_heads": r.choice([h for h in (1, 2, 4, 8) if dim % h == 0]),
                  "attn_pooler_queries": r.choice([1, 7, 256])})
        v.pop("pool_type", None)
    v["output_tokens"] = True
    t = small_text(r, dim)
    for k in ("no_causal_mask", "pool_type", "eos_id", "proj_type", "proj_bias"):
        t.pop(k, None)
    t.update({"embed_cls": True, "output_tokens": True, "width": dim, "heads": n}, **some(r, pad_id=[0, 5]))
    m = {"context_length": t["context_length"], "vocab_size": t["vocab_size"], "width": dim, "heads": n, "layers": 1,
         "attn_pooler_heads": n}
    return {"embed_dim": dim, "multimodal_cfg": m, "vision_cfg": v, "text_cfg": t, "custom_text": True}


def hf_text(r):
    """A text tower of transformers'."""
    kind = r.choice(["roberta-base", "xlm-roberta-base", "xlm-roberta-large", "facebook/nllb-200-distilled-600M", "google/mt5-base",
                     "google/mt5-xl", "Alibaba-NLP/gte-modernbert-base"])
    n, width = heads(r)
    mlp, layers, context = r.choice([40, 96, 131]), r.randint(1, 4), r.choice([9, 24, 40])
    t = {"context_length": context, "hf_model_name": kind, "hf_tokenizer_name": kind}
    t.update(some(r, hf_proj_type=["linear", "mlp", None], hf_pooler_type=["mean_pooler", "max_pooler", "cls_pooler", "cls_last_hidden_state_pooler", None]))
    if "roberta" in kind:
        c = {"vocab_size": r.choice([300, 520]), "hidden_size": width, "num_hidden_layers": layers, "num_attention_heads": n, "intermediate_size": mlp,
             "max_position_embeddings": context + 2 + r.choice([0, 7]), **some(r, type_vocab_size=[2], layer_norm_eps=[1e-12, 1e-3], hidden_act=["gelu", "gelu_new", "gelu_pytorch_tanh"])}
    elif "nllb" in kind:
        c = {"vocab_size": r.choice([300, 520]), "d_model": width, "encoder_layers": layers, "decoder_layers": 1, "encoder_attention_heads": n,
             "decoder_attention_heads": n, "encoder_ffn_dim": mlp, "decoder_ffn_dim": 16, "max_position_embeddings": 64,
             **some(r, scale_embedding=[False])}
    elif "mt5" in kind:
        c = {"vocab_size": r.choice([300, 520]), "d_model": width, "d_kv": r.choice([4, 9, 16]), "d_ff": mlp, "num_layers": layers, "num_decoder_layers": 1,
             "num_heads": n, **some(r, relative_attention_num_buckets=[8, 16], relative_attention_max_distance=[20, 64],
                                    layer_norm_epsilon=[1e-5])}
    else:
        c = {"vocab_size": 300, "hidden_size": width, "intermediate_size": mlp, "num_hidden_layers": layers, "num_attention_heads": n,
             "max_position_embeddings": 64, "pad_token_id": 3, "bos_token_id": 1, "cls_token_id": 1, "eos_token_id": 2, "sep_token_id": 2,
             **some(r, local_attention=[4, 16, 200], global_attn_every_n_layers=[1, 2, 4], norm_eps=[1e-6])}
        t["pad_id"] = 3
        t["variable_text"] = r.random() < 0.5
    t["hf_model_config"] = c
    return t, width


def hf(r):
    t, width = hf_text(r)
    dim = width if t.get("hf_proj_type", "mlp") is None else r.choice([24, 48])
    cfg = {"embed_dim": dim, "vision_cfg": small_vit(r), "text_cfg": t, **some(r, quick_gelu=[True], init_logit_bias=[-10])}
    if cfg.get("quick_gelu"):
        cfg["vision_cfg"].pop("act_kwargs", None)
    return cfg


def modern(r):
    n, width = heads(r)
    dim = r.choice([24, 40])
    t = {"context_length": r.choice([9, 24]), "vocab_size": 300, "width": width, "heads": n, "layers": r.randint(1, 3), "text_arch": "modern",
         "variable_text": True, "pad_id": 298, "bos_id": 299, "eos_id": 297, "pool_type": r.choice(["eos", "mean", "map", "argmax"]),
         "attention_mode": r.choice(["causal", "bidirectional"]), "mlp_ratio": r.choice([2.6666667, 4.0, 1.7]),
         **some(r, qk_norm=[True], attn_gated=[True], norm_eps=[1e-5], rope_temperature=[100.0, 50000.0], proj_bias=[True])}
    return {"embed_dim": dim, "vision_cfg": small_vit(r), "text_cfg": t}


def timm(r, name, kw, size, dim=None, **vision):
    """A configuration with the tower NAME of timm's as open_clip has it, and other settings."""
    cfg = copy.deepcopy(get_model_config(name))
    v = cfg["vision_cfg"]
    v.update({"image_size": size, **vision}, timm_model_kwargs={**v.get("timm_model_kwargs", {}), **kw})
    cfg["embed_dim"] = dim or r.choice([24, 40])
    own = {k: cfg["text_cfg"][k] for k in ("no_causal_mask", "pool_type", "proj_bias", "proj_type", "norm_kwargs", "act_kwargs")
           if k in cfg["text_cfg"] and "hf_model_name" not in cfg["text_cfg"]}
    t = {**small_text(r, cfg["embed_dim"]), **own}
    if t.get("proj_type") == "none":
        t["width"] = cfg["embed_dim"]
        t["heads"] = r.choice([h for h in (1, 2, 3, 4) if t["width"] % h == 0])
    if t.get("pool_type") == "eos":
        t["eos_id"] = 2
    cfg["text_cfg"] = t
    return cfg


def vit_kwargs(r, size, patch, step=4):
    n, width = heads(r, step)
    return {"img_size": size, "patch_size": patch, "embed_dim": width, "depth": r.randint(1, 3), "num_heads": n,
            **some(r, mlp_ratio=[2, 3.7362, 4.35, 2.6666667])}, width


def siglip(r):
    name = r.choice(["ViT-B-16-SigLIP", "ViT-B-16-SigLIP-384", "ViT-B-16-SigLIP-512", "ViT-L-16-SigLIP-384", "ViT-SO400M-14-SigLIP",
                     "ViT-SO400M-14-SigLIP-378", "ViT-B-16-SigLIP-i18n-256", "ViT-SO400M-16-SigLIP-i18n-256", "ViT-B-32-SigLIP2-256",
                     "ViT-L-16-SigLIP2-512", "ViT-SO400M-14-SigLIP2-378", "ViT-SO400M-16-SigLIP2-512", "ViT-gopt-16-SigLIP2-384", "ViT-B-16-SigLIP2-512"])
    patch = r.choice([4, 5, 8])
    size = side(r, patch)
    kw, width = vit_kwargs(r, size, patch)
    kw.update(some(r, act_layer=["gelu", "gelu_tanh"]))
    return timm(r, name, kw, size, width)


def plain(*names, step=4, extra=None, cells=(1, 5)):
    """A family of timm's ViTs whose settings are the usual ones."""
    def make(r):
        patch = r.choice([4, 5, 8])
        size = side(r, patch, cells)
        kw, width = vit_kwargs(r, size, patch, step)
        if extra:
            kw.update(extra(r))
        return timm(r, r.choice(names), kw, size)
    return make


def conv_stem(r):
    size = whole(r, 16, (1, 4))
    return timm(r, r.choice(["MobileCLIP-B", "MobileCLIP2-B"]), {"img_size": size, "depth": r.randint(1, 2), **some(r, num_heads=[4, 8, 6], mlp_ratio=[1, 0.5])}, size)


def fastvit(r):
    name = r.choice(["MobileCLIP-S1", "MobileCLIP-S2", "MobileCLIP2-S0", "MobileCLIP2-S3", "MobileCLIP2-S4"])
    n = 5 if name[-1] in "34" else 4
    w = r.choice([8, 16, 32])
    widths = [w << i for i in range(n)]
    widths[-1] = max(32, widths[-1] // 32 * 32)
    if n == 5:
        widths[-2] = max(32, widths[-2] // 32 * 32)
    kw = {"layers": [r.randint(1, 2) for _ in range(n)], "embed_dims": widths, **some(r, mlp_ratios=[[r.choice([2, 3, 4, 1.5]) for _ in range(n)]])}
    size = [r.randint(33, 110), r.randint(33, 110)]
    return timm(r, name, kw, size)


def convnext(r):
    name = r.choice(["convnext_tiny", "convnext_small", "convnext_base_w", "convnext_large", "convnext_large_d", "convnext_xlarge", "convnext_xxlarge"])
    w = r.choice([8, 12, 16])
    kw = {"depths": [r.randint(1, 2) for _ in range(4)], "dims": r.choice([[w, 2 * w, 4 * w, 8 * w], [w, w + 4, 40, 24]])}
    return timm(r, name, kw, [r.randint(32, 110), r.randint(32, 110)] if r.random() < 0.7 else r.randint(32, 100))


def vitamin(r):
    name = r.choice(["ViTamin-S", "ViTamin-B", "ViTamin-L", "ViTamin-L2-336", "ViTamin-XL-336", "ViTamin-XL-384"])
    size = whole(r, 16, (1, 4))
    return timm(r, name, {"img_size": size, "depth": 1, **some(r, mlp_ratio=[1, 0.5])}, size)


def naflex(r):
    name = r.choice(["naflex_ViT-B-16", "ViT-B-16-SigLIP2-naflex", "ViT-SO400M-16-SigLIP2-naflex", "moderntext-naflex_ViT-B-16",
                     "moderntext-naflex_ViT-SO150M2-16"])
    patch = r.choice([4, 5, 8])
    n, width = heads(r)
    kw = {"patch_size": patch, "embed_dim": width, "depth": r.randint(1, 3), "num_heads": n,
          "pos_embed_grid_size": [r.randint(1, 5), r.randint(1, 5)] if r.random() < 0.5 else [4, 4],
          **some(r, mlp_ratio=[2, 3.7362, 2.6666667], swiglu_mlp=[True, False], attn_pool_mlp_ratio=[4.0, 2.0], reg_tokens=[0, 3], init_values=[1e-3])}
    return timm(r, name, kw, whole(r, patch, (1, 7), square=0), width if "SigLIP2" in name else None)


def swin(r):
    window = r.choice([2, 3, 4])
    n = r.choice([1, 2])
    kw = {"img_size": (size := whole(r, 32, (1, 4))), "window_size": window, "embed_dim": 8 * n, "depths": [r.randint(1, 3) for _ in range(4)],
          "num_heads": [n, 2 * n, r.choice([1, 2, 4]), r.choice([2, 4])], **some(r, mlp_ratio=[2, 3.1])}
    return timm(r, "swin_base_patch4_window7_224", kw, size)


FAMILIES = {
    "vit": native, "resnet": resnet, "coca": coca, "hf": hf, "moderntext": modern, "siglip": siglip,
    "timm_vit": plain("MobileCLIP2-L-14"),
    "pe_core": plain("PE-Core-T-16-384", "PE-Core-S-16-384", "PE-Core-B-16", "PE-Core-L-14-336", "PE-Core-bigG-14-448", step=8),
    "eva": plain("EVA01-g-14", "EVA02-E-14"), "eva02": plain("EVA02-B-16", "EVA02-L-14", "EVA02-L-14-336", step=4),
    "gap": plain("vit_medium_patch16_gap_256"), "relpos": plain("vit_relpos_medium_patch16_cls_224"),
    "conv_stem": conv_stem, "fastvit": fastvit, "convnext": convnext, "vitamin": vitamin, "naflex": naflex, "swin": swin,
}


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("out")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--each", type=int, default=4)
    p.add_argument("--only", nargs="*", default=list(FAMILIES))
    o = p.parse_args()
    for family in o.only:
        for i in range(o.each):
            r = random.Random(f"{family} {o.seed} {i}")
            name = f"{family}_{o.seed}_{i}"
            cfg = FAMILIES[family](r)
            dtype = r.choice(["f32", "f32", "f16", "bf16"])
            entry = case.make(cfg, None, o.out, name, seed=r.randint(0, 999), dtype=dtype, n_images=2, n_texts=6, family=family)
            case.add_index(o.out, name, entry)
            print(f"{name}: {dtype}, float64 {max(entry['float64_distance'].values()):.1e}", flush=True)


if __name__ == "__main__":
    main()
