"""Reads the challenge's own files for the runner beside this file: text metadata, TFRecord, SequenceExample.

Runs in any Python from 3.6 on, with numpy. It is read with no other part of headstart at hand, and by interpreters
that know no newer syntax; `data/autodl/` is the full reader. Checksums are not verified here.
"""

import os
import re
import struct
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Fields = list[tuple[str, Any]]
    """Names and values of a message in text format; a value is a str or again Fields."""

COMPRESSED, DENSE = "0_compressed", "0_dense_input"
_TOKEN = re.compile(
    r"""\s+|\#[^\n]*|(?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|(?P<mark>[{}<>:;,\[\]])|(?P<word>[^\s{}<>:;,\[\]"'#]+)""",
    re.S,
)
_ESCAPE = re.compile(r"\\([0-7]{1,3}|x[0-9a-fA-F]{1,2}|.)", re.S)
_PLAIN = {"n": 10, "t": 9, "r": 13, "a": 7, "b": 8, "f": 12, "v": 11}


class Broken(Exception):
    """A file of the task that is not what it should be; the message names it."""


def read_text(path: str) -> "Fields":
    """The fields of a file in the text format of protocol buffers: (name, str or nested list). Raises Broken."""
    with open(path, encoding="utf-8", errors="replace") as file:
        return text_fields(file.read(), path)


def text_fields(content: str, path: str) -> "Fields":
    """The same from the content of a file, which is called `path`."""
    tokens, at = [], 0
    while at < len(content):
        found = _TOKEN.match(content, at)
        if not found:
            raise Broken(f"{path}: character {at} is no text format")
        at = found.end()
        token = found.group("mark") or found.group("word")
        if found.group("text"):
            token = '"' + _unescaped(found.group("text")[1:-1])
        if token and token not in ",;":
            tokens.append(token)
    tokens.reverse()
    return _message(tokens, path)


def _unescaped(text: str) -> str:
    """Escapes stand for bytes, which together are UTF-8."""
    parts, last = [], 0
    for found in _ESCAPE.finditer(text):
        parts.append(text[last : found.start()].encode("utf-8", "surrogateescape"))
        code = found.group(1)
        if code[0] in "01234567":
            parts.append(bytes([int(code, 8) & 255]))
        elif code[0] == "x" and len(code) > 1:
            parts.append(bytes([int(code[1:], 16)]))
        else:
            parts.append(bytes([_PLAIN[code]]) if code in _PLAIN else code.encode("utf-8"))
        last = found.end()
    return (b"".join(parts) + text[last:].encode("utf-8", "surrogateescape")).decode("utf-8", "replace")


def _message(tokens: "list[str]", path: str) -> "Fields":
    """The fields up to the closing bracket; `tokens` is reversed and used up."""
    fields: Fields = []
    while tokens:
        name = tokens.pop()
        if name in "}>":
            return fields
        mark = tokens.pop() if tokens else ""
        if mark == ":":
            mark = tokens.pop() if tokens else ""
        if mark in ("{", "<"):
            fields.append((name, _message(tokens, path)))
        elif not mark or mark in "}>:":
            raise Broken(f"{path}: {name} has no value")
        else:
            fields.append((name, mark[1:] if mark[0] == '"' else mark))
    return fields


def shards(folder: str) -> "list[str]":
    """The files of records of a split, in the order in which numbers in names count as numbers."""
    names = [name for name in os.listdir(folder) if name.startswith("sample")]
    return [os.path.join(folder, name) for name in natural_order(names)]


def natural_order(names: "list[str]") -> "list[str]":
    """Sorted, but `2` before `10` and upper case as lower: as headstart reads the same files elsewhere."""

    def number(found: "re.Match[str]") -> str:
        digits = found.group().lstrip("0")
        return chr(48 + min(len(digits), 9000)) + digits

    return sorted(sorted(names), key=lambda name: re.sub("[0-9]+", number, name.casefold()))


def records(path: str) -> "Iterator[bytes]":
    """The data of each record of a TFRecord file, one after the other. Raises Broken with the byte."""
    size = os.path.getsize(path)
    with open(path, "rb") as file:
        offset = 0
        while offset < size:
            head = file.read(12)
            length = struct.unpack("<Q", head[:8])[0] if len(head) == 12 else size
            if length > size - offset - 16:
                raise Broken(f"{path}, byte {offset}: a record that does not end within the file")
            yield file.read(length)
            file.read(4)  # the checksum of the data
            offset += 16 + length


def parse(record: bytes) -> "tuple[list[int], list[float], list[bytes], list[NDArray[np.float32]]]":
    """label_index, label_score, and for each moment its image file or its numbers. Raises Broken."""
    index: list[int] = []
    score: list[float] = []
    images: list[bytes] = []
    numbers: list[NDArray[np.float32]] = []
    try:
        for part, content in _fields(memoryview(record)):
            for key, value in _entries(content):
                if part == 1 and key == "label_index":
                    index += [one for _, entries in _fields(value) for one in _integers(entries)]
                elif part == 1 and key == "label_score":
                    score += [float(one) for _, entries in _fields(value) for one in _floats(entries)]
                elif part == 2 and key == COMPRESSED:
                    images += [bytes(image) for one in _features(value) for _, image in _fields(one)]
                elif part == 2 and key == DENSE:
                    numbers += [_floats(one) for one in _features(value)]
    except (IndexError, ValueError, TypeError, struct.error) as error:
        raise Broken(f"a record that is no SequenceExample ({error})") from None
    return index, score, images, numbers


def _fields(buffer: "memoryview") -> "Iterator[tuple[int, Any]]":
    """Number and content of each field of a message; content is an int or a memoryview."""
    at = 0
    while at < len(buffer):
        tag, at = _varint(buffer, at)
        wire = tag & 7
        if wire == 0:
            value, at = _varint(buffer, at)
            yield tag >> 3, value
            continue
        if wire == 2:
            length, at = _varint(buffer, at)
        elif wire in (1, 5):
            length = 8 if wire == 1 else 4
        else:
            raise ValueError(f"wire type {wire}")
        if at + length > len(buffer):
            raise ValueError("a field that is too long")
        yield tag >> 3, buffer[at : at + length]
        at += length


def _varint(buffer: "memoryview", at: int) -> "tuple[int, int]":
    value = shift = 0
    while True:
        byte = buffer[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
        if shift > 63:
            raise ValueError("a number that is too long")


def _entries(buffer: "memoryview") -> "Iterator[tuple[str, memoryview]]":
    """Key and value of each entry of a map that is field 1 of a message."""
    for number, entry in _fields(buffer):
        if number != 1:
            continue
        key, value = "", memoryview(b"")
        for part, content in _fields(entry):
            if part == 1:
                key = bytes(content).decode("utf-8", "replace")
            elif part == 2:
                value = content
        yield key, value


def _features(buffer: "memoryview") -> "Iterator[memoryview]":
    """The list (of bytes, floats or integers) within each Feature of a FeatureList."""
    for number, feature in _fields(buffer):
        if number == 1:
            for _, content in _fields(feature):
                yield content


def _integers(buffer: "memoryview") -> "list[int]":
    found = []
    for _, value in _fields(buffer):
        if isinstance(value, int):
            found.append(value)
            continue
        at = 0
        while at < len(value):
            one, at = _varint(value, at)
            found.append(one)
    return found


def _floats(buffer: "memoryview") -> "NDArray[np.float32]":
    """A FloatList, packed or one by one; both are four bytes for each number."""
    parts = [np.frombuffer(value, "<f4") for _, value in _fields(buffer)]
    return parts[0] if len(parts) == 1 else np.concatenate(parts or [np.empty(0, "<f4")])
