"""A sample as a record: the SequenceExample message with the keys that AutoDL gives its parts.

Labels stand in the context, what is seen in feature lists, one Feature for each moment: bytes of an image file
(`0_compressed`) or numbers, row by row (`0_dense_input`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headstart.data.autodl.protobuf import (
    Ended,
    Malformed,
    Value,
    bytes_list,
    fields,
    float_list,
    floats,
    int64_list,
    integers,
    message,
    strings,
)

COMPRESSED, DENSE, SPARSE = b"0_compressed", b"0_dense_input", b"0_sparse_value"
_CONTEXT, _LISTS = 1, 2


@dataclass(frozen=True)
class Labels:
    """What the context says. index, score: of equal length; both are empty where labels are not told."""

    index: tuple[int, ...] = ()
    score: tuple[float, ...] = ()
    id: int | None = None


@dataclass(frozen=True)
class Example:
    """One sample as it is stored.

    images: for each moment the bytes of an image file; or numbers: for each moment float32 [rows * columns *
    channels] (all moments may also stand in one array). One of the two is empty.
    """

    labels: Labels
    images: tuple[bytes, ...] = ()
    numbers: tuple[NDArray[np.float32], ...] = ()

    @property
    def steps(self) -> int:
        """How many moments there are."""
        return len(self.images) or len(self.numbers)


class Unsupported(Exception):
    """A record that is whole, but holds no image or video."""


def parse(record: bytes) -> Example:
    """The sample in a record. Raises Malformed, or Unsupported where it is text or a table."""
    return replace(parse_content(record), labels=parse_labels(record))


def parse_content(record: bytes) -> Example:
    """The sample without its labels. Raises as `parse`."""
    images: tuple[bytes, ...] = ()
    numbers: tuple[NDArray[np.float32], ...] = ()
    sparse = False
    for number, _, value in fields(record, 0, len(record)):
        if number != _LISTS:
            continue
        for key, (start, stop) in _entries(record, _span(value)):
            if key == COMPRESSED:
                images = tuple(_images(record, start, stop))
            elif key == DENSE:
                numbers = tuple(_numbers(record, start, stop))
            sparse |= key == SPARSE
    if not images and not numbers:
        if sparse:
            raise Unsupported("holds sparse values (text or a table)")
        raise Unsupported("holds neither 0_compressed nor 0_dense_input")
    return Example(Labels(), images, numbers)


def parse_labels(record: bytes) -> Labels:
    """The context of a whole record. Raises Malformed."""
    return _labels(record, len(record), True)


def peek_labels(head: bytes, length: int) -> Labels | None:
    """The labels (not the id) from the first bytes of a record of so many; None where the context is not all there.

    Writers put the context first. Raises Malformed.
    """
    try:
        return _labels(head, length, False)
    except Ended:
        if len(head) < length:
            return None
        raise


def _labels(record: bytes, length: int, ids: bool) -> Labels:
    """The context of a record of `length` bytes, of which `record` is the beginning. Raises Malformed."""
    told: dict[str, Any] = {}
    seen = False
    for number, _, value in fields(record, 0, length):
        if number == _LISTS and len(record) < length:
            if seen:
                break  # what comes after is pixels
            raise Ended(0, "the context does not come first")
        if number != _CONTEXT:
            continue
        seen = True
        start, stop = _span(value)
        if stop > len(record):
            raise Ended(start, "the message ends within its context")
        for one, _, part in fields(record, start, stop):
            if one == 1:
                begin, end = _span(part)
                entry = record[begin:end]
                if not entry.startswith(_ID):
                    # Most samples have one of a few sets of labels: what they say is looked up.
                    told |= _said(entry) if len(entry) <= _SHORT else _meaning(entry)
                elif ids:
                    told |= _meaning(entry)
    found = Labels(**told)
    if len(found.score) != len(found.index):
        raise Malformed(0, f"{len(found.index)} label indices, but {len(found.score)} label scores")
    return found


_ID = b"\x0a\x02id"
_SHORT = 256  # bytes of an entry that is looked up


def _meaning(entry: bytes) -> dict[str, Any]:
    """What an entry of the context says, as a field of `Labels`; empty where it is nothing of ours."""
    key, span = _key_value(entry, 0, len(entry))
    if key == b"label_index":
        return {"index": tuple(_of_kind(entry, *span, 3, "label_index"))}
    if key == b"label_score":
        return {"score": tuple(map(float, _scores(entry, *span)))}
    if key == b"id" and (numbers := _of_kind(entry, *span, 3, "id")):
        return {"id": numbers[0]}
    return {}


_said = lru_cache(maxsize=8192)(_meaning)


def _span(value: Value) -> tuple[int, int]:
    if isinstance(value, int):
        raise Malformed(0, "a number where a message is needed")
    return value


def _entries(record: bytes, span: tuple[int, int]) -> Iterator[tuple[bytes, tuple[int, int]]]:
    """Key and where the value lies, of each entry of a map that is field 1 of a message."""
    for number, _, value in fields(record, *span):
        if number == 1:
            yield _key_value(record, *_span(value))


def _key_value(record: bytes, start: int, stop: int) -> tuple[bytes, tuple[int, int]]:
    """Key and where the value lies, of one entry of a map."""
    key, inner = b"", (stop, stop)
    for part, _, content in fields(record, start, stop):
        if part == 1:
            begin, end = _span(content)
            key = record[begin : min(end, begin + 64)]
        elif part == 2:
            inner = _span(content)
    return key, inner


def _of_kind(record: bytes, start: int, stop: int, kind: int, name: str) -> list[int]:
    """The whole numbers of a Feature, whose list must be field `kind`."""
    found: list[int] = []
    for number, _, value in fields(record, start, stop):
        if number != kind:
            raise Malformed(start, f"{name} of another type")
        found = integers(record, *_span(value))
    return found


def _scores(record: bytes, start: int, stop: int) -> NDArray[np.float32]:
    found: NDArray[np.float32] = np.empty(0, np.float32)
    for number, _, value in fields(record, start, stop):
        if number != 2:
            raise Malformed(start, "label_score of another type")
        found = floats(record, *_span(value))
    return found


def _features(record: bytes, start: int, stop: int, kind: int, name: str) -> Iterator[tuple[int, int]]:
    """Where the list of each Feature of a FeatureList lies; it must be field `kind`."""
    for number, _, value in fields(record, start, stop):
        if number != 1:
            continue
        for part, _, content in fields(record, *_span(value)):
            if part != kind:
                raise Malformed(start, f"{name} of another type")
            yield _span(content)


def _images(record: bytes, start: int, stop: int) -> Iterator[bytes]:
    for span in _features(record, start, stop, 1, "0_compressed"):
        for begin, end in strings(record, *span):
            yield record[begin:end]


def _numbers(record: bytes, start: int, stop: int) -> Iterator[NDArray[np.float32]]:
    for span in _features(record, start, stop, 2, "0_dense_input"):
        yield floats(record, *span)


def serialise(example: Example, told: bool = True) -> bytes:
    """The record of a sample. told: whether its labels are in it; else both keys are there, with nothing in them."""
    labels = example.labels
    context = [
        _entry(b"label_index", int64_list(labels.index if told else ())),
        _entry(b"label_score", float_list(labels.score if told else ())),
    ]
    if labels.id is not None:
        context.insert(0, _entry(b"id", int64_list([labels.id])))
    if example.images:
        steps = [message(1, bytes_list([one])) for one in example.images]
        content = _entry(COMPRESSED, b"".join(steps))
    else:
        steps = [message(1, float_list(one)) for one in example.numbers]
        content = _entry(DENSE, b"".join(steps))
    return message(_CONTEXT, *context) + message(_LISTS, content)


def _entry(key: bytes, value: bytes) -> bytes:
    """An entry of a map, as field 1 of the message that holds the map."""
    return message(1, message(1, key), message(2, value))


def one_hot(classes: Sequence[int], id: int | None = None) -> Labels:
    """Labels with full confidence."""
    return Labels(tuple(classes), (1.0,) * len(classes), id)
