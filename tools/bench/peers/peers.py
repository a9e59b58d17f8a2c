"""What goclip is timed beside: a process that keeps one peer and does a case when it is told to.

usage: peers.py FOLDER KIND [MODEL] [ARG]

KIND: eager, compiled, onnxruntime, openvino, onnxruntime-int8, openvino-int8 (towers of MODEL), faster-clip, training, losses, numpy, faiss,
usearch (search), pillow, draft, torchvision, opencv, reduced (images), tokenizers (ARG is a folder of vocabularies), openblas, mkl, blis (products;
of the latter two BLAS is the folder).
FOLDER is prepare.py's. THREADS is how many threads it has, ISA=avx2 what its processor may be taken for, as far as the peer can be told.

The first line that it prints says what it is. Then it answers each line, a command, with a line of JSON: prepare CASE;
time CASE SECONDS, the times of runs for so long, one at least; features CASE FILE, what a run computes, as float32; drop CASE; quit.
"""
import ctypes
import glob
import json
import os
import sys
import time

import numpy as np

from prepare import MEAN, STD, load, pixels_of

FOLDER, KIND = sys.argv[1:3]
MODEL, ARG = (sys.argv[3:] + ["", ""])[:2]
THREADS, AVX2 = int(os.environ.get("THREADS", "2")), os.environ.get("ISA") == "avx2"


def read(name, kind, *shape):
    return np.fromfile(os.path.join(FOLDER, name), kind, int(np.prod(shape))).reshape(shape)


def input_of(case, side):
    """The array of a case such as image/8, text/8 or captions/64."""
    what, n = case.split("/")
    if what == "image":
        return read("pixels", np.float32, int(n), 3, side, side)
    return read("ids-full" if what == "text" else "ids-captions", np.int32, int(n), 77).astype(np.int64)


def torch_towers(compiled):
    import torch
    torch.set_num_threads(THREADS)
    model, side = load(FOLDER, MODEL)
    for p in model.parameters():
        p.requires_grad_(False)
    image, text = model.visual, model.encode_text
    if compiled:
        import torch._inductor.config as inductor
        inductor.freezing = True
        inductor.cpp.simdlen = 256 if AVX2 else None
        image, text = (torch.compile(f, dynamic=False) for f in (image, text))

    def case(name):
        x, f = torch.from_numpy(input_of(name, side)), image if name.startswith("image") else text

        def run():
            with torch.no_grad() if compiled else torch.inference_mode():
                return f(x).numpy()
        return run
    return case, f"PyTorch {torch.__version__}, {torch.backends.cpu.get_cpu_capability()}"


def side_of():
    with open(os.path.join(FOLDER, MODEL, "open_clip_config.json")) as f:
        return json.load(f)["model_cfg"]["vision_cfg"]["image_size"]


def graph(name, suffix):
    return os.path.join(FOLDER, MODEL, ("image" if name.startswith("image") else "text") + suffix)


def onnxruntime_towers(suffix):
    import onnxruntime as ort
    sessions = {}

    def case(name):
        o = ort.SessionOptions()
        o.intra_op_num_threads, o.inter_op_num_threads = THREADS, 1
        path = graph(name, suffix + ".onnx")
        if path not in sessions:
            sessions[path] = ort.InferenceSession(path, o, providers=["CPUExecutionProvider"])
        x = input_of(name, side_of())
        return lambda: sessions[path].run(None, {"x": x})[0]
    return case, f"ONNX Runtime {ort.__version__}" + ", which cannot be held to AVX2" * AVX2


def openvino_towers(suffix):
    import openvino as ov
    core, models = ov.Core(), {}

    def case(name):
        path, x = graph(name, suffix + ".xml"), input_of(name, side_of())
        if path not in models:
            models[path] = core.compile_model(path, "CPU", {
                "PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": THREADS, "INFERENCE_PRECISION_HINT": "f32"})
        request = models[path].create_infer_request()
        return lambda: request.infer({0: x}, share_inputs=True)[0]
    return case, f"OpenVINO {ov.__version__.split('-')[0]}"


def faster_clip():
    """Weights of ours under the name that it looks for."""
    import faster_clip
    from importlib.metadata import version
    model = faster_clip.ClipModel()

    def case(name):
        files = sorted(glob.glob(os.path.join(FOLDER, "folder-224", "*.jpg")))[:int(name.split("/")[1])]
        photos = [open(f, "rb").read() for f in files]
        return lambda: np.asarray(model.encode_image(photos), np.float32)
    return case, f"faster-clip {version('faster-clip')}, int8" + ", which cannot be held to AVX2" * AVX2


def training():
    """A step as open_clip takes it: ClipLoss, fused AdamW without decay of vectors, the scale clamped."""
    import math
    import open_clip
    import torch
    torch.set_num_threads(THREADS)

    def case(name):
        what, n = name.split("/")[0], int(name.split("/")[1])
        model, side = load(FOLDER, "toy" if what == "toy" else MODEL)
        model.train()
        x = torch.from_numpy(read("pixels", np.float32, n, 3, side, side))
        file, length = {"train": ("ids-full", 77), "captions": ("ids-captions", 77), "toy": ("ids-toy", 32)}[what]
        ids = torch.from_numpy(read(file, np.int32, n, length).astype(np.int64))
        groups = [{"params": [p for p in model.parameters() if (p.ndim >= 2) == matrix], "weight_decay": 0.2 * matrix} for matrix in (True, False)]
        optimizer = torch.optim.AdamW(groups, lr=1e-4, betas=(0.9, 0.98), eps=1e-6, fused=True)
        loss = open_clip.ClipLoss()

        def run():
            optimizer.zero_grad(set_to_none=True)
            cost = loss(*model(x, ids)[:3])
            cost.backward()
            optimizer.step()
            with torch.no_grad():
                model.logit_scale.clamp_(0, math.log(100))
            return [cost.item()]
        return run
    return case, f"PyTorch {torch.__version__}, fused AdamW, {torch.backends.cpu.get_cpu_capability()}"


def losses():
    """open_clip's losses with their gradients."""
    import torch
    from open_clip.loss import ClipLoss, SigLipLoss
    torch.set_num_threads(THREADS)

    def case(name):
        kind, n = name.split("/")
        image, text = (torch.from_numpy(read(f"unit-{x}", np.float32, int(n), 512)).requires_grad_() for x in ("image", "text"))
        scale, bias = torch.tensor(10.0, requires_grad=True), torch.tensor(-3.0, requires_grad=True)
        module = ClipLoss() if kind == "infonce" else SigLipLoss()

        def run():
            for x in (image, text, scale, bias):
                x.grad = None
            cost = module(image, text, scale) if kind == "infonce" else module(image, text, scale, bias)
            cost.backward()
            return cost.detach().numpy(), image.grad.numpy()[0]
        return lambda: np.append(*run())
    return case, f"PyTorch {torch.__version__}, {torch.backends.cpu.get_cpu_capability()}"


def search():
    """The ten nearest of the vectors, of 1 or 32 queries."""
    rows, queries, k = np.memmap(os.path.join(FOLDER, "vectors", "rows"), np.float32, "r").reshape(-1, 512), read("vectors/queries", np.float32, 64, 512), 10
    if KIND == "faiss":
        import faiss
        faiss.omp_set_num_threads(THREADS)
        index = faiss.IndexFlatIP(512)
        for i in range(0, len(rows), 50_000):
            index.add(rows[i:i + 50_000])
        find, what = lambda q: index.search(q, k)[1], f"faiss {faiss.__version__}, {faiss.SIMDConfig.get_level_name()}"
    elif KIND == "usearch":
        import usearch
        from usearch.index import MetricKind, search as exact
        find = lambda q: np.asarray(exact(rows, q, k, MetricKind.IP, exact=True, threads=THREADS).keys).reshape(len(q), k)
        what = f"usearch {usearch.__version__}" + ", which cannot be held to AVX2" * AVX2
    else:
        from threadpoolctl import threadpool_info

        def find(q):
            scores = q @ rows.T
            top = np.argpartition(scores, -k, axis=1)[:, -k:]
            return np.take_along_axis(top, np.argsort(-np.take_along_axis(scores, top, 1), axis=1), 1)
        blas = next(p for p in threadpool_info() if p["user_api"] == "blas")
        what = f"NumPy {np.__version__}, {blas['internal_api']} {blas['version']} for {blas['architecture']}"
    return lambda name: lambda: find(queries[:int(name.split("/")[1])]), what


def pillow(drafts):
    import PIL
    from PIL import Image

    def one(path):
        with Image.open(path) as image:
            if drafts:
                image.draft(None, (448, 448))
            return pixels_of(image)
    return one, f"Pillow {PIL.__version__}"


def torchvision():
    import torch
    import torchvision
    from torchvision.io import ImageReadMode, decode_image, read_file
    from torchvision.transforms.v2 import functional as F
    torch.set_num_threads(1)

    def one(path):
        x = decode_image(read_file(path), ImageReadMode.RGB)
        x = F.resize(x, [224], F.InterpolationMode.BICUBIC, antialias=True)
        return F.normalize(F.to_dtype(F.center_crop(x, [224, 224]), torch.float32, scale=True), MEAN, STD).numpy()
    return one, f"torchvision {torchvision.__version__}"


def opencv(reduced):
    import cv2
    cv2.setNumThreads(1)
    scale = (1 / (255 * np.array(STD))).astype(np.float32)
    shift = (-np.array(MEAN) / np.array(STD)).astype(np.float32)

    def one(path):
        flags = cv2.IMREAD_REDUCED_COLOR_4 if reduced and "12-" in path else cv2.IMREAD_COLOR
        x = cv2.imread(path, flags | cv2.IMREAD_IGNORE_ORIENTATION)
        h, w = x.shape[:2]
        s = 224 / min(h, w)
        x = cv2.resize(x, (round(w * s), round(h * s)), interpolation=cv2.INTER_AREA)
        top, left = round((x.shape[0] - 224) / 2), round((x.shape[1] - 224) / 2)
        return np.ascontiguousarray((x[top:top + 224, left:left + 224, ::-1].astype(np.float32) * scale + shift).transpose(2, 0, 1))
    return one, f"OpenCV {cv2.__version__}"


def images(reader):
    one, what = reader
    return lambda name: lambda: one(os.path.join(FOLDER, "images", name)), what


def tokenizers():
    import tokenizers
    with open(os.path.join(ARG, "captions-10k.txt")) as f:
        texts = f.read().splitlines()

    def case(name):
        loading, name = name.startswith("loading-"), name.removeprefix("loading-")
        path = os.path.join(ARG if os.path.exists(os.path.join(ARG, name)) else os.path.join(FOLDER, "..", "vocabularies"), name, "tokenizer.json")
        t = tokenizers.Tokenizer.from_file(path)
        t.no_truncation()
        t.no_padding()
        if loading:
            return lambda: [tokenizers.Tokenizer.from_file(path).get_vocab_size()]
        return lambda: [sum(len(e.ids) for e in t.encode_batch_fast(texts))]
    return case, f"tokenizers {tokenizers.__version__}"


def ramp(*shape):
    """The numbers of the worker's products."""
    return (np.arange(np.prod(shape)) % 251 / 125 - 1).astype(np.float32).reshape(shape)


def products():
    """C = A·B in three layouts; a packed product of ours is beside A·Bᵀ."""
    p, i = ctypes.c_void_p, ctypes.c_int
    if KIND == "openblas":
        from threadpoolctl import threadpool_info
        blas = next(p for p in threadpool_info() if p["user_api"] == "blas")
        multiply, i, what = ctypes.CDLL(blas["filepath"]).scipy_cblas_sgemm64_, ctypes.c_int64, f"OpenBLAS {blas['version']} for {blas['architecture']}"
    elif KIND == "mkl":
        ctypes.CDLL(os.path.join(os.environ["BLAS"], "lib", "libiomp5.so"), ctypes.RTLD_GLOBAL)  # MKL looks for it by name
        lib, text = ctypes.CDLL(os.path.join(os.environ["BLAS"], "lib", "libmkl_rt.so.3")), ctypes.create_string_buffer(200)
        lib.MKL_Get_Version_String(text, 200)
        multiply, what = lib.cblas_sgemm, "MKL " + text.value.decode().split("Version ")[1].split("-")[0]
    else:
        lib = ctypes.CDLL(os.path.join(os.environ["BLAS"], "lib", "libblis.so.4"))
        lib.bli_info_get_version_str.restype = lib.bli_arch_string.restype = ctypes.c_char_p
        lib.bli_thread_set_num_threads(ctypes.c_int64(THREADS))
        what = f"BLIS {lib.bli_info_get_version_str().decode()} for {lib.bli_arch_string(lib.bli_arch_query_id()).decode()}"
        multiply = lib.cblas_sgemm
    multiply.argtypes = [ctypes.c_int] * 3 + [i, i, i, ctypes.c_float, p, i, p, i, ctypes.c_float, p, i]

    def case(name):
        layout, sizes = name.split("/")
        m, n, k = map(int, sizes.split("x"))
        ta, tb = layout == "TN", layout in ("NT", "packed")
        a, b, c = ramp(*((k, m) if ta else (m, k))), ramp(*((n, k) if tb else (k, n))), np.empty((m, n), np.float32)
        arguments = (101, 112 if ta else 111, 112 if tb else 111, m, n, k, 1, a.ctypes.data, a.shape[1], b.ctypes.data, b.shape[1], 0, c.ctypes.data, n)

        def run():
            multiply(*arguments)
            return c
        return lambda keep=(a, b): run()
    return case, what


def serve(make, what):
    out = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # whatever else prints
    runs = {}
    print(json.dumps({"what": what}), file=out)
    for line in sys.stdin:
        command, *rest = line.split()
        try:
            answer = {}
            if command == "prepare":
                runs[rest[0]] = make(rest[0])
                runs[rest[0]](), runs[rest[0]]()
            elif command == "time":
                answer = timed(runs[rest[0]], float(rest[1]))
            elif command == "features":
                np.ascontiguousarray(runs[rest[0]](), np.float32).tofile(rest[1])
            elif command == "drop":
                runs.pop(rest[0], None)
        except Exception as e:  # the runner decides what a failure means
            answer = {"error": f"{type(e).__name__}: {e}"[:500]}
        print(json.dumps(answer), file=out)
        if command == "quit":
            break


def timed(run, seconds):
    times, began, cpu = [], time.perf_counter(), time.process_time()
    while not times or time.perf_counter() - began < seconds:
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return {"times": times, "cpu": time.process_time() - cpu, "wall": time.perf_counter() - began}


serve(*{
    "eager": lambda: torch_towers(False), "compiled": lambda: torch_towers(True),
    "onnxruntime": lambda: onnxruntime_towers(""), "onnxruntime-int8": lambda: onnxruntime_towers("-int8"),
    "openvino": lambda: openvino_towers(""), "openvino-int8": lambda: openvino_towers("-int8"),
    "faster-clip": faster_clip, "training": training, "losses": losses, "numpy": search, "faiss": search, "usearch": search,
    "pillow": lambda: images(pillow(False)), "draft": lambda: images(pillow(True)), "torchvision": lambda: images(torchvision()),
    "opencv": lambda: images(opencv(False)), "reduced": lambda: images(opencv(True)), "tokenizers": tokenizers, "openblas": products, "mkl": products,
    "blis": products,
}[KIND]())
