"""Mutated inputs, each a function of a seed and its number: files of a run, images, archives, tables."""

from __future__ import annotations

import gzip
import json
import random
import struct
import zipfile
from copy import deepcopy
from io import BytesIO
from typing import Any

import numpy as np
import yaml
from PIL import Image

from simulacra import tensors

# what somebody may write in place of a value
VALUES: list[Any] = [
    None, True, False, -1, 0, 1, 3, 2**31, 2**63, -(2**63), 10**30, 0.5, -0.5, 1e-300, 1e308,
    float("nan"), float("inf"), float("-inf"), "", "x", "nan", "1e9", "a" * 5000,
    "\x1b[31m\u202e<script>", "../../etc/passwd",
    [], [1], [-1], [0], [1, 2, 3], ["a", 1, None], [[[[1]]]], {}, {"a": 1}, {"a": {"b": [1]}}, [1] * 200,
]  # fmt: skip
# what makes a YAML parser work, in place of a value or of everything
YAML = [
    "&a [*a]", "[&a [x, x], *a]", "{<<: {a: 1}}", "!!python/object/apply:os.getcwd []", "!!bool x",
    "!!int ''", "!!float x", "!!timestamp x", "!!binary '*'", "!!set {a, b}", "!!omap [a: 1]", "2001-99-99",
    "0x", "1:2:3",
    "[" * 2000, "{a: " * 500, "'", '"', "*none", "? [a]\n: b", "%YAML 9.9\n---", "--- a\n--- b",
    "9" * 5000, "\x00", "\t",
]  # fmt: skip


def flipped(rng: random.Random, raw: bytes) -> bytes:
    """Bytes changed, cut, repeated, inserted or removed."""
    out = bytearray(raw)
    for _ in range(rng.choice((1, 1, 2, 8))):
        place = rng.randrange(len(out)) if out else 0
        # half of them near the beginning, where headers are
        place = min(place, rng.randrange(256)) if rng.random() < 0.5 else place
        kind = rng.randrange(7)
        if kind == 0 and out:
            out[place] ^= 1 << rng.randrange(8)
        elif kind == 1 and out:
            out[place] = rng.choice((0, 1, 0x7F, 0x80, 0xFF))
        elif kind == 2:
            del out[place:]
        elif kind == 3:
            out[place:place] = rng.randbytes(rng.choice((1, 4, 100)))
        elif kind == 4:
            del out[place : place + rng.choice((1, 4, 100))]
        elif kind == 5:
            out[place : place + 4] = rng.choice((b"\xff\xff\xff\x7f", b"\xff" * 4, b"\0" * 4, b"\0\1\0\0"))
        else:
            out[place:place] = out[place : place + 50] * rng.choice((1, 20))
    return bytes(out)


def _value(rng: random.Random) -> Any:
    return deepcopy(rng.choice(VALUES))


def replaced(rng: random.Random, document: Any) -> Any:
    """A document with a value replaced, removed or added somewhere."""
    document = json.loads(json.dumps(document))
    for _ in range(rng.choice((1, 1, 1, 3))):
        node, place = document, None
        parent: Any = None
        while isinstance(node, dict | list) and node and (parent is None or rng.random() < 0.8):
            parent = node
            place = rng.choice(list(node)) if isinstance(node, dict) else rng.randrange(len(node))
            node = node[place]
        if parent is None:
            return _value(rng)
        kind = rng.random()
        if kind < 0.15:
            del parent[place]
        elif kind < 0.25 and isinstance(parent, dict):
            parent[rng.choice(("a", "steps", "", "x" * 300, "latent_dimm"))] = _value(rng)
        elif kind < 0.35 and isinstance(node, int | float) and not isinstance(node, bool):
            parent[place] = node * rng.choice((-1, 2, 10**6, 0.5)) + rng.choice((0, 1, -1))
        else:
            parent[place] = _value(rng)
    return document


def config(rng: random.Random, raw: bytes) -> bytes:
    """A config.yaml that somebody, or something, has changed."""
    kind = rng.random()
    if kind < 0.3:
        return flipped(rng, raw)
    text = yaml.safe_dump(replaced(rng, yaml.safe_load(raw)), sort_keys=False)
    if kind < 0.45:
        lines = text.splitlines()
        line = rng.randrange(len(lines))
        lines[line] = lines[line].partition(":")[0] + ": " + rng.choice(YAML)
        text = "\n".join(lines)
    elif kind < 0.5:
        text = rng.choice(YAML)
    return text.encode("utf-8", "surrogatepass")


def metrics(rng: random.Random, raw: bytes) -> bytes:
    """A metrics.jsonl that somebody, or something, has changed."""
    if rng.random() < 0.3:
        return flipped(rng, raw)
    lines = raw.splitlines()
    for _ in range(rng.choice((1, 3, 10))):
        place = rng.randrange(len(lines))
        if rng.random() < 0.2:
            lines[place] = rng.choice(
                (b"\xff\xfe", b"[" * 5000, b"1", b"null", b"{}", b'{"event": 1}', b"9" * 5000)
            )
        else:
            lines[place] = json.dumps(replaced(rng, _event(lines[place]))).encode("utf-8", "surrogatepass")
    return b"\n".join(lines) + b"\n"


def _event(line: bytes) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return {"event": "train", "step": 1}


def sealed(rng: random.Random, raw: bytes) -> bytes:
    """A file of tensors with another header or other numbers, and a checksum that fits them."""
    length = struct.unpack("<Q", raw[:8])[0]
    header, numbers = json.loads(raw[8 : 8 + length]), raw[8 + length :]
    notes = header.pop("__metadata__")
    kind, names = rng.random(), list(header)
    one = rng.choice(names)
    if kind < 0.2:
        header[rng.choice((one + "x", "model.x", "optimizer.x.step", "record.x", "best.x"))] = header.pop(one)
    elif kind < 0.3:
        other = rng.choice(names)
        header[one], header[other] = header[other], header[one]
    elif kind < 0.5:
        # as many numbers in another shape
        header[one]["shape"] = rng.choice(
            ([-1], [], [2**40], [1, *header[one]["shape"]], header[one]["shape"][::-1])
        )
    elif kind < 0.6:
        header[one]["dtype"] = rng.choice(("F64", "I32", "BF16", "F16", "U8", "BOOL", "X"))
    elif kind < 0.7:
        numbers = numbers[: rng.randrange(len(numbers))]
    elif kind < 0.8:
        place = rng.randrange(0, len(numbers) - 4, 4)
        value = rng.choice((float("nan"), float("inf"), 3e38, -1.0))
        numbers = numbers[:place] + struct.pack("<f", value) + numbers[place + 4 :]
    elif "counters" in notes:
        notes["counters"] = rng.choice(
            (json.dumps(replaced(rng, json.loads(notes["counters"]))), "[", "[]", "")
        )
    else:
        header[one] = replaced(rng, header[one])
    notes["checksum"] = tensors.ZEROS.decode()
    text = json.dumps({**header, "__metadata__": notes}, separators=(",", ":")).encode()
    return seal(struct.pack("<Q", len(text)) + text + numbers)


def seal(raw: bytes) -> bytes:
    """The bytes with their checksum in its place."""
    import xxhash

    place = raw.index(tensors.ENTRY) + len(tensors.ENTRY)
    return raw[:place] + xxhash.xxh3_128(raw).hexdigest().encode() + raw[place + len(tensors.ZEROS) :]


def image(rng: random.Random) -> bytes:
    """A damaged image."""
    pixels = np.random.default_rng(rng.randrange(100)).integers(0, 255, (12, 10, 3)).astype(np.uint8)
    picture = Image.fromarray(pixels)
    kind = rng.choice(("PNG", "JPEG", "BMP", "GIF", "WEBP"))
    picture = picture.convert(
        rng.choice(("L", "RGB", "P", "1") if kind in ("PNG", "BMP", "GIF") else ("RGB",))
    )
    file = BytesIO()
    picture.save(file, kind)
    return flipped(rng, file.getvalue())


def archive(rng: random.Random) -> bytes:
    """A damaged or hostile .zip of images with labels."""
    file = BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as out:
        for k in range(12):
            picture = BytesIO()
            Image.fromarray(np.full((8, 8), 20 * k, np.uint8)).save(picture, "PNG")
            name = rng.choice((f"{k}.png", f"a/{k}.png", f"b/{k}.png")) if rng.random() < 0.5 else f"{k}.png"
            out.writestr(name, image(rng) if rng.random() < 0.1 else picture.getvalue())
        rows = [f"{k}.png,{'ab'[k % 2]},{k / 7}" for k in range(12)]
        labels = ("file,label,n\n" + "\n".join(rows) + "\n").encode()
        kind = rng.random()
        if kind < 0.1:
            labels += b"none.png,a,1\n" * 10**6
        elif kind < 0.5:
            labels = flipped(rng, labels)
        out.writestr("labels.csv", labels)
    raw = file.getvalue()
    return flipped(rng, raw) if rng.random() < 0.7 else raw


CELLS = [
    "",
    "nan",
    "1",
    "-1",
    "1e400",
    "inf",
    "2020-01-01",
    "31.02.2021",
    '"',
    '""',
    "a,b",
    "=1+1",
    "é",
    "9" * 400,
    "0x1",
    "1_0",
    " ",
]


def table(rng: random.Random) -> bytes:
    """A damaged or odd table."""
    columns = rng.choice((1, 2, 3, 5))
    rows = [
        [
            rng.choice((str(rng.randrange(9)), f"{rng.gauss(0, 1):.3f}", rng.choice("abc")))
            for _ in range(columns)
        ]
        for _ in range(rng.choice((0, 1, 12, 60)))
    ]
    for _ in range(rng.choice((0, 1, 4))):
        if rows:
            row = rng.choice(rows)
            row[rng.randrange(len(row))] = rng.choice(CELLS)
    mark = rng.choice(",;\t")
    names = [rng.choice(("y", "n", "a b", "", "date", "x" * 500, "1")) for _ in range(columns)]
    text = "\n".join(mark.join(row) for row in [names, *rows]) + "\n"
    raw = text.encode(rng.choice(("utf-8", "utf-8", "utf-8", "utf-16", "latin-1")), "replace")
    return flipped(rng, raw) if rng.random() < 0.5 else raw


def parquet(rng: random.Random) -> bytes:
    """A damaged Parquet file."""
    import pyarrow as pa
    import pyarrow.parquet

    file = BytesIO()
    columns = {"y": [0, 1] * 10, "n": [None, 0.5] * 10, "w": ["a", "b", None, "c"] * 5, "l": [[1], []] * 10}
    pa.parquet.write_table(pa.table({name: columns[name] for name in rng.sample(list(columns), 2)}), file)
    return flipped(rng, file.getvalue())


def npz(rng: random.Random) -> bytes:
    """A damaged or odd .npz."""
    arrays: dict[str, Any] = {
        "images": np.zeros((12, 6, 6), np.uint8) + np.arange(12, dtype=np.uint8)[:, None, None],
        "labels": np.arange(12) % 2,
        "attributes": np.ones((12, 2)),
        "targets": np.arange(24.0).reshape(12, 2),
    }
    for name in rng.sample(list(arrays), rng.randrange(3)):
        arrays[name] = rng.choice(
            (np.zeros(()), np.zeros(0), np.full((12, 3), np.nan), np.array(["a"] * 12),
             np.zeros((12, 1, 1, 1, 1)), np.full((12, 4), 2**63, np.uint64), np.zeros(12, "M8[s]"),
             np.zeros((12, 0)), np.ones(12, complex))
        )  # fmt: skip
    kept = rng.sample(list(arrays), rng.choice((1, 2, 4)))
    file = BytesIO()
    np.savez(file, **{name: arrays[name] for name in kept})
    return flipped(rng, file.getvalue()) if rng.random() < 0.7 else file.getvalue()


def idx(rng: random.Random) -> bytes:
    """A damaged idx file, of images or with another shape; half of them are compressed."""
    dimensions = rng.choice((0, 1, 2, 3, 3, 3, 3, 4, 5, 255))
    sizes = [rng.choice((0, 1, 4, 6, 2**16, 2**31, 2**32 - 1)) for _ in range(dimensions)]
    sizes = [12, 6, 6] if rng.random() < 0.5 else sizes
    raw = (
        bytes([0, 0, rng.choice((8, 8, 8, 9, 0xD)), len(sizes)])
        + struct.pack(f">{len(sizes)}I", *sizes)
        + bytes(12 * 36)
    )
    raw = flipped(rng, raw) if rng.random() < 0.7 else raw
    return gzip.compress(raw, 1) if rng.random() < 0.3 else raw
