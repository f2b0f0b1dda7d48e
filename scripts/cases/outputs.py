"""What the program writes, read with the standard library alone: tables, tensors, shards, structures."""

import csv
import json
import math
import re
import struct
import zipfile

from verdict import require


def rows_by_id(path):
    """Rows of a CSV file by their column `id`."""
    with path.open(newline="") as file:
        return {row["id"]: row for row in csv.DictReader(file)}


def events(run):
    """Records of a run in order of steps, without those of other kinds."""
    lines = (run / "events.jsonl").read_text().splitlines()
    return [it for it in map(json.loads, lines) if "step" in it and "loss" in it]


def safetensors(path):
    """Name to (type, shape, bytes) of every tensor of a file."""
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header, body = json.loads(data[8 : 8 + length]), data[8 + length :]
    header.pop("__metadata__", None)
    return {name: (it["dtype"], it["shape"], body[slice(*it["data_offsets"])]) for name, it in header.items()}


def f32s(tensor):
    """Numbers of a tensor of f32."""
    kind, _, data = tensor
    require(kind == "F32", f"a tensor of {kind} where F32 is expected")
    return struct.unpack(f"<{len(data) // 4}f", data)


def documents(card):
    """Documents of all splits."""
    return sum(split["documents"] for split in card["splits"].values())


def tokens(card):
    """Tokens of all splits."""
    return sum(split["tokens"] for split in card["splits"].values())


def holds_ids(dataset, ids):
    """Whether a shard holds these token ids one behind the other; shards are not compressed."""
    width = {"u8": "B", "u16": "H", "u32": "I"}[json.loads((dataset / "dataset.json").read_text())["token_type"]]
    needle = struct.pack(f"<{len(ids)}{width}", *ids)
    return any(needle in shard.read_bytes() for shard in dataset.glob("*.arrow"))


def num_frames(card):
    """Structures of all splits."""
    return sum(split["frames"] for split in card["splits"].values())


def numbers_in(value):
    """Every number below a value of JSON."""
    if isinstance(value, dict):
        return [number for it in value.values() for number in numbers_in(it)]
    if isinstance(value, list):
        return [number for it in value for number in numbers_in(it)]
    return [value] if isinstance(value, (int, float)) and not isinstance(value, bool) else []


def frames(text):
    """Frames of extended XYZ as this program writes it: info by key, columns by name, rows of words."""
    lines, found = text.splitlines(), []
    while lines:
        count = int(lines[0])
        info = {key: quoted or bare for key, quoted, bare in re.findall(r'([^\s=]+)=(?:"([^"]*)"|(\S*))', lines[1])}
        rows = [line.split() for line in lines[2 : 2 + count]]
        found.append({"info": info, "columns": columns(info["Properties"], rows), "text": lines[1]})
        lines = lines[2 + count :]
    return found


def columns(properties, rows):
    """Name to one list a row, as Properties cuts them."""
    parts, at, cut = properties.split(":"), 0, {}
    for name, _, width in zip(parts[::3], parts[1::3], parts[2::3]):
        cut[name] = [row[at : at + int(width)] for row in rows]
        at += int(width)
    return cut


def floats(rows):
    """Words as numbers, row by row."""
    return [[float(word) for word in row] for row in rows]


def npz_doubles(path, name):
    """Numbers of an array of little-endian doubles in an npz."""
    data = zipfile.ZipFile(path).read(f"{name}.npy")
    require(b"'<f8'" in data[:128], f"{name} of {path.name} is not of doubles")
    start = 10 + struct.unpack("<H", data[8:10])[0]
    return struct.unpack(f"<{(len(data) - start) // 8}d", data[start:])


def rms(values):
    """Root mean square."""
    return math.sqrt(sum(it * it for it in values) / len(values))
