"""Writes what the benchmark's processes read, each thing once: random models in the forms of every engine, inputs, images, vectors.

usage: prepare.py FOLDER WHAT...

WHAT: inputs, toy, images, folder, vectors, a configuration of open_clip (its image tower; ViT-B-32-quickgelu has its text tower too), or
ViT-B-32-quickgelu:int8. What is there is not made again.
"""
import json
import os
import shutil
import sys

import numpy as np

WHOLE = "ViT-B-32-quickgelu"      # the model whose texts are timed, too
TOY = dict(embed_dim=128, quick_gelu=True,
           vision_cfg=dict(image_size=32, patch_size=4, width=192, layers=6, head_width=64),
           text_cfg=dict(context_length=32, vocab_size=1000, width=192, heads=3, layers=6))
MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
VECTORS = int(os.environ.get("VECTORS", 1_000_000))


def load(folder, name):
    """open_clip's model with the folder's weights, its branches folded where it has some."""
    import open_clip
    import timm
    import torch
    from safetensors.torch import load_file

    with open(os.path.join(folder, name, "open_clip_config.json")) as f:
        config = json.load(f)["model_cfg"]
    kind = open_clip.CustomTextCLIP if config.pop("custom_text", False) else open_clip.CLIP
    model = kind(**config)
    model.load_state_dict(load_file(os.path.join(folder, name, "open_clip_model.safetensors")), strict=name != "toy")
    model.eval()
    if hasattr(model.visual, "trunk"):
        model.visual.trunk = timm.utils.reparameterize_model(model.visual.trunk)
    torch.backends.mha.set_fastpath_enabled(False)  # it cannot be exported
    return model, config["vision_cfg"]["image_size"]


def randomize(state, seed):
    """Weights that keep the size of what flows through them, so that every layer shows in the features."""
    import torch
    g = torch.Generator().manual_seed(seed)
    for name, t in state.items():
        if not t.is_floating_point() or t.dim() == 0 or name == "attn_mask":
            continue
        noise = torch.randn(t.shape, generator=g)
        if name.endswith("running_var"):
            t.copy_(1 + 0.1 * noise.abs())
        elif "gamma" in name or "layer_scale" in name:
            t.copy_(0.2 + 0.02 * noise)
        elif t.dim() < 2:
            t.copy_(0.05 * noise + (1 if name.endswith("weight") else 0))
        else:
            t.copy_(noise / max(1, t[0].numel()) ** 0.5)


def checkpoint(folder, name):
    import open_clip
    from safetensors.torch import save_file
    config = dict(TOY) if name == "toy" else open_clip.get_model_config(name)
    if config is None:
        raise SystemExit(f"open_clip has no configuration {name}")
    if name not in (WHOLE, "toy"):
        config["text_cfg"] = {"context_length": 8, "vocab_size": 64, "width": 64, "heads": 1, "layers": 1}
    arguments = {k: v for k, v in config.items() if k != "custom_text"}
    model = (open_clip.CustomTextCLIP if config.get("custom_text") else open_clip.CLIP)(**arguments)
    state = {k: v for k, v in model.state_dict().items() if k != "attn_mask"}
    randomize(state, 1)
    os.makedirs(os.path.join(folder, name), exist_ok=True)
    save_file({k: v.contiguous() for k, v in state.items()}, os.path.join(folder, name, "open_clip_model.safetensors"))
    with open(os.path.join(folder, name, "open_clip_config.json"), "w") as f:
        json.dump({"model_cfg": config, "preprocess_cfg": {"mean": MEAN, "std": STD, "interpolation": "bicubic", "resize_mode": "shortest"}}, f, indent=1)
    if name == WHOLE:
        shutil.copy(os.path.join(os.path.dirname(open_clip.__file__), "bpe_simple_vocab_16e6.txt.gz"), os.path.join(folder, name))


def towers(folder, name):
    """Each tower with an input."""
    import torch

    class Text(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.model = model

        def forward(self, x):
            return self.model.encode_text(x)

    model, side = load(folder, name)
    for p in model.parameters():
        p.requires_grad_(False)
    yield "image", model.visual, torch.randn(2, 3, side, side)
    if name == WHOLE:
        yield "text", Text(), torch.randint(1, 30000, (2, 77))


def export(folder, name):
    import openvino as ov
    import torch
    for what, tower, x in towers(folder, name):
        path = os.path.join(folder, name, what)
        with torch.no_grad():
            torch.onnx.export(tower.eval(), (x,), path + ".onnx", dynamo=True, input_names=["x"], output_names=["y"],
                              dynamic_shapes=({0: torch.export.Dim("batch", min=1, max=512)},), external_data=name != WHOLE, verbose=False)
            converted = ov.convert_model(tower, example_input=x, input=[([-1, *x.shape[1:]], ov.Type.f32 if what == "image" else ov.Type.i64)])
        ov.save_model(converted, path + ".xml", compress_to_fp16=False)
        del converted


def int8(folder, name):
    """ONNX Runtime's dynamic integers (weights of 7 bits, which bytes are multiplied with everywhere), NNCF's calibrated ones for OpenVINO."""
    import nncf
    import openvino as ov
    import torch
    from onnxruntime.quantization import QuantType, quantize_dynamic
    rng = np.random.default_rng(2)
    captions = np.fromfile(os.path.join(folder, "ids-captions"), np.int32).reshape(16, 4, 77).astype(np.int64)
    for what, tower, x in towers(folder, name):
        path = os.path.join(folder, name, what)
        with torch.no_grad():   # the older exporter's graph is the one that the quantizer reads
            torch.onnx.export(tower.eval(), (x,), path + "-script.onnx", dynamo=False, input_names=["x"], output_names=["y"],
                              dynamic_axes={"x": {0: "batch"}, "y": {0: "batch"}}, opset_version=17)
        quantize_dynamic(path + "-script.onnx", path + "-int8.onnx", weight_type=QuantType.QInt8, per_channel=True, reduce_range=True,
                         op_types_to_quantize=["MatMul", "Gemm"])
        os.remove(path + "-script.onnx")
        data = [rng.standard_normal((4, 3, 224, 224), dtype=np.float32) for _ in range(16)] if what == "image" else list(captions)
        whole = nncf.quantize(ov.Core().read_model(path + ".xml"), nncf.Dataset(data), model_type=nncf.ModelType.TRANSFORMER, subset_size=16)
        ov.save_model(whole, path + "-int8.xml", compress_to_fp16=False)


def inputs(folder):
    rng = np.random.default_rng(1)
    save = lambda name, x: x.tofile(os.path.join(folder, name))
    save("pixels", rng.standard_normal(32 * 3 * 256 * 256, dtype=np.float32))
    full = rng.integers(1, 49405, (32, 77)).astype(np.int32)
    full[:, 0], full[:, -1] = 49406, 49407
    save("ids-full", full)
    captions = np.zeros((64, 77), np.int32)      # 7 to 24 tokens, 14 on average, as captions of photographs have
    for row, n in zip(captions, np.clip(rng.gamma(9, 12 / 9, 64).round() + 2, 7, 24).astype(int)):
        row[:n] = rng.integers(1, 49405, n)
        row[0], row[n - 1] = 49406, 49407
    save("ids-captions", captions)
    toy = rng.integers(1, 997, (128, 32)).astype(np.int32)
    toy[:, -1] = 999
    save("ids-toy", toy)
    for name in ("unit-image", "unit-text"):
        x = rng.standard_normal((8192, 512), dtype=np.float32)
        save(name, x / np.linalg.norm(x, axis=1, keepdims=True))


def synthetic(rng, h, w):
    """A picture whose spectrum falls as photographs' does."""
    fy, fx = np.fft.fftfreq(h)[:, None], np.fft.rfftfreq(w)[None]
    fall = 1 / (np.hypot(fy, fx) + 2 / w) ** 1.25
    noise = [np.fft.irfft2(fall * np.fft.rfft2(rng.standard_normal((h, w))), (h, w)) for _ in range(3)]
    grey = noise[0] / noise[0].std()
    out = np.stack([grey + 0.35 * n / n.std() for n in noise], -1)
    out += 0.02 * rng.standard_normal(out.shape)
    return np.clip(118 + 52 * out, 0, 255).astype(np.uint8)


def pixels_of(image):
    """What open_clip's transform makes of an image of Pillow's, (3, 224, 224), by Pillow and NumPy."""
    from PIL import Image
    w, h = image.size
    longer = int(224 * max(w, h) / min(w, h))
    image = image.resize((224, longer) if w <= h else (longer, 224), Image.Resampling.BICUBIC)
    left, top = round((image.width - 224) / 2), round((image.height - 224) / 2)
    x = np.asarray(image.crop((left, top, left + 224, top + 224)).convert("RGB")).transpose(2, 0, 1).astype(np.float32)
    x /= 255
    x -= np.array(MEAN, np.float32)[:, None, None]
    x /= np.array(STD, np.float32)[:, None, None]
    return x


def images(folder):
    from PIL import Image
    rng = np.random.default_rng(3)
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
    small.save(f"{folder}/0.5-BMP.bmp")
    small.save(f"{folder}/0.5-TIFF.tif")
    small.save(f"{folder}/0.5-TIFF-LZW.tif", compression="tiff_lzw")


def photographs(folder):
    """256 files of half a megapixel, and eight of 224×224 for what reads nothing else."""
    from PIL import Image
    rng = np.random.default_rng(4)
    for i in range(256):
        if i % 32 == 0:
            one = synthetic(rng, 612, 816)
        Image.fromarray(np.roll(one, 25 * (i % 32), axis=1)).save(f"{folder}/{i:03d}.jpg", quality=90)
    os.makedirs(f"{folder}-224", exist_ok=True)
    for i in range(8):
        Image.fromarray(synthetic(rng, 224, 224)).save(f"{folder}-224/{i}.jpg", quality=95)


def vectors(folder):
    """Unit vectors near a surface of 48 dimensions, in clusters, as embeddings lie."""
    rng = np.random.default_rng(5)
    basis = rng.standard_normal((48, 512)).astype(np.float32) / np.sqrt(48)
    centres = rng.standard_normal((4000, 48)).astype(np.float32)

    def draw(n):
        z = centres[rng.integers(0, len(centres), n)] + 0.7 * rng.standard_normal((n, 48)).astype(np.float32)
        x = z @ basis + 0.15 * rng.standard_normal((n, 512)).astype(np.float32)
        return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)
    draw(64).tofile(os.path.join(folder, "queries"))
    with open(os.path.join(folder, "rows"), "wb") as f:
        for at in range(0, VECTORS, 50_000):
            draw(min(50_000, VECTORS - at)).tofile(f)


def make(folder, what):
    inside = {"images": images, "folder": photographs, "vectors": vectors}
    name = {"vectors": f"vectors-{VECTORS}", "images": "images-2"}.get(what, what)  # counted up where it writes more
    done = os.path.join(folder, "done", name)
    if os.path.exists(done):
        return
    print("preparing", name, file=sys.stderr, flush=True)
    if what in inside:
        os.makedirs(os.path.join(folder, what), exist_ok=True)
        inside[what](os.path.join(folder, what))
    elif what == "inputs":
        inputs(folder)
    elif what.endswith(":int8"):
        int8(folder, what.removesuffix(":int8"))
    else:
        checkpoint(folder, what)
        if what != "toy":
            export(folder, what)
    open(done, "w").close()


if __name__ == "__main__":
    os.makedirs(os.path.join(sys.argv[1], "done"), exist_ok=True)
    for what in sys.argv[2:]:
        make(sys.argv[1], what)
