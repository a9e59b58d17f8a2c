"""The ten nearest of the vectors that BenchmarkRows wrote, by numpy and faiss, exact and not.

usage: peers.py FOLDER [ROUNDS]. Prints the best time of each in milliseconds, two threads.
"""
import os
import sys
import time

os.environ.setdefault("OPENBLAS_NUM_THREADS", "2")
import faiss
import numpy as np

DIM, K = 512, 10
root, rounds = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 10
v = np.fromfile(os.path.join(root, "vectors.f32"), np.float32).reshape(-1, DIM)
q = np.fromfile(os.path.join(root, "queries.f32"), np.float32).reshape(-1, DIM)
faiss.omp_set_num_threads(2)


def by_numpy(x):
    s = x @ v.T
    top = np.argpartition(s, -K, axis=1)[:, -K:]
    return np.take_along_axis(top, np.argsort(-np.take_along_axis(s, top, 1), axis=1), 1)


def by_faiss(quantizer):
    x = faiss.IndexFlatIP(DIM) if quantizer is None else faiss.IndexScalarQuantizer(DIM, quantizer, faiss.METRIC_INNER_PRODUCT)
    x.train(v[:100_000])
    x.add(v)
    return lambda queries: x.search(queries, K)[1]


want = by_numpy(q)
for name, make in {
    "numpy float32": lambda: by_numpy,
    "faiss float32": lambda: by_faiss(None),
    "faiss int8": lambda: by_faiss(faiss.ScalarQuantizer.QT_8bit),
    "faiss float16": lambda: by_faiss(faiss.ScalarQuantizer.QT_fp16),
}.items():
    search = make()
    for n in (1, 32):
        best = min((lambda began: (search(q[:n]), time.perf_counter() - began)[1])(time.perf_counter()) for _ in range(rounds))
        got = search(q[:n])
        recall = np.mean([len(set(a) & set(b)) / K for a, b in zip(got, want)])
        print(f"{name}, {n} at once: {1e3 * best:.1f} ms, recall@10 {recall:.4f} over {len(v)} rows", flush=True)
    del search
