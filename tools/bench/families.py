"""Image towers of open_clip's newer families, in the programs that goclip is compared with.

usage: families.py prepare FOLDER MODEL... | families.py work FOLDER MODEL ENGINE [ISA]

prepare writes, of each model that is not there yet, FOLDER/MODEL: open_clip's checkpoint with random weights and a text
tower of one small layer, the image tower for ONNX Runtime and OpenVINO, and FOLDER/pixels, eight images.

ENGINE: eager (PyTorch), compiled (torch.compile with frozen weights), onnxruntime, openvino. ISA, avx2, keeps PyTorch to
that; what the others obey are environment variables. A worker reads a command a line and answers each with a line of JSON:
prepare BATCH, time BATCH SECONDS, features BATCH FILE.
"""
import json
import os
import sys
import time

import numpy as np

BATCHES = (1, 8)
THREADS = 2


def tower(folder, name):
    """The image tower with the folder's weights, its branches folded where it has some."""
    import open_clip
    import timm
    import torch
    from safetensors.torch import load_file

    with open(os.path.join(folder, name, "open_clip_config.json")) as f:
        config = json.load(f)["model_cfg"]
    kind = open_clip.CustomTextCLIP if config.pop("custom_text", False) else open_clip.CLIP
    model = kind(**config)
    model.load_state_dict(load_file(os.path.join(folder, name, "open_clip_model.safetensors")))
    visual = model.eval().visual
    if hasattr(visual, "trunk"):
        visual.trunk = timm.utils.reparameterize_model(visual.trunk)
    for p in visual.parameters():
        p.requires_grad_(False)
    torch.backends.mha.set_fastpath_enabled(False)  # it cannot be exported
    return visual.eval(), config["vision_cfg"]["image_size"]


def randomize(state, seed):
    """Weights that keep the size of what flows through them, so that every layer shows in the features."""
    import torch
    g = torch.Generator().manual_seed(seed)
    for name, t in state.items():
        if not t.is_floating_point():
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


def prepare(folder, names):
    os.makedirs(folder, exist_ok=True)
    pixels = os.path.join(folder, "pixels")
    if not os.path.exists(pixels):
        np.random.default_rng(1).standard_normal(8 * 3 * 256 * 256, dtype=np.float32).tofile(pixels)
    for name in names:
        done = os.path.join(folder, name, "complete")
        if not os.path.exists(done):
            print("preparing", name, file=sys.stderr, flush=True)
            checkpoint(folder, name)
            export(folder, name)
            open(done, "w").close()


def checkpoint(folder, name):
    import open_clip
    from safetensors.torch import save_file
    config = open_clip.get_model_config(name)
    if config is None:
        raise SystemExit(f"open_clip has no configuration {name}")
    config["text_cfg"] = {"context_length": 8, "vocab_size": 64, "width": 64, "heads": 1, "layers": 1}
    arguments = {k: v for k, v in config.items() if k != "custom_text"}
    model = (open_clip.CustomTextCLIP if config.get("custom_text") else open_clip.CLIP)(**arguments)
    state = model.state_dict()
    randomize(state, 1)
    os.makedirs(os.path.join(folder, name), exist_ok=True)
    save_file(state, os.path.join(folder, name, "open_clip_model.safetensors"))
    with open(os.path.join(folder, name, "open_clip_config.json"), "w") as f:
        json.dump({"model_cfg": config, "preprocess_cfg": {"mean": [0.5] * 3, "std": [0.5] * 3}}, f, indent=1)


def export(folder, name):
    import openvino as ov
    import torch
    model, side = tower(folder, name)
    x = torch.randn(2, 3, side, side)
    with torch.no_grad():
        torch.onnx.export(model, (x,), os.path.join(folder, name, "image.onnx"), dynamo=True, input_names=["x"], output_names=["y"],
                          dynamic_shapes=({0: torch.export.Dim("batch", min=1, max=512)},), external_data=False, verbose=False)
        converted = ov.convert_model(model, example_input=x, input=[([-1, 3, side, side], ov.Type.f32)])
    ov.save_model(converted, os.path.join(folder, name, "image.xml"), compress_to_fp16=False)


def pixels(folder, n, side):
    return np.fromfile(os.path.join(folder, "pixels"), np.float32, n * 3 * side * side).reshape(n, 3, side, side)


def torch_runs(folder, name, compiled, isa):
    """A function from a batch's size to a run of it, which gives the features."""
    if compiled:
        os.environ["TORCHINDUCTOR_FREEZING"] = "1"
    import torch
    torch.set_num_threads(THREADS)
    model, side = tower(folder, name)
    if compiled:
        import torch._inductor.config as inductor
        inductor.cpp.simdlen = 256 if isa == "avx2" else None
        model = torch.compile(model, dynamic=False)

    def make(n):
        x = torch.from_numpy(pixels(folder, n, side))

        def run():
            with torch.no_grad() if compiled else torch.inference_mode():
                return model(x).numpy()
        return run
    return make


def side_of(folder, name):
    with open(os.path.join(folder, name, "open_clip_config.json")) as f:
        return json.load(f)["model_cfg"]["vision_cfg"]["image_size"]


def onnxruntime_runs(folder, name):
    import onnxruntime as ort

    def make(n):
        o = ort.SessionOptions()
        o.intra_op_num_threads, o.inter_op_num_threads = THREADS, 1
        o.add_free_dimension_override_by_name("batch", n)
        session = ort.InferenceSession(os.path.join(folder, name, "image.onnx"), o, providers=["CPUExecutionProvider"])
        x = pixels(folder, n, side_of(folder, name))
        return lambda: session.run(None, {"x": x})[0]
    return make


def openvino_runs(folder, name):
    import openvino as ov
    core, side = ov.Core(), side_of(folder, name)

    def make(n):
        model = core.read_model(os.path.join(folder, name, "image.xml"))
        model.reshape([n, 3, side, side])
        request = core.compile_model(model, "CPU", {
            "PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": THREADS, "INFERENCE_PRECISION_HINT": "f32"}).create_infer_request()
        x = pixels(folder, n, side)
        return lambda: request.infer({0: x}, share_inputs=True)[0]
    return make


def timed(run, seconds):
    times, began, cpu = [], time.perf_counter(), time.process_time()
    while not times or time.perf_counter() - began < seconds:
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return {"times": times, "cpu": time.process_time() - cpu, "wall": time.perf_counter() - began}


def work(make):
    out = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # whatever else prints
    runs = {}
    print("{}", file=out)
    for line in sys.stdin:
        command, n, *rest = line.split()
        try:
            if command == "prepare":
                runs[n] = make(int(n))
                runs[n](), runs[n]()
                answer = {}
            elif command == "time":
                answer = timed(runs[n], float(rest[0]))
            else:
                np.ascontiguousarray(runs[n](), np.float32).tofile(rest[0])
                answer = {}
        except Exception as e:  # the runner decides what a failure means
            answer = {"error": f"{type(e).__name__}: {e}"[:500]}
        print(json.dumps(answer), file=out)


if __name__ == "__main__":
    what, folder, *rest = sys.argv[1:]
    if what == "prepare":
        prepare(folder, rest)
    else:
        name, engine, isa = rest[0], rest[1], (rest + [""])[2]
        work({"eager": lambda: torch_runs(folder, name, False, isa), "compiled": lambda: torch_runs(folder, name, True, isa),
              "onnxruntime": lambda: onnxruntime_runs(folder, name), "openvino": lambda: openvino_runs(folder, name)}[engine]())
