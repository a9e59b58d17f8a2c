#!/usr/bin/env python3
"""Runs embed.py on a real Spark, kills workers in the middle, and compares every byte with a run
on one machine; with "scaling", measures two workers of one core each against one.

    check.py kills GOCLIP FOLDER
    check.py scaling GOCLIP FOLDER

pyspark and a JVM have to be there; everything listens on the loopback alone."""
import hashlib
import io
import json
import os
import signal
import struct
import subprocess
import sys
import tarfile
import threading
import time
import zlib

HERE = os.path.dirname(os.path.abspath(__file__))
GOCLIP, SCRATCH = (os.path.abspath(a) for a in sys.argv[2:4])


SHARDS, PICTURES = 4, 120   # of "kills", one of each shard is bad
EXECUTOR = "CoarseGrainedExecutorBackend"
GOOD, PARTS = SHARDS * (PICTURES - 1), SHARDS * PICTURES // 10


def path(*names):
    return os.path.join(SCRATCH, *names)


def picture(i, side):
    """A PNG with stripes whose colours and widths depend on i."""
    colours = [bytes((37 * i % 256, 91 * i % 256, 53 * i % 256)), bytes((255 - 11 * i % 256, 17 * i % 256, 201 * i % 256))]
    rows = b"".join(b"\0" + b"".join(colours[(x // (2 + i % 7) + y // (3 + i % 5)) % 2] for x in range(side)) for y in range(side))

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)) + chunk(b"IDAT", zlib.compress(rows, 1)) + chunk(b"IEND", b"")


def shards(count, pictures, side):
    """Tars with captions. One file of each is no picture."""
    os.makedirs(path("shards"))
    drawn = [picture(i, side) for i in range(200)]
    names = []
    for s in range(count):
        names.append(path("shards", f"{s:05d}.tar"))
        with tarfile.open(names[-1], "w") as tar:
            for i in range(pictures):
                data = b"<html>" if i == 7 else drawn[(s * pictures + i) % len(drawn)]
                for ext, content in (("png", data), ("txt", f"stripes № {i % 50}".encode())):
                    info = tarfile.TarInfo(f"{s:04d}{i:05d}.{ext}")
                    info.size = len(content)
                    tar.addfile(info, io.BytesIO(content))
    return names


def run(*command, **options):
    done = subprocess.run(command, capture_output=True, text=True, **options)
    if done.returncode:
        sys.exit(f"{' '.join(command)}: exit code {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done.stdout


def model(arch):
    """A model with random weights, but for one step."""
    with open(path("arch.json"), "w") as f:
        json.dump(arch, f)
    run(GOCLIP, "train", "-q", "--data", path("shards", "00000.tar"), "--out", path("model"), "--arch", path("arch.json"), "--steps", "1", "--batch-size", "4")


def spark(names, out, workers, flags, prefix=()):
    """Starts embed.py on a cluster of JVMs of one core each."""
    with open(path("list.txt"), "w") as f:
        f.write("\n".join(names))
    env = {**os.environ, "JAVA_TOOL_OPTIONS": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",  # JVMs that start quickly
           "SPARK_LOCAL_IP": "127.0.0.1", "PYSPARK_PYTHON": sys.executable, "SPARK_LOCAL_DIRS": path("spark"), "SPARK_WORKER_DIR": path("spark")}
    confs = ("spark.driver.host=127.0.0.1", "spark.driver.bindAddress=127.0.0.1", "spark.ui.enabled=false", "spark.driver.memory=512m", "spark.executor.memory=512m",
             "spark.scheduler.minRegisteredResourcesRatio=1", "spark.scheduler.maxRegisteredResourcesWaitingTime=600s")
    command = [*prefix, os.path.join(os.path.dirname(sys.executable), "spark-submit"), "--master", f"local-cluster[{workers},1,512]"]
    for conf in confs:
        command += ["--conf", conf]
    command += [os.path.join(HERE, "embed.py"), "--every", "2", "--summary", path("summary.json"), "--goclip", GOCLIP, "--shards", path("list.txt"), "--out", out, "--", "--model", path("model"), *flags]
    return subprocess.Popen(command, cwd=SCRATCH, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def below(root):
    """The processes that a process has started, with theirs, as (pid, command line)."""
    children, commands = {}, {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/stat") as f, open(f"/proc/{name}/cmdline") as c:
                children.setdefault(int(f.read().rpartition(")")[2].split()[1]), []).append(int(name))
                commands[int(name)] = c.read().replace("\0", " ")
        except OSError:
            pass  # it has ended meanwhile
    found, todo = [], [root]
    while todo:
        more = children.get(todo.pop(), [])
        found += [(pid, commands[pid]) for pid in more]
        todo += more
    return found


def kill(root, what, deadline):
    """Kills a process below root whose command line has a word, and returns what it was."""
    while time.time() < deadline:
        for pid, command in below(root):
            if what in command and not command.startswith("bash"):
                try:
                    os.kill(pid, signal.SIGKILL)
                    return command
                except ProcessLookupError:
                    pass
        time.sleep(0.002)
    return None


def parts(out):
    try:
        return {name for name in os.listdir(os.path.join(out, "parts")) if not name.startswith(".")}
    except FileNotFoundError:
        return set()


def disturb(root, out, killed):
    """Kills two workers and an executor, when a quarter, half and three quarters of the parts are whole."""
    for quarter, what in enumerate((f"{GOCLIP} embed", f"{GOCLIP} embed", EXECUTOR), 1):
        deadline = time.time() + 1800
        while len(parts(out)) < PARTS * quarter // 4 and time.time() < deadline:
            time.sleep(0.002)
        executors = sum(EXECUTOR in command for _, command in below(root))
        if kill(root, what, deadline):
            killed.append((what.split("/")[-1], len(parts(out)), executors))


def digests(folder):
    found = {}
    for where, _, names in os.walk(folder):
        for name in names:
            with open(os.path.join(where, name), "rb") as f:
                found[os.path.relpath(os.path.join(where, name), folder)] = hashlib.sha256(f.read()).hexdigest()
    return found


def ended(process, code):
    """Its summary and all that it printed, after it has ended with the exit code."""
    try:
        out, err = process.communicate(timeout=3600)
    except subprocess.TimeoutExpired:
        for pid, _ in [*below(process.pid), (process.pid, "")]:
            os.kill(pid, signal.SIGKILL)
        sys.exit("embed.py did not end within an hour")
    if process.returncode != code:
        sys.exit(f"embed.py: exit code {process.returncode}, want {code}\n{out}\n{err[-20000:]}")
    with open(path("summary.json"), encoding="utf-8") as f:
        return json.load(f), out + err


def want(what, got, wanted):
    if got != wanted:
        sys.exit(f"{what}: {got}, want {wanted}")


def refusals():
    """Lists and flags that are refused before Spark is asked for anything."""
    for text, flags, reason in (("", ("--texts", "no"), "names no shard"), ("a/1.tar\nb/1.Parquet\n", ("--texts", "no"), "would both give part 1: a/1.tar, b/1.Parquet"),
                                ("a/1.tar", ("--part-size", "3"), "say --texts yes or --texts no")):
        with open(path("bad.txt"), "w") as f:
            f.write(text)
        done = subprocess.run((sys.executable, os.path.join(HERE, "embed.py"), "--shards", path("bad.txt"), "--out", path("none"), "--", *flags), capture_output=True, text=True)
        if done.returncode == 0 or reason not in done.stderr:
            sys.exit(f"{text!r} with {flags}: exit code {done.returncode}, want an error with {reason!r}\n{done.stderr}")


def kills():
    refusals()
    names, flags = shards(SHARDS, PICTURES, 64), ("--texts", "yes", "--part-size", "10")
    model({"embed_dim": 64, "vision_cfg": {"image_size": 64, "layers": 3, "width": 192, "head_width": 64, "patch_size": 8},
           "text_cfg": {"context_length": 16, "vocab_size": 49408, "width": 64, "heads": 2, "layers": 1}})
    run(GOCLIP, "embed", "-q", "--out", path("alone"), "--model", path("model"), *flags, *names)
    disturbed(names, flags)
    again(names, flags)


def disturbed(names, flags):
    """Workers are killed, and all is done in the end."""
    process, killed = spark(names, path("out"), 2, flags), []
    threading.Thread(target=disturb, args=(process.pid, path("out"), killed), daemon=True).start()
    result, log = ended(process, 0)
    print(f"killed, at how many of {PARTS} parts, of how many executors: {killed}; tried again: {result['retries']}")
    want("kills", [what for what, _, _ in killed], ["goclip embed", "goclip embed", EXECUTOR])
    want("executors at the first", killed[0][2], 2)
    if not all(at < PARTS for _, at, _ in killed) or result["retries"] < 2 or "exit code -9" not in log:
        sys.exit(f"nothing was killed in the middle of its work: {result}")
    want("shards, pictures and failures", [result[k] for k in ("shards", "pictures", "failures", "failed")], [SHARDS, GOOD, SHARDS, {}])


def again(names, flags):
    """What is whole is skipped, and a shard that always fails is named and costs no other."""
    out, alone = path("out"), digests(path("alone"))
    before = {name: os.stat(os.path.join(out, name)).st_mtime_ns for name in alone}
    lost = path("shards", "lost.tar")
    result, log = ended(spark([lost, *names], out, 2, flags), 1)
    want("second run", [result[k] for k in ("shards", "skipped_parts", "pictures", "embedded")], [SHARDS + 1, PARTS, GOOD, 0])
    want("what failed", list(result["failed"]), [lost])
    if f"1 of {SHARDS + 1} shards failed: {lost}" not in log:
        sys.exit(f"the error does not name the shard:\n{log[-5000:]}")
    want("files written again", [name for name, at in before.items() if os.stat(os.path.join(out, name)).st_mtime_ns != at], [])
    want("files that differ from those of one machine", sorted(set(digests(out).items()) ^ set(alone.items())), [])
    found = json.loads(run(GOCLIP, "index", "--json", "--model", path("model"), "--data", out, "--out", path("index")))
    want("entries of the index", found["entries"], GOOD)
    print(f"{len(before)} files are those of one machine, byte for byte, and were left as they are; lost.tar was named")


def scaling():
    """With a tower of 2.5 GFLOPs an image and shards of some seconds, so that the work is the tower's."""
    names, flags = shards(16, 600, 64), ("--texts", "no")
    model({"embed_dim": 256, "vision_cfg": {"image_size": 224, "layers": 8, "width": 512, "head_width": 64, "patch_size": 32},
           "text_cfg": {"context_length": 16, "vocab_size": 49408, "width": 64, "heads": 2, "layers": 1}})
    cores = sorted(os.sched_getaffinity(0))[:2]
    if len(cores) < 2:
        sys.exit("two cores are needed")
    rates = {1: 0.0, 2: 0.0}
    for turn in range(2):
        for workers in rates:
            pinned = ("taskset", "-c", ",".join(map(str, cores[:workers])))
            result, _ = ended(spark(names, path(f"out-{turn}-{workers}"), workers, flags, pinned), 0)
            rates[workers] = max(rates[workers], result["pictures_per_second"])
            print(f"{workers} of one core: {result['pictures_per_second']} pictures/s, by worker {[w['pictures_per_second'] for w in result['workers'].values()]}")
    ratio = rates[2] / rates[1]
    print(f"two workers of one core each: {ratio:.3f} × one")
    if not ratio >= 1.9:
        sys.exit("want 1.9 or more")


{"kills": kills, "scaling": scaling}[sys.argv[1]]()
