#!/usr/bin/env python3
"""Random small models of transformers' zero-shot classes, and what transformers computes with them.

  variants_hf.py OUT [--seed N] [--each N] [--only CLASS…]

OUT becomes a tree of reference cases as tools/conform reads it. It wants GOCLIP_SHARED, for
reference/weights.py.
"""
import argparse
import json
import os
import random
import sys

sys.path.insert(0, os.path.join(os.environ["GOCLIP_SHARED"], "reference"))
import torch  # noqa: E402
import torch.nn.functional as F  # noqa: E402
import transformers as T  # noqa: E402
import weights  # noqa: E402
from safetensors.torch import save_file  # noqa: E402
from variants import heads, some  # noqa: E402

ACTS = ["gelu", "gelu_pytorch_tanh", "quick_gelu", "gelu_new", "gelu_fast", "gelu_python"]


def tower(r, acts=ACTS, **more):
    n, width = heads(r)
    c = {"hidden_size": width, "num_attention_heads": n, "num_hidden_layers": r.randint(1, 3), "intermediate_size": r.choice([40, 96, 131])}
    c.update(some(r, layer_norm_eps=[1e-3, 1e-6, 1e-12], hidden_act=acts))
    return {**c, **more}


def image(r, **more):
    patch = r.choice([4, 5, 8])
    return tower(r, patch_size=patch, image_size=patch * r.randint(2, 5) + r.choice([0, 0, 0, 1]), **more)


def clip_text(r, **more):
    return tower(r, vocab_size=200, max_position_embeddings=r.choice([9, 24]), **more)


def bert(r, acts=("gelu", "gelu_new", "gelu_pytorch_tanh", "gelu_fast", "gelu_python", "quick_gelu"), **more):
    return tower(r, list(acts), vocab_size=180, max_position_embeddings=r.choice([12, 30]), **some(r, type_vocab_size=[1, 3]), **more)


def clip(r):
    eos = r.choice([199, 2])
    return T.CLIPConfig(text_config=clip_text(r, eos_token_id=eos, bos_token_id=198, pad_token_id=199), vision_config=image(r),
                        projection_dim=r.choice([24, 40]))


def siglip(r):
    i = image(r)
    i["image_size"] = i["patch_size"] * 3 + r.choice([0, 1])
    t = clip_text(r)
    width = i["hidden_size"]
    return T.SiglipConfig(text_config={**t, "projection_size": width}, vision_config=i)


def siglip2(r):
    i = image(r, num_patches=r.choice([4, 9, 16]))
    del i["image_size"]
    return T.Siglip2Config(text_config={**clip_text(r), "projection_size": i["hidden_size"]}, vision_config=i)


def metaclip2(r):
    return T.MetaClip2Config(text_config=clip_text(r, eos_token_id=r.choice([2, 199]), bos_token_id=0, pad_token_id=1), vision_config=image(r),
                             projection_dim=r.choice([24, 40]))


def clipseg(r):
    return T.CLIPSegConfig(text_config=clip_text(r, eos_token_id=199, bos_token_id=198, pad_token_id=199), vision_config=image(r),
                           projection_dim=r.choice([24, 40]))


def chinese(r):
    return T.ChineseCLIPConfig(text_config=bert(r), vision_config=image(r), projection_dim=r.choice([24, 40]))


def altclip(r):
    return T.AltCLIPConfig(text_config=bert(r, pad_token_id=1, bos_token_id=0, eos_token_id=2, project_dim=r.choice([24, 56])), vision_config=image(r),
                           projection_dim=r.choice([24, 40]))


def align(r):
    n = r.randint(2, 4)
    widths = [r.choice([8, 16, 24]) for _ in range(n + 1)]
    widths[0] = 32
    last = r.choice([24, 40])
    widths[-1] = last
    c = {"image_size": r.randint(30, 48), "width_coefficient": r.choice([1.0, 1.0, 0.7]), "depth_coefficient": r.choice([1.0, 1.4]), "depth_divisor": r.choice([4, 8]),
         "in_channels": widths[:-1], "out_channels": widths[1:], "kernel_sizes": [r.choice([3, 5]) for _ in range(n)],
         "strides": [r.choice([1, 2]) for _ in range(n)], "num_block_repeats": [r.randint(1, 2) for _ in range(n)],
         "expand_ratios": [r.choice([1, 2, 6]) for _ in range(n)], **some(r, depthwise_padding=[[1], [0, 2]], squeeze_expansion_ratio=[0.5, 0.1],
                                                                       batch_norm_eps=[1e-5], hidden_act=["swish", "silu"])}
    dim = last
    if c["width_coefficient"] != 1:  # as the class rounds it
        d, s = c["depth_divisor"], last * c["width_coefficient"]
        dim = max(d, int(s + d / 2) // d * d)
        dim += d if dim < 0.9 * s else 0
    c["hidden_dim"] = dim
    return T.AlignConfig(text_config=bert(r), vision_config=c, projection_dim=dim)


def blip(r):
    t = bert(r, bos_token_id=178, eos_token_id=2, pad_token_id=0, sep_token_id=102)
    t.pop("type_vocab_size", None)
    i = image(r)
    return T.BlipConfig(text_config={**t, "encoder_hidden_size": i["hidden_size"]}, vision_config=i, projection_dim=r.choice([24, 40]), image_text_hidden_size=r.choice([24, 40]))


def blip2(r):
    i = image(r, **some(r, qkv_bias=[True, False]))
    q = bert(r)
    q.pop("type_vocab_size", None)
    q["hidden_act"] = i.get("hidden_act", "gelu")
    q["num_hidden_layers"] = r.randint(1, 4)
    return T.Blip2Config(qformer_config={**q, "encoder_hidden_size": i["hidden_size"], "use_qformer_text_input": True, **some(r, cross_attention_frequency=[1, 2, 3])},
                         vision_config=i, text_config={"model_type": "opt", "hidden_size": 16, "ffn_dim": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "vocab_size": 160, "word_embed_proj_dim": 16},
                         num_query_tokens=r.choice([1, 3, 8]), image_text_hidden_size=r.choice([24, 40]))


def tips(r):
    i = image(r, mlp_ratio=r.choice([2, 3, 4]), num_register_tokens=r.choice([0, 1, 4]), **some(r, use_swiglu_ffn=[True], layerscale_value=[0.1], qkv_bias=[False]))
    del i["intermediate_size"]
    t = clip_text(r)
    t.update({"hidden_size": i["hidden_size"], "num_attention_heads": i["num_attention_heads"]})
    t.pop("hidden_act", None)
    return T.Tipsv2Config(text_config=t, vision_config=i)


def dual(r):
    kind = r.choice(["vit", "clip", "vit"])
    i = image(r)
    if kind == "vit":
        v = T.ViTConfig(**i, **some(r, qkv_bias=[False]))
    else:
        v = T.CLIPVisionConfig(**i)
    words = r.choice(["bert", "roberta", "xlm-roberta"])
    t = bert(r)
    if words == "bert":
        t = T.BertConfig(**t)
    else:
        t["max_position_embeddings"] += 2
        t = {"roberta": T.RobertaConfig, "xlm-roberta": T.XLMRobertaConfig}[words](**t, pad_token_id=1, bos_token_id=0, eos_token_id=2)
    return T.VisionTextDualEncoderConfig.from_vision_text_configs(v, t, projection_dim=r.choice([24, 40]))


CLASSES = {
    "CLIPModel": clip, "SiglipModel": siglip, "Siglip2Model": siglip2, "MetaClip2Model": metaclip2, "CLIPSegModel": clipseg,
    "ChineseCLIPModel": chinese, "AltCLIPModel": altclip, "AlignModel": align, "BlipModel": blip, "BlipForImageTextRetrieval": blip,
    "Blip2ForImageTextRetrieval": blip2, "Tipsv2Model": tips, "VisionTextDualEncoderModel": dual,
}
EOS_ENDED = ("CLIPModel", "MetaClip2Model", "CLIPSegModel")  # without a mask


def texts(r, kind, config, length, n=6):
    """Rows of ids, and the mask of what is not padding."""
    c = config.qformer_config if kind.startswith("Blip2") else config.text_config
    vocab = c.vocab_size
    pad = 1 if kind == "SiglipModel" or kind == "Siglip2Model" else c.pad_token_id or 0
    end = getattr(c, "eos_token_id", None) if kind in EOS_ENDED else None
    if kind == "CLIPModel" and end == 2:
        end = vocab - 1
    ids, mask = torch.full((n, length), pad), torch.zeros(n, length, dtype=torch.long)
    for i in range(n):
        size = [length, 1, length // 2, max(1, length - 1), min(3, length), length // 3 + 1][i % 6]
        for j in range(size):
            ids[i, j] = r.randint(5, min(vocab, 160) - 8)
        if end is not None:
            ids[i, size - 1] = end
            if i == 0:
                ids[i, 2] = 0
        mask[i, :size] = 1
    return ids, mask


def tensor(x):
    return x if isinstance(x, torch.Tensor) else x.pooler_output


def compute(model, kind, a):
    """Fills the activations a with what the model makes of its inputs."""
    pixels, ids = a["pixel_values"], a["input_ids"]
    mask = {"attention_mask": a["attention_mask"]} if "attention_mask" in a else {}
    if kind == "Blip2ForImageTextRetrieval":
        out = model(pixel_values=pixels, input_ids=ids, **mask, use_image_text_matching_head=False)
        a["image_features_norm"], a["text_features_norm"] = out.image_embeds, out.text_embeds
        a["logits_per_image"], a["logits_per_text"] = out.logits_per_image, out.logits_per_text
        if a["logits_per_image"].shape[0] != len(pixels):
            a["logits_per_image"], a["logits_per_text"] = a["logits_per_text"], a["logits_per_image"]
        return
    if kind == "BlipForImageTextRetrieval":
        image = model.vision_proj(model.vision_model(pixel_values=pixels)[0][:, 0])
        text = model.text_proj(model.text_encoder(input_ids=ids, **mask)[0][:, 0])
        logits = model(input_ids=ids, pixel_values=pixels, **mask, use_itm_head=False)[0]
    else:
        spatial = {k: a[k] for k in ("pixel_attention_mask", "spatial_shapes") if k in a}
        image, text = tensor(model.get_image_features(pixel_values=pixels, **spatial)), tensor(model.get_text_features(input_ids=ids, **mask))
        logits = model(input_ids=ids, pixel_values=pixels, **mask, **spatial).logits_per_image
    a["image_features"], a["text_features"] = image, text
    a["image_features_norm"], a["text_features_norm"] = F.normalize(image, dim=-1), F.normalize(text, dim=-1)
    a["logits_per_image"], a["logits_per_text"] = logits, logits.T


def make(r, out, name, kind):
    config = CLASSES[kind](r)
    cls = getattr(T, kind)
    torch.manual_seed(0)
    model = cls(config).eval()
    weights.fill(model, r.randint(0, 999))
    if hasattr(model, "temperature"):
        model.temperature.data.fill_(r.choice([0.05, 0.2]))
    dtype = r.choice([torch.float32, torch.float32, torch.float16, torch.bfloat16])
    folder = os.path.join(out, "checkpoints", name)
    model.to(dtype).save_pretrained(folder)
    for extra in ("generation_config.json",):
        if os.path.exists(os.path.join(folder, extra)):
            os.remove(os.path.join(folder, extra))
    model = cls.from_pretrained(folder, dtype=torch.float32).eval()
    t = config.qformer_config if kind.startswith("Blip2") else config.text_config
    positions = t.max_position_embeddings
    if kind == "AltCLIPModel" or getattr(t, "model_type", "") in ("roberta", "xlm-roberta"):
        positions -= 2
    ids, mask = texts(r, kind, config, positions)
    a = {"input_ids": ids}
    if kind not in EOS_ENDED and not kind.startswith("Siglip"):
        a["attention_mask"] = mask
    v = config.vision_config
    g = torch.Generator().manual_seed(r.randint(0, 999))
    if kind == "Siglip2Model":
        shapes = torch.tensor([[r.randint(2, 6), r.randint(2, 6)] for _ in range(4)])
        n = int(shapes.prod(1).max())
        a["spatial_shapes"] = shapes
        a["pixel_attention_mask"] = (torch.arange(n)[None] < shapes.prod(1)[:, None]).long()
        a["pixel_values"] = torch.randn(4, n, 3 * v.patch_size**2, generator=g) * a["pixel_attention_mask"][..., None]
    else:
        h, w = v.image_size, v.image_size
        if kind == "CLIPSegModel" and r.random() < 0.7:
            h, w = v.patch_size * r.randint(2, 6), v.patch_size * r.randint(2, 6)
        a["pixel_values"] = torch.randn(3, 3, h, w, generator=g)
    with torch.inference_mode():
        compute(model, kind, a)
        if hasattr(model, "logit_scale"):
            a["logit_scale_exp"] = model.logit_scale.exp().reshape(())
        if hasattr(model, "logit_bias"):
            a["logit_bias"] = model.logit_bias.reshape(())
        if hasattr(model, "temperature"):
            a["temperature"] = model.temperature.reshape(())
        if kind in ("CLIPModel", "SiglipModel", "MetaClip2Model", "ChineseCLIPModel", "AltCLIPModel", "BlipModel") and r.random() < 0.6:
            h, w = (v.patch_size * r.randint(1, 6) for _ in range(2))
            px = torch.randn(2, 3, h, w, generator=g)
            a[f"interp_{h}x{w}.pixel_values"] = px
            a[f"interp_{h}x{w}.image_features"] = tensor(model.get_image_features(pixel_values=px, interpolate_pos_encoding=True))
    os.makedirs(os.path.join(out, "activations"), exist_ok=True)
    save_file({k: x.detach().contiguous().clone() for k, x in a.items()}, os.path.join(out, "activations", name + ".safetensors"))


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("out")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--each", type=int, default=4)
    p.add_argument("--only", nargs="*", default=list(CLASSES))
    o = p.parse_args()
    T.logging.set_verbosity_error()
    T.logging.disable_progress_bar()
    index = {}
    for kind in o.only:
        for i in range(o.each):
            name = f"{kind.lower()}_{o.seed}_{i}"
            make(random.Random(f"{kind} {o.seed} {i}"), o.out, name, kind)
            index[name] = {"reference": f"transformers {kind}"}
            print(name, flush=True)
    with open(os.path.join(o.out, "checkpoints", "index.json"), "w") as f:
        json.dump(index, f, indent=1)


if __name__ == "__main__":
    main()
