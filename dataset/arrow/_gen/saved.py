"""Writes testdata/saved and testdata/wide.arrow: python saved.py TESTDATA, with datasets and pyarrow."""

import io
import shutil
import sys
from pathlib import Path

import datasets
import pyarrow as pa
from PIL import Image

out = Path(sys.argv[1])


def png(n):
    data = io.BytesIO()
    Image.new("RGB", (2 + n, 3), (40 * n, 90, 200)).save(data, "PNG")
    return data.getvalue()


def rows(n, first=0):
    return {
        "image": [{"bytes": png(first + i), "path": f"{first + i}.png"} for i in range(n)],
        "caption": [f"caption {first + i} é" if (first + i) % 3 else None for i in range(n)],
        "captions": [[f"a{first + i}", "b"][: i + 1] for i in range(n)],
        "label": [(first + i) % 2 if first + i < 4 else -1 for i in range(n)],
    }


features = datasets.Features({
    "image": datasets.Image(), "caption": datasets.Value("string"),
    "captions": datasets.Sequence(datasets.Value("string")), "label": datasets.ClassLabel(names=["red fox", "owl"]),
})
shutil.rmtree(out / "saved", ignore_errors=True)
datasets.Dataset.from_dict(rows(5), features=features).save_to_disk(out / "saved", num_shards=2)

# What datasets writes of long columns, and numbers of every width.
schema = pa.schema([
    ("image", pa.large_binary()), ("text", pa.large_string()), ("many", pa.large_list(pa.string())), ("label", pa.uint8()),
    ("small", pa.int8()), ("float", pa.float64()), ("yes", pa.bool_()), ("nothing", pa.null()),
])
with pa.ipc.new_stream(out / "wide.arrow", schema) as stream:
    for first in (0, 2):
        stream.write_batch(pa.record_batch([
            pa.array([png(first), None if first else png(1)], pa.large_binary()), pa.array([f"t{first}", None], pa.large_string()),
            pa.array([["x", "y"], []], pa.large_list(pa.string())), pa.array([200 + first, None], pa.uint8()),
            pa.array([-1, first], pa.int8()), pa.array([0.5, first], pa.float64()), pa.array([True, False]), pa.nulls(2),
        ], schema=schema))

# Two columns of images, of which one has paths in place of some.
image = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
table = pa.table({
    "mask": pa.array([png(9), png(9), png(9)], pa.binary()), "text": ["a", "b", "c"],
    "image": pa.array([{"bytes": None, "path": "im/1.png"}, {"bytes": png(1), "path": "x.png"}, {"bytes": None, "path": "im/2.png"}], image),
})
with pa.ipc.new_stream(out / "paths.arrow", table.schema) as stream:
    stream.write_table(table)
