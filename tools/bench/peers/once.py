"""Whole programs as one would write them. usage: once.py FOLDER MODEL eager|onnxruntime|openvino PHOTO | once.py FOLDER MODEL eager|openvino PHOTOS OUT

Of one photograph it prints the first number of its embedding; of a folder it writes the embeddings, as open_clip reads images
(openvino: with OpenVINO's tower), and prints how many.
"""
import os
import sys

folder, name, engine, photos = sys.argv[1:5]
THREADS = int(os.environ.get("THREADS", "2"))


def openvino():
    import openvino as ov
    model = ov.Core().compile_model(os.path.join(folder, name, "image.xml"), "CPU", {
        "PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": THREADS, "INFERENCE_PRECISION_HINT": "f32"})
    return lambda x: model(x)[0]


def onnxruntime():
    import onnxruntime as ort
    o = ort.SessionOptions()
    o.intra_op_num_threads = THREADS
    session = ort.InferenceSession(os.path.join(folder, name, "image.onnx"), o, providers=["CPUExecutionProvider"])
    return lambda x: session.run(None, {"x": x})[0]


def eager():
    import torch
    from prepare import load
    torch.set_num_threads(THREADS)
    model = load(folder, name)[0]

    def run(x):
        with torch.inference_mode():
            return model.encode_image(torch.as_tensor(x)).numpy()
    return run


def one():
    import numpy as np
    if engine == "eager":
        import open_clip  # noqa: F401: what loads PyTorch's model is loaded anyway, and its transform is at hand
        from PIL import Image
        from open_clip.transform import image_transform
        from prepare import MEAN, STD
        run = eager()
        x = image_transform(224, is_train=False, mean=MEAN, std=STD)(Image.open(photos))[None]
    else:       # neither PyTorch nor open_clip: Pillow and NumPy make the pixels
        from PIL import Image
        from prepare import pixels_of
        x = pixels_of(Image.open(photos))[None]
        run = {"openvino": openvino, "onnxruntime": onnxruntime}[engine]()
    y = run(x)[0]
    print(float(y[0] / np.linalg.norm(y)), flush=True)


def all_of(out):
    import glob
    import numpy as np
    import torch
    from PIL import Image
    from open_clip.transform import image_transform
    from prepare import MEAN, STD
    torch.set_num_threads(THREADS)
    files = sorted(glob.glob(os.path.join(photos, "*.jpg")))
    transform = image_transform(224, is_train=False, mean=MEAN, std=STD)

    class Files(torch.utils.data.Dataset):
        def __len__(self):
            return len(files)

        def __getitem__(self, i):
            return transform(Image.open(files[i]))

    workers = 0 if THREADS == 1 else 1 if engine == "openvino" else 2     # one thread reads files, too
    run, rows = {"openvino": openvino, "eager": eager}[engine](), []
    for x in torch.utils.data.DataLoader(Files(), batch_size=32, num_workers=workers):
        y = run(x.numpy())
        rows.append(y / np.linalg.norm(y, axis=1, keepdims=True))
    np.save(out + ".npy", np.concatenate(rows))
    print(sum(map(len, rows)), flush=True)


if len(sys.argv) == 5:
    one()
else:
    all_of(sys.argv[5])
