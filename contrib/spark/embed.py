#!/usr/bin/env python3
"""Embeds the shards of a set on a Spark cluster: a task runs "goclip embed" for one of them.

    spark-submit embed.py --shards LIST --out DIR -- --model MODEL --texts yes

README.md beside this file says what the cluster has to have."""
import argparse
import collections
import json
import os
import re
import socket
import subprocess
import sys
import threading
import time

from pyspark import SparkContext, TaskContext


def task(command, attempts, shards_done, pictures_done):
    """Makes the function of a partition. What it yields are goclip's lines about its shards, with
    who wrote them. A shard that fails raises, so that Spark tries again; on the last attempt it
    yields the reason instead, so that one bad shard does not end the others."""

    def embed(shards):
        shards, context, began = list(shards), TaskContext.get(), time.time()
        run = subprocess.run(command, input="\n".join(shards), capture_output=True, encoding="utf-8",
                             env={**os.environ, "GOMAXPROCS": str(context.cpus())})
        sys.stderr.write(run.stderr)
        lines = {line["shard"]: line for line in map(json.loads, run.stdout.split("\n")[:-1])}
        for shard in shards:  # of which a process that was killed has said nothing
            lines.setdefault(shard, {"shard": shard, "error": f"exit code {run.returncode}: {run.stderr.strip()[-2000:]}"})
        failed = [f"{shard}: {line['error']}" for shard, line in lines.items() if "error" in line]
        if failed and context.attemptNumber() + 1 < attempts:
            raise RuntimeError("; ".join(failed))
        shards_done.add(len(lines))
        pictures_done.add(sum(line.get("pictures", 0) for line in lines.values()))
        worker = f"{socket.gethostname()}:{os.getppid()}"  # an executor's daemon, whose child this is
        for line in lines.values():
            yield {**line, "worker": worker, "attempt": context.attemptNumber(), "began": began, "ended": time.time()}

    return embed


def read_shards(name):
    """The names, one a line, as full paths. Parts are called after them, so no two may give the same."""
    with sys.stdin if name == "-" else open(name, encoding="utf-8") as f:
        shards = [line.strip() for line in f if line.strip()]
    stems = collections.defaultdict(list)
    for shard in shards:
        stems[re.sub(r"(?i)(.)\.(tar\.gz|tgz|tar|parquet|arrow)$", r"\1", os.path.basename(shard.rstrip("/")))].append(shard)
    for stem, same in stems.items():
        if len(same) > 1:
            sys.exit(f"shards that would both give part {stem}: {', '.join(same)}")
    if not shards:
        sys.exit(f"{name} names no shard")
    return [os.path.abspath(shard) for shard in shards]


def tell(every, total, shards_done, pictures_done, stop):
    """Prints progress until it is told to stop."""
    began = time.time()
    while not stop.wait(every):
        seconds = time.time() - began
        print(f"{shards_done.value} of {total} shards, {pictures_done.value} pictures, {seconds:.0f} s", file=sys.stderr, flush=True)


def summary(lines, seconds):
    """What became of all shards. A worker's rate is over the time from its first shard to its last."""
    workers = {}
    for name in sorted({line["worker"] for line in lines}):
        own = [line for line in lines if line["worker"] == name]
        pictures, span = sum(line.get("embedded", 0) for line in own), max(line["ended"] for line in own) - min(line["began"] for line in own)
        workers[name] = {"shards": len(own), "embedded": pictures, "pictures_per_second": round(pictures / max(span, 1e-9), 2)}
    total = {key: sum(line.get(key, 0) for line in lines) for key in ("parts", "skipped_parts", "pictures", "failures", "embedded")}
    retries = sum({(line["worker"], line["began"]): line["attempt"] for line in lines}.values())  # of tasks
    return {"shards": len(lines), **total, "retries": retries,
            "seconds": round(seconds, 2), "pictures_per_second": round(total["embedded"] / max(seconds, 1e-9), 2), "workers": workers,
            "failed": {line["shard"]: line["error"] for line in lines if "error" in line}}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shards", required=True, metavar="FILE", help="names of the shards, one a line; - is standard input")
    parser.add_argument("--out", required=True, metavar="DIR", help="folder for the embeddings, which all workers see")
    parser.add_argument("--goclip", default="goclip", metavar="PROGRAM", help="the command on the workers")
    parser.add_argument("--shards-per-task", type=int, default=1, metavar="N", help="the model is loaded once for so many")
    parser.add_argument("--every", type=float, default=10, metavar="SECONDS", help="between lines of progress")
    parser.add_argument("--summary", metavar="FILE", help="file for the summary, which is printed, too: spark-submit mixes a program's output with its errors")
    parser.add_argument("flags", nargs="+", help="flags of goclip embed, after --")
    args = parser.parse_args()
    if not any(flag.split("=")[0] == "--texts" for flag in args.flags):
        parser.error("say --texts yes or --texts no after --: workers must not each find out for themselves")
    if args.shards_per_task < 1 or not args.every > 0:
        parser.error("--shards-per-task and --every must be above 0")
    shards = read_shards(args.shards)
    sc = SparkContext(appName="goclip embed")
    attempts = int(sc.getConf().get("spark.task.maxFailures", "4"))
    done = sc.accumulator(0), sc.accumulator(0)
    command = [args.goclip, "embed", "--quiet", "--out", os.path.abspath(args.out), *args.flags]
    stop = threading.Event()
    threading.Thread(target=tell, args=(args.every, len(shards), *done, stop), daemon=True).start()
    began = time.time()
    try:
        tasks = -(-len(shards) // args.shards_per_task)
        lines = sc.parallelize(shards, tasks).mapPartitions(task(command, attempts, *done)).collect()
    finally:
        stop.set()
    result = summary(lines, time.time() - began)
    text = json.dumps(result, indent=2)
    print(text)
    if args.summary:
        with open(args.summary, "w", encoding="utf-8") as f:
            f.write(text + "\n")
    sc.stop()
    if result["failed"]:
        sys.exit(f"{len(result['failed'])} of {len(shards)} shards failed: {', '.join(sorted(result['failed']))}")


if __name__ == "__main__":
    main()
