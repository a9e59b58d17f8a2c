#!/usr/bin/env python3
"""Writes kinds.zip, small images of many kinds, whole and damaged, and to
kinds.txt what Pillow makes of each: the file's name, "whole" or "left" (with
LOAD_TRUNCATED_IMAGES), the mode, and the SHA-256 of convert("RGB")'s bytes.
Made with Pillow 13.0.0 (libjpeg-turbo 3.2.0, libtiff 4.7.2) and tifffile."""
import hashlib
import io
import os
import random
import struct
import zipfile
import zlib

import numpy as np
import tifffile
from PIL import Image, ImageFile

os.chdir(os.path.dirname(os.path.abspath(__file__)))
random.seed(5)
W, H = 21, 18
rng = np.random.default_rng(5)
grid = np.stack([11 * np.arange(W)[None, :] + 0 * np.arange(H)[:, None], 13 * np.arange(H)[:, None] + 0 * np.arange(W)[None, :],
                 np.add.outer(5 * np.arange(H), 7 * np.arange(W))], -1)
rgb8 = ((grid + rng.integers(0, 9, grid.shape)) % 256).astype(np.uint8)
rgb = Image.fromarray(rgb8)
gray = rgb.convert("L")
bit = rgb.convert("1")
palette = rgb.quantize(13)
rgba = rgb.copy()
rgba.putalpha(gray)
files = {}


def save(name, image, kind=None, **options):
    out = io.BytesIO()
    image.save(out, kind or name.rsplit(".", 1)[1], **options)
    files[name] = out.getvalue()
    return files[name]


def tiff(name, array, **options):
    out = io.BytesIO()
    tifffile.imwrite(out, array, metadata=None, software="", **options)
    files[name] = out.getvalue()


# PNG, and what is tolerated of it.
def chunk(kind, body, crc=None):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body) if crc is None else crc)


def png(depth, colour, rows, *before, interlace=0, stream=None, after=b""):
    head = struct.pack(">IIBBBBB", W, H, depth, colour, 0, 0, interlace)
    stream = zlib.compress(rows, 9) if stream is None else stream
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + b"".join(before) + chunk(b"IDAT", stream) + after + chunk(b"IEND", b"")


raw = b"".join(b"\0" + rgb8[y].tobytes() for y in range(H))
index = b"".join(b"\0" + bytes((x * y) % 16 for x in range(W)) for y in range(H))
stream = zlib.compress(raw, 9)
files["extra.png"] = png(8, 2, raw + b"more")
files["noadler.png"] = png(8, 2, raw, stream=stream[:-4])
files["badadler.png"] = png(8, 2, raw, stream=stream[:-1] + bytes([stream[-1] ^ 1]))
files["half.png"] = png(8, 2, raw[: 9 * (3 * W + 1)])
files["cut.png"] = png(8, 2, raw)[:500]
files["noplte.png"] = png(8, 3, index)
files["shortplte.png"] = png(8, 3, index, chunk(b"PLTE", bytes(range(0, 240, 8))))
files["lateplte.png"] = png(8, 3, index, after=chunk(b"PLTE", bytes(range(48))))
files["trns.png"] = png(8, 2, raw, chunk(b"tRNS", struct.pack(">HHH", *rgb8[0][0])))
files["cgbi.png"] = files["extra.png"][:8] + chunk(b"CgBI", b"\x50\0\x20\2") + files["extra.png"][8:]
save("g16.png", Image.fromarray((rgb8[..., 0].astype(np.uint16) * 300)))
save("bit.png", bit)

# JPEG, whole and damaged.
base = save("base.jpg", rgb, "jpeg", quality=80)
prog = save("prog.jpg", rgb, "jpeg", quality=80, progressive=True)
rst = save("rst.jpg", rgb, "jpeg", quality=80, restart_marker_blocks=1)
save("cmyk.jpg", rgb.convert("CMYK"), "jpeg")
files["cut.jpg"] = base[: len(base) - 60]
files["progcut.jpg"] = prog[: len(prog) - 60]
files["early.jpg"] = base[: len(base) - 60] + b"\xff\xd9"
scans = [i for i in range(len(prog)) if prog[i : i + 2] == b"\xff\xda"]
for n in (1, 4):
    files[f"scans{n}.jpg"] = prog[: scans[n]] + b"\xff\xd9"
marks = [i for i in range(len(rst) - 1) if rst[i] == 0xFF and 0xD0 <= rst[i + 1] <= 0xD7]
files["rstnumber.jpg"] = rst[: marks[0] + 1] + bytes([rst[marks[0] + 1] + 1]) + rst[marks[0] + 2 :]
files["rstgone.jpg"] = rst[: marks[1]] + rst[marks[1] + 2 :]
files["rstpart.jpg"] = rst[: marks[0]] + rst[marks[2] :]
start = base.index(b"\xff\xda")
for i in range(3):
    b = bytearray(base)
    b[start + 20 + 37 * i] ^= 0x55
    files[f"bits{i}.jpg"] = bytes(b)
b = base
while b"\xff\xc4" in b:
    i = b.index(b"\xff\xc4")
    b = b[:i] + b[i + 2 + struct.unpack(">H", b[i + 2 : i + 4])[0] :]
files["nodht.jpg"] = b
i = base.index(b"\xff\xdb")
files["nodqt.jpg"] = base[:i] + base[i + 2 + struct.unpack(">H", base[i + 2 : i + 4])[0] :]

# GIF and BMP.
gif = save("plain.gif", palette)
save("ramp.gif", gray)
ramp = bytes(v for i in range(256) for v in (i, i, i))
head = gif.index(b",", 13 + (6 << (gif[10] & 7)))
local = gif[head : head + 9] + bytes([0x87]) + ramp + gif[head + 10 :]
files["localramp.gif"] = gif[:head] + local  # behind a table of colours
files["cut.gif"] = gif[: len(gif) - 90]
bmp = save("rgb.bmp", rgb)
files["minus1.bmp"] = bmp[:-1]
files["cut.bmp"] = bmp[: len(bmp) - 300]
save("pal.bmp", palette)
save("bit.bmp", bit)
save("rgb.dib", rgb)
head = struct.pack("<IiiHHIIiiII", 40, W, H, 1, 8, 1, 0, 0, 0, 4, 0) + bytes(range(16))
runs = b"".join(bytes([W - 2, y % 4, 2, 3, 0, 0]) for y in range(H)) + b"\0\1"
files["rle.bmp"] = b"BM" + struct.pack("<IHHI", 0, 0, 0, 70) + head + runs
for name, masks, alpha in (("565", (0xF800, 0x7E0, 0x1F), 0), ("555", (0x7C00, 0x3E0, 0x1F), 0)):
    head = struct.pack("<IiiHHIIiiII", 56, W, -H, 1, 16, 3, 0, 0, 0, 0, 0) + struct.pack("<IIII", *masks, alpha)
    rows = b"".join(struct.pack("<21H", *range(y * 999, y * 999 + 21)) + b"\0\0" for y in range(H))
    files[f"{name}.bmp"] = b"BM" + struct.pack("<IHHI", 0, 0, 0, 70) + head + rows

# The others.
save("rgb.ppm", rgb)
save("gray.pgm", gray, "ppm")
save("bit.pbm", bit, "ppm")
files["text.pgm"] = b"P2 # a comment\n%d %d 9\n" % (W, H) + b" ".join(b"%d" % (i % 10) for i in range(W * H))
files["max.ppm"] = b"P6 %d %d 300\n" % (W, H) + b"".join(struct.pack(">H", 7 * i % 301) for i in range(3 * W * H))
files["float.pfm"] = b"Pf\n%d %d\n-1.0\n" % (W, H) + struct.pack("<%df" % (W * H), *[i * 0.8 - 20 for i in range(W * H)])
files["cut.ppm"] = files["rgb.ppm"][:700]
for name, image in (("rgb", rgb), ("rgba", rgba), ("gray", gray), ("pal", palette), ("bit", bit)):
    save(f"{name}.tga", image)
save("rle.tga", rgb, compression="tga_rle")
save("low.tga", rgb, orientation=1)
files["mapped.tga"] = struct.pack("<BBBHHBHHHHBB", 0, 1, 3, 2, 250, 24, 0, 0, W, H, 8, 0x20) + rgb8[..., 0].tobytes() * 3
save("png.ico", rgba, sizes=[(16, 16)])
save("bmp.ico", rgba, sizes=[(16, 16)], bitmap_format="bmp")
save("rgb.pcx", rgb)
save("pal.pcx", palette)
save("rgb.sgi", rgb)
save("gray.sgi", gray)
save("rgba.qoi", rgba)
lossless = save("lossless.webp", rgb, lossless=True)
chunk_end = lossless[:16] + struct.pack("<I", struct.unpack("<I", lossless[16:20])[0] - 2) + lossless[20:]
files["less.webp"] = chunk_end

# TIFF.
for name, image in (("bit", bit), ("gray", gray), ("rgb", rgb), ("rgba", rgba), ("pal", palette), ("cmyk", rgb.convert("CMYK")),
                    ("la", rgba.convert("LA")), ("lab", rgb.convert("LAB")), ("ycc", rgb.convert("YCbCr"))):
    save(f"{name}.tif", image, "tiff")
for compression in ("group3", "group4", "tiff_ccitt"):
    save(f"{compression}.tif", bit, "tiff", compression=compression)
for compression in ("tiff_lzw", "tiff_adobe_deflate", "packbits", "zstd", "lzma", "jpeg"):
    save(f"{compression}.tif", rgb, "tiff", compression=compression)
save("yccjpeg.tif", rgb.convert("YCbCr"), "tiff", compression="jpeg")
tiff("ycclzw.tif", np.asarray(rgb.convert("YCbCr")), photometric="ycbcr", subsampling=(1, 1), compression="lzw")
tiff("tiles.tif", rgb8, tile=(16, 16), photometric="rgb")
tiff("tileslzw.tif", rgb8, tile=(16, 16), photometric="rgb", compression="lzw", predictor=True)
tiff("planes.tif", np.moveaxis(rgb8, 2, 0), photometric="rgb", planarconfig="separate", compression="zlib")
tiff("big.tif", rgb8, photometric="rgb", bigtiff=True)
tiff("be16.tif", rgb8.astype(np.uint16) * 257, photometric="rgb", byteorder=">", compression="zlib", predictor=True)
tiff("int16.tif", rgb8[..., 0].astype(np.int16) - 60)
tiff("int32.tif", rgb8[..., 0].astype(np.int32) * 3)
tiff("float.tif", rgb8[..., 0].astype(np.float32) * 1.7 - 30, compression="zlib", predictor=3)
files["cut.tif"] = files["rgb.tif"][:900]
save("turned.tif", rgb, "tiff", tiffinfo={274: 6})
save("lajpeg.tif", rgba.convert("LA"), "tiff", compression="jpeg")
tiff("yccplanes.tif", np.moveaxis(np.asarray(rgb.convert("YCbCr")), 2, 0), photometric="ycbcr", planarconfig="separate", compression="lzw")
tiff("strips.tif", rgb8, photometric="rgb", rowsperstrip=4)
strips = files["strips.tif"]
first = strips.index(rgb8.tobytes())
offsets = struct.pack("<2I", first, first + 4 * 3 * W)
files["lost.tif"] = strips.replace(offsets, offsets[:4] + struct.pack("<I", 1 << 20))
tiff("planes16.tif", np.moveaxis(rgb8.astype(np.uint16) * 251, 2, 0), photometric="rgb", planarconfig="separate")
tiff("planestiles16.tif", np.moveaxis(rgb8.astype(np.uint16) * 251, 2, 0), photometric="rgb", planarconfig="separate", tile=(16, 16))
tiff("planesdamaged.tif", np.moveaxis(np.asarray(rgb.convert("YCbCr")), 2, 0), photometric="ycbcr", planarconfig="separate", compression="zlib", predictor=True)
b = bytearray(files["planesdamaged.tif"])
b[-3] ^= 1
files["planesdamaged.tif"] = bytes(b)
b = files["yccplanes.tif"]
files["planescut.tif"] = b[:-30]


def entries(*tags):
    """A TIFF of one strip of bytes that count up, with the tags, which are shorts."""
    pixels = bytes((37 * i + i // 7) % 256 for i in range(4000))
    said = [tag[0] for tag in tags]
    tags = sorted(tags + tuple(t for t in ((256, W), (257, H), (273, 8), (279, len(pixels))) if t[0] not in said))
    extra, ifd, after = b"", b"", 8 + len(pixels) + 2 + 12 * len(tags) + 4
    for tag, *v in tags:
        body = struct.pack("<%dH" % len(v), *v)
        if len(body) > 4:
            body, extra = struct.pack("<I", after + len(extra)), extra + body
        ifd += struct.pack("<HHI4s", tag, 3, len(v), body)
    return b"II*\0" + struct.pack("<I", 8 + len(pixels)) + pixels + struct.pack("<H", len(tags)) + ifd + b"\0\0\0\0" + extra


planes4 = [zlib.compress(bytes((i % W * step) % 256 for i in range(W * H))) for step in (5, 7, 3, 12)]
at = [8 + sum(map(len, planes4[:i])) for i in range(4)]
head = entries((258, 8, 8, 8, 8), (259, 8), (262, 2), (277, 4), (278, H), (284, 2), (273, *at), (279, *map(len, planes4)))
files["planes4.tif"] = head[:8] + b"".join(planes4) + head[8 + sum(map(len, planes4)) :]
# What is raw and in planes has bytes, whatever the tags say.
files["plane4.tif"] = entries((258, 4), (259, 1), (262, 1), (277, 1), (278, H), (284, 2))
files["plane1.tif"] = entries((258, 1), (259, 1), (262, 0), (277, 1), (278, H), (284, 2), (266, 2))
files["planesfill.tif"] = entries((258, 8, 8, 8), (259, 1), (262, 2), (277, 3), (278, H), (284, 2), (266, 2))
units = bytes((41 * i) % 256 for i in range(((W + 3) // 4) * ((H + 3) // 4) * 18))
z = zlib.compress(units)
head = entries((258, 8, 8, 8), (259, 8), (262, 6), (277, 3), (278, H), (284, 1), (530, 4, 4))
files["ycc44.tif"] = head[:8] + z + head[8 + len(z):]
stream = zlib.compress(raw[: 4 * (3 * W + 1) + 20], 9)
files["sumwithin.png"] = png(8, 2, raw, stream=stream[:-1] + bytes([stream[-1] ^ 1]))
i = base.index(b"\xff\xdb")
files["marker.jpg"] = base[:i] + b"\xff\xf3" + base[i:]
files["nolength.jpg"] = base[: i + 2] + b"\0\0" + base[i + 4 :]
ramp = bytes(v for i in range(16) for v in (i, i, i, 0))
head = struct.pack("<IiiHHIIiiII", 40, W, H, 1, 4, 0, 0, 0, 0, 16, 0)
files["ramp4.bmp"] = b"BM" + struct.pack("<IHHI", 0, 0, 0, 118) + head + ramp + bytes(12 * H)


def read(data, left):
    ImageFile.LOAD_TRUNCATED_IMAGES = left
    try:
        with Image.open(io.BytesIO(data)) as image:
            pixels = image.convert("RGB")
            return image.mode, hashlib.sha256(pixels.tobytes()).hexdigest()
    except Exception:
        return None


with open("kinds.txt", "w") as out, zipfile.ZipFile("kinds.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
    for name, data in sorted(files.items()):
        archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), data, zipfile.ZIP_DEFLATED, 9)
        whole, left = read(data, False), read(data, True)
        print(name, "whole", *(whole or ("refused",)), file=out)
        if left and left != whole:
            print(name, "left", *left, file=out)
