#!/usr/bin/env python3
"""Has clip-retrieval and autofaiss read what "goclip embed" wrote, and goclip read what
clip-retrieval's writer wrote. .ci/retrieval installs them, pinned.

    retrieval.py GOCLIP FOLDER

Embeddings are given, so what computes them in Python (torch, all_clip, sentence_transformers)
and what reports to a service (wandb) is never called: empty modules stand in for those."""
import io
import json
import logging
import os
import subprocess
import sys
import tarfile
from unittest import mock

os.environ["TQDM_DISABLE"] = "1"
for name in ("torch", "torch.utils", "torch.utils.data", "torch.utils.data.dataloader", "all_clip", "sentence_transformers", "wandb"):
    sys.modules[name] = mock.MagicMock()

import faiss
import numpy as np
import pandas as pd
from autofaiss import build_index
from clip_retrieval.clip_back import ClipResource, KnnService, MetadataService, load_index, load_metadata_provider
from clip_retrieval.clip_index import clip_index
from clip_retrieval.clip_inference.writer import NumpyWriter
from flask import Flask
from flask_restful import Api
from PIL import Image

logging.disable(logging.INFO)
TOLERANCE = 2e-3    # of cosines between halves, which are not quite of length one
GOCLIP, SCRATCH = sys.argv[1], sys.argv[2]


def path(*names):
    return os.path.join(SCRATCH, *names)


def goclip(*args):
    run = subprocess.run([GOCLIP, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if run.returncode:
        sys.exit(f"goclip {' '.join(args)}: {run.returncode}\n{run.stderr}")
    return run.stdout


def picture(i):
    """Stripes, whose colours and widths depend on i."""
    x = np.arange(48)[None, :] // (2 + i % 7) + np.arange(48)[:, None] // (3 + i % 5) * (i % 2)
    colours = np.array([[37 * i % 256, 91 * i % 256, 53 * i % 256], [255 - 11 * i % 256, 17 * i % 256, 201 * i % 256]])
    out = io.BytesIO()
    Image.fromarray(colours[x % 2].astype(np.uint8)).save(out, "PNG")
    return out.getvalue()


def shards(counts):
    """Tars with captions, of which one has none, and one file that is no picture."""
    names, i = [], 0
    for s, count in enumerate(counts):
        names.append(path("shards", f"{s:05d}.tar"))
        with tarfile.open(names[-1], "w") as tar:
            for _ in range(count):
                for ext, data in (("png", b"<html>" if i == 7 else picture(i)), ("txt", f"stripes № {i}".encode() if i != 9 else b"")):
                    info = tarfile.TarInfo(f"{i:07d}.{ext}")
                    info.size = len(data)
                    tar.addfile(info, io.BytesIO(data))
                i += 1
    return names


def search(index, k):
    """What goclip finds for the query picture."""
    found = json.loads(goclip("search", "--model", path("model"), "--index", index, "--image", path("query.png"), "-k", str(k), "--json"))
    return [(hit["key"], hit.get("caption", ""), hit["score"]) for hit in found[0]["hits"]]


def same(what, got, want):
    """The same names, where scores do not tie, with the same captions and scores."""
    captions = {key: caption for key, caption, _ in want}
    scores = {key: score for key, _, score in want}
    for rank, (key, caption, score) in enumerate(got):
        if not abs(score - want[rank][2]) <= TOLERANCE:
            sys.exit(f"{what}: hit {rank} has the score {score}, want {want[rank][2]}")
        if key not in captions and want[-1][2] < score - 2 * TOLERANCE:
            sys.exit(f"{what}: {key} at {rank}, want {want}")
        if key in captions and (caption != captions[key] or not abs(score - scores[key]) <= TOLERANCE):
            sys.exit(f"{what}: {key} {caption!r} {score}, want {captions[key]!r} {scores[key]}")
    print(f"{what}: {len(got)} hits agree, the best {got[0][0]} with {got[0][2]:.4f}")


def service(folder):
    """clip-retrieval's back end over an index, without a port."""
    index = load_index(folder + "/image.index", False)
    provider, mapping = load_metadata_provider(folder, False, False, index, None, False)
    resource = ClipResource(
        device="cpu", model=None, preprocess=None, tokenizer=None, model_txt_mclip=None, safety_model=None, violence_detector=None,
        metadata_provider=provider, image_index=index, text_index=load_index(folder + "/text.index", False),
        ivf_old_to_new_mapping=mapping, columns_to_return=["url", "image_path", "caption"], metadata_is_ordered_by_ivf=False, aesthetic_embeddings=None)
    app = Flask("back")
    api = Api(app)
    for resource_class, at in ((KnnService, "/knn-service"), (MetadataService, "/metadata")):
        api.add_resource(resource_class, at, resource_class_kwargs={"clip_resources": {"goclip": resource}})
    return app.test_client()


def ours_in_theirs(tars, query):
    """autofaiss indexes our folder, clip-retrieval serves it."""
    out = path("embeddings")
    goclip("embed", "--model", path("model"), "--out", out, "--texts", "yes", "--part-size", "40", *tars)
    goclip("index", "--model", path("model"), "--data", out, "--out", path("ours.index"))
    want = search(path("ours.index"), 10)
    clip_index(out, path("index"), max_index_memory_usage="200M", current_memory_available="1G", nb_cores=1)
    client = service(path("index"))
    ask = {"embedding_input": query.tolist(), "modality": "image", "num_images": 10, "num_result_ids": 10, "indice_name": "goclip"}
    hits = client.post("/knn-service", json=ask).get_json()
    same("clip-retrieval's back end on goclip's folder", [(h["image_path"], h["caption"], h["similarity"]) for h in hits], want)
    texts = client.post("/knn-service", json={**ask, "modality": "text"}).get_json()
    if len(texts) != 10 or not texts[0]["similarity"] >= texts[9]["similarity"]:
        sys.exit(f"texts: {texts}")
    meta = client.post("/metadata", json={"ids": [h["id"] for h in hits], "indice_name": "goclip"}).get_json()
    if [m["metadata"]["image_path"] for m in meta] != [h["image_path"] for h in hits]:
        sys.exit(f"metadata: {meta}")
    return want


def other_formats(tars, query, want):
    """NumPy and pandas read the same numbers everywhere, and autofaiss those it takes."""
    options = ("--model", path("model"), "--texts", "yes")
    for name in ("npy", "npz", "parquet", "jsonl"):
        goclip("embed", *options, "--out", path(name), "--format", name, *tars)
    names = [os.path.basename(t)[:-4] for t in tars]
    for x in names:
        matrix, words = np.load(path("npy", "img_emb", f"img_emb_{x}.npy")), np.load(path("npy", "text_emb", f"text_emb_{x}.npy"))
        keys = [json.loads(line)["image_path"] for line in open(path("npy", "metadata", f"metadata_{x}.jsonl"), encoding="utf-8")]
        captions = [json.loads(line)["caption"] for line in open(path("npy", "metadata", f"metadata_{x}.jsonl"), encoding="utf-8")]
        npz = np.load(path("npz", f"embeddings_{x}.npz"))
        table = pd.read_parquet(path("parquet", f"embeddings_{x}.parquet"))
        lines = pd.read_json(path("jsonl", f"embeddings_{x}.jsonl"), lines=True, dtype=False)
        assert matrix.dtype == np.float32 and np.allclose(np.linalg.norm(matrix, axis=1), 1, atol=1e-6)
        for images, texts, k, c in (
                (npz["img_emb"], npz["text_emb"], npz["image_path"].tolist(), npz["caption"].tolist()),
                (np.stack(table["embedding"]), np.stack(table["text_embedding"]), table["image_path"].tolist(), table["caption"].tolist()),
                (np.stack(lines["embedding"]).astype(np.float32), np.stack(lines["text_embedding"]).astype(np.float32), lines["image_path"].tolist(), lines["caption"].tolist())):
            assert np.array_equal(images, matrix) and np.array_equal(texts, words) and k == keys and c == captions
    print("NumPy and pandas read npy, npz, Parquet and JSON lines: the same numbers, names and captions")
    for folder, more in ((path("npy", "img_emb"), {}), (path("parquet"), {"file_format": "parquet", "embedding_column_name": "embedding"})):
        index, _ = build_index(embeddings=folder, save_on_disk=False, max_index_memory_usage="200M", current_memory_available="1G", nb_cores=1, **more)
        scores, _ = index.search(query[None], 10)
        assert index.ntotal == 99 and np.allclose(scores[0], [w[2] for w in want], atol=TOLERANCE), (folder, scores, want)
    print("autofaiss indexes the .npy and the Parquet")


def theirs_in_ours(query):
    """clip-retrieval's writer writes given embeddings, goclip indexes and searches them."""
    rng, out = np.random.default_rng(3), path("theirs")
    rows, keys, captions = [], [], []
    for part in range(3):
        images = rng.standard_normal((25, len(query))).astype(np.float32) + query
        images = (images / np.linalg.norm(images, axis=1, keepdims=True)).astype(np.float16)
        names = [f"{part:05d}{i:04d}" for i in range(len(images))]
        texts = [f'a "{n}"\n№' for n in names]
        writer = NumpyWriter(part, out, True, True, True, 3)
        for half in (slice(0, 10), slice(10, None)):
            writer({"image_embs": images[half], "text_embs": images[half][::-1].copy(), "image_filename": names[half], "text": texts[half],
                    "metadata": [json.dumps({"url": f"http://example.com/{n}", "width": 3}) for n in names[half]]})
        writer.flush()
        rows, keys, captions = rows + list(images.astype(np.float32)), keys + names, captions + texts
    goclip("index", "--model", path("model"), "--data", out, "--out", path("theirs.index"))
    flat = faiss.IndexFlatIP(len(query))
    flat.add(np.stack(rows))
    scores, ids = flat.search(query[None], 10)
    same("goclip on clip-retrieval's folder", search(path("theirs.index"), 10), [(keys[i], captions[i], float(s)) for s, i in zip(scores[0], ids[0])])


def main():
    os.makedirs(path("shards"), exist_ok=True)
    tars = shards((60, 40))
    with open(path("query.png"), "wb") as f:
        f.write(picture(1234))
    with open(path("query.jsonl"), "w", encoding="utf-8") as f:
        json.dump({"image": "query.png"}, f)
    goclip("train", "--data", tars[0], "--out", path("model"), "--steps", "20", "--batch-size", "16")
    goclip("embed", "--model", path("model"), "--out", path("query"), "--format", "jsonl", path("query.jsonl"))
    with open(path("query", "embeddings_0.jsonl"), encoding="utf-8") as f:
        query = np.array(json.loads(f.readline())["embedding"], dtype=np.float32)
    want = ours_in_theirs(tars, query)
    other_formats(tars, query, want)
    theirs_in_ours(query)


main()
