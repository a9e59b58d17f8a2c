"""Times Hugging Face's tokenizers library: tokens a second of one thread, by processor time.

usage: tokenize.py CAPTIONS NAME FOLDER [NAME FOLDER …]
"""
import json
import os
import sys
import time

os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["RAYON_NUM_THREADS"] = "1"
import tokenizers

captions = open(sys.argv[1], encoding="utf-8").read().strip().split("\n")
for name, folder in zip(sys.argv[2::2], sys.argv[3::2]):
    loading = float("inf")
    for _ in range(2):
        began = time.process_time()
        t = tokenizers.Tokenizer.from_file(os.path.join(folder, "tokenizer.json"))
        loading = min(loading, time.process_time() - began)
    t.no_truncation()
    t.no_padding()
    n = sum(len(e.ids) for e in t.encode_batch(captions))
    ways = [lambda: [t.encode(c) for c in captions], lambda: t.encode_batch(captions), lambda: t.encode_batch_fast(captions)]
    best = float("inf")
    for way in ways:
        for _ in range(5):
            began = time.process_time()
            way()
            best = min(best, time.process_time() - began)
    print(json.dumps({"what": name, "items_per_s": n / best / 1e6}))
    print(json.dumps({"what": "loading " + name, "items_per_s": 1 / loading}), flush=True)
