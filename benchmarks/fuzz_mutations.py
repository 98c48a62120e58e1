"""Damage done to valid files: to their bytes, and to what JSON, JSON lines, TOML, tables and archives are made of."""

from __future__ import annotations

import gzip
import io
import random
import re
import tarfile
import zipfile
from collections.abc import Callable
from typing import Any

import msgspec

DEEP = 100_000  # levels of nesting, far more than any reader may follow
LONG = 50_000  # of a text or a list

_RAW = [  # what no value of Python stands for
    b"NaN", b"-Infinity", b"1e999", b"1e308", b"18446744073709551617", b"-", b"", b'"\\ud800"', b"0.1e", b"truE",
]  # fmt: skip
_RARE = [
    b"[" * DEEP + b"]" * DEEP, b'{"a":' * DEEP + b"1" + b"}" * DEEP, b"[" * DEEP,
    b"[" + b",".join([b"0"] * LONG) + b"]", b'"' + b"x" * LONG + b'"', b"[" * 900 + b"]" * 900,
    b"{" + b",".join(b'"%d":0' % i for i in range(LONG // 10)) + b"}",
]  # fmt: skip
_VALUES: list[Any] = [
    None, True, False, -1, 0, 1, 2, 2**31, 2**63 - 1, 2**63, -(2**63), 1e308, -1e308, 5e-324, 0.5, 1e17, "NaN", "",
    "x", " ", "0", "1", "-1", "../../x", "/dev/null", "é\u202e\x1b[31m", "\x00", "x" * 300, "a\nb", [], {}, [None],
    [[]], [-1], [2**63], ["x"], [0.5, "x"], [True], {"x": 1}, {"": None}, [{}], {"x": {"x": {}}},
]  # fmt: skip


def by_bytes(data: bytes, chance: random.Random) -> bytes:
    """Flip, overwrite, cut, insert, repeat, splice and zero pieces; beginnings, where headers stand, more often."""
    changed = bytearray(data)
    for _ in range(chance.choice((1, 1, 1, 2, 4, 16))):
        if not changed:
            break
        within = min(len(changed), 256) if chance.random() < 0.4 else len(changed)
        at, size = chance.randrange(within), chance.choice((1, 1, 2, 4, 8, 64, 1024))
        piece = slice(at, at + size)
        match chance.randrange(10):
            case 0 | 1:
                changed[at] ^= 1 << chance.randrange(8)
            case 2:
                changed[piece] = chance.randbytes(size)
            case 3:
                del changed[piece]
            case 4:
                changed[at:at] = chance.randbytes(size)
            case 5:
                changed[at:at] = changed[piece] * chance.choice((1, 2, 16))
            case 6:
                changed[piece] = bytes(size)
            case 7:
                changed[piece] = b"\xff" * size
            case 8:
                source = chance.randrange(len(changed))
                changed[piece] = changed[source : source + size]
            case _:
                del changed[at:]
    return bytes(changed)


def by_json(data: bytes, chance: random.Random) -> bytes:
    """Put other values in the places of a document, and remove, add and double keys and entries."""
    try:
        box = [msgspec.json.decode(data)]
        for _ in range(chance.choice((1, 1, 1, 1, 2, 4, 8))):
            _change(box, chance)
        return msgspec.json.encode(box[0])
    except (ValueError, RecursionError):  # no document, or a copy of itself in itself too often
        return by_bytes(data, chance)


def _place(box: list[Any], chance: random.Random) -> tuple[Any, Any]:
    """Return a container and a key of it, found by a walk that may end anywhere."""
    inside: Any = box
    while True:
        key = chance.randrange(len(inside)) if isinstance(inside, list) else chance.choice(list(inside))
        value = inside[key]
        if not isinstance(value, (list, dict)) or not value or chance.random() < (0.03 if inside is box else 0.2):
            return inside, key
        inside = value


def _change(box: list[Any], chance: random.Random) -> None:
    inside, key = _place(box, chance)
    value = inside[key]
    match chance.randrange(12):
        case 0 | 1 | 2 | 3:
            inside[key] = chance.choice(_VALUES)
        case 4:
            odd = chance.choice(_RARE if chance.random() < 0.05 else _RAW)
            inside[key] = msgspec.Raw(odd)
        case 5 if inside is not box:
            del inside[key]
        case 6:
            other, place = _place(box, chance)
            # A copy: a container must not come to hold itself.
            inside[key] = other[place] if isinstance(other[place], msgspec.Raw) else _copied(other[place])
        case 7 if isinstance(value, list):
            inside[key] = value * chance.choice((0, 2, 3, 50)) if len(value) < 1000 else value[:1]
        case 8 if isinstance(value, dict) and value:
            name = chance.choice(list(value))
            value[chance.choice(("x", "", name + "x", name.upper(), "0", "-1"))] = chance.choice((value[name], None, 1))
        case 9 if isinstance(value, (int, float)):
            by = chance.choice((-1, 1000, 1e-9, 0.5, 3, 1e30))
            inside[key] = value * by
        case 10 if isinstance(value, str):
            inside[key] = by_bytes(value.encode(), chance).decode(errors="replace")
        case 11 if isinstance(value, (str, int, float)):
            inside[key] = str(value) if not isinstance(value, str) else len(value)
        case _:
            inside[key] = chance.choice(_VALUES)


def _copied(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copied(inner) for key, inner in value.items()}
    return [_copied(inner) for inner in value] if isinstance(value, list) else value


def by_lines(data: bytes, chance: random.Random) -> bytes:
    """Damage one or two lines of JSON, or their order and number."""
    lines = data.split(b"\n")
    for _ in range(chance.choice((1, 1, 2))):
        at = chance.randrange(len(lines))
        match chance.randrange(10):
            case 0:
                del lines[at]
                lines = lines or [b""]
            case 1:
                lines[at:at] = [lines[chance.randrange(len(lines))]] * chance.choice((1, 3, 30))
            case 2:
                lines[at] = by_bytes(lines[at], chance)
            case 3:
                lines[at : at + 1] = [lines[at][: chance.randrange(len(lines[at]) + 1)]]
            case _:
                lines[at] = by_json(lines[at], chance)
    return b"\n".join(lines)


_TOKENS = [
    b"-1", b"0", b"9223372036854775808", b"1e308", b"nan", b"inf", b"true", b'""', b'"x"', b"[]", b"{}", b"[[]]",
    b"[1]", b'["x"]', b"1979-05-27", b"{ x = 1 }", b"[ -1, 2 ]", b'"1-999999999"', b'"../x"', b'"a\\u0000b"', b"0x10",
]  # fmt: skip
_RARE_TOKENS = [b"[" * DEEP + b"]" * DEEP, b"{x=" * 5000, b'"' + b"x" * LONG + b'"', b"a." * 2000]


def by_toml(data: bytes, chance: random.Random) -> bytes:
    """Put other values behind keys, and remove, double and move lines."""
    lines = data.split(b"\n")
    for _ in range(chance.choice((1, 1, 2, 4))):
        at = chance.randrange(len(lines))
        key, equals, _ = lines[at].partition(b"=")
        match chance.randrange(8):
            case 0:
                del lines[at]
                lines = lines or [b""]
            case 1:
                lines.insert(at, lines[chance.randrange(len(lines))])
            case 2:
                lines[at] = by_bytes(lines[at], chance)
            case 3:
                lines.insert(at, b"[[%s]]" % (key.strip(b" []") or b"x"))
            case 4:
                lines[at] = re.sub(rb"\w+", chance.choice((b"x", b"1", b"")), lines[at], count=1)
            case _ if equals:
                lines[at] = key + b"= " + chance.choice(_RARE_TOKENS if chance.random() < 0.03 else _TOKENS)
    return b"\n".join(lines)


_CELLS = [
    b"", b"x", b"-1", b"0", b"1e308", b"nan", b"inf", b"9223372036854775808", b'"', b'"a,b"', b"=cmd|x", b"../x",
    b"\xff\xfe", b"\x00", b'"a\nb"', b"*", b"[", b"1" * 5000, b"\xef\xbb\xbf", "é".encode(), b"\t", b" ", b"True", b"/",
]  # fmt: skip


def by_table(data: bytes, chance: random.Random) -> bytes:
    """Put other cells into a table, and remove, double and move cells, rows and columns."""
    rows = [row.split(b",") for row in data.split(b"\n")]
    for _ in range(chance.choice((1, 1, 2, 4))):
        at = chance.randrange(len(rows)) if chance.random() < 0.8 else 0
        row = rows[at]
        cell = chance.randrange(len(row)) if row else 0
        match chance.randrange(9):
            case 0:
                del row[cell : cell + 1]
            case 1:
                row.insert(cell, chance.choice(_CELLS))
            case 2:
                rows.insert(at, list(rows[chance.randrange(len(rows))]))
            case 3:
                rows[at : at + 1] = [list(row) for _ in range(chance.choice((0, 2, 100)))] or [[b""]]
            case 4:
                row[cell : cell + 1] = [by_bytes(row[cell], chance)] if row else []
            case 5:
                for other in rows:
                    other[cell : cell + 1] = [chance.choice(_CELLS)]
            case _:
                row[cell : cell + 1] = [chance.choice(_CELLS)]
    separator = chance.choice((b",", b",", b",", b",", b"\t", b";"))
    return b"\n".join(separator.join(row) for row in rows)


def by_archive(data: bytes, chance: random.Random) -> bytes:
    """Damage a member of a zip archive, whose checksums stay right; or its list of members."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = [(name, archive.read(name)) for name in archive.namelist()]
    except (zipfile.BadZipFile, ValueError, OSError):
        return by_bytes(data, chance)
    at = chance.randrange(len(members))
    name, content = members[at]
    match chance.randrange(8):
        case 0:
            del members[at]
        case 1:
            members.append((chance.choice(("x", name + "x", "../" + name, name)), content))
        case 2:
            members[at] = (name, members[chance.randrange(len(members))][1])
        case 3:
            members[at] = (name, b"")
        case _:
            members[at] = (name, by_json(content, chance) if content[:1] == b"{" else by_bytes(content, chance))
    target = io.BytesIO()
    packed = zipfile.ZIP_DEFLATED if chance.random() < 0.2 else zipfile.ZIP_STORED
    with zipfile.ZipFile(target, "w", packed) as archive:
        for name, content in members:
            archive.writestr(zipfile.ZipInfo(name), content, packed)
    return target.getvalue()


def by_safetensors(data: bytes, chance: random.Random) -> bytes:
    """Damage the header of a safetensors file, which is JSON; its length is right unless that is what is damaged."""
    length = int.from_bytes(data[:8], "little")
    header = by_json(data[8 : 8 + length], chance)
    stated = len(header) if chance.random() < 0.95 else chance.choice((0, 2**63, len(header) + 1, 2**32))
    return stated.to_bytes(8, "little") + header + data[8 + length :]


def by_gzip(data: bytes, chance: random.Random) -> bytes:
    """Damage what a compressed file holds."""
    return gzip.compress(by_bytes(gzip.decompress(data), chance), 1, mtime=0)


def by_tar(data: bytes, chance: random.Random) -> bytes:
    """Damage the header of a member of a tar archive and put its checksum right; or the bytes of the whole."""
    starts = [at for at in range(0, len(data) - 512, 512) if data[at + 257 : at + 262] == b"ustar"]
    if not starts:
        return by_bytes(data, chance)
    at, changed = chance.choice(starts), bytearray(data)
    header = bytearray(by_bytes(data[at : at + 512], chance)[:512].ljust(512, b"\0"))
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % (sum(header) % (1 << 18))
    changed[at : at + 512] = header
    if chance.random() < 0.1:
        changed[at:at] = tarfile.TarInfo("x" * chance.choice((1, 150))).tobuf(tarfile.PAX_FORMAT)
    return bytes(changed)


Damage = Callable[[bytes, random.Random], bytes]
KINDS: dict[str, Damage] = {
    "bytes": by_bytes, "json": by_json, "lines": by_lines, "toml": by_toml, "table": by_table, "zip": by_archive,
    "safetensors": by_safetensors, "gzip": by_gzip, "tar": by_tar,
}  # fmt: skip
BYTES_SHARE = 0.15
"""Of cases of a file that has structure: its bytes are damaged all the same."""


def damaged(sample: bytes, kind: str, chance: random.Random) -> bytes:
    """Return a valid file's content with something wrong in it."""
    if kind != "bytes" and chance.random() < BYTES_SHARE:
        return by_bytes(sample, chance)
    return KINDS[kind](sample, chance)
