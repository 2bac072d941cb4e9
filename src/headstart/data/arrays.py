"""What a Python program holds (arrays, PIL images, paths) as named samples, and its labels as targets.

A sample in memory gets a name of its own, so that all that works on lists of paths works on it unchanged.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence, Set
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from headstart.data import images, videos
from headstart.data.frames import Clip, moments, paired
from headstart.data.images import Square
from headstart.errors import BadDataset, BadInput
from headstart.words.task import Kind, LabelKind, Skipped

Decode = Callable[[str, int, int], Square | Clip | Skipped]
"""From path, pixels and frames to uint8 [pixels, pixels, 3], or with several frames to a Clip; or why not."""

MEMORY = "memory:"
_CHANNELS = (1, 3, 4)
_PICTURE = "[h, w], [h, w, 1], [h, w, 3] or [h, w, 4]"
_CLIP = "[t, h, w, 1], [t, h, w, 3] or [t, h, w, 4]"
_LIST = "a list of paths, PIL images or arrays, or one array of pictures"


class Pictures:
    """Pictures (or clips) from Python under the names that a run knows its samples by.

    what: a sequence of items, or one array of pictures [n, h, w] or [n, h, w, c] (of clips:
        [n, t, h, w, c]), channels last, c = 1, 3 (RGB) or 4 (with alpha). An item is a path, a PIL image or
        an array [h, w], [h, w, 1], [h, w, 3] or [h, w, 4]; with kind "video" an array [t, h, w, c].
    decode: what reads items that are paths; their names go to it as they are.

    uint8 is taken as it is and bool is black and white. Other integers and floats become 8 bits by the range
    of the item, as image files of 16 bits do: white is the smallest of 255, 4095, 65535 (floats: also 1)
    that holds all its values.

    Nothing is copied: items must not change afterwards. Any thread may call. Raises BadInput for what is no
    such sequence; an item of the wrong shape or type is a Skipped when it is asked for.
    """

    def __init__(self, what: Any, kind: Kind = "image", decode: Decode | None = None) -> None:
        self.kind, self._decode = kind, decode or (_picture if kind == "image" else _film)
        self._memory: dict[str, Any] = {}
        self.names: Sequence[str] = [self._named(n, item) for n, item in enumerate(items(what, kind))]

    def _named(self, number: int, item: Any) -> str:
        """The item's path; of an item in memory, its number and the checksum of its content."""
        if isinstance(item, (str, bytes, os.PathLike)):
            path = str(os.fsdecode(item))
            return os.path.join(".", path) if path.startswith(MEMORY) else path
        name = f"{MEMORY}{number}:{_checksum(item)}"
        self._memory[name] = item
        return name

    def __len__(self) -> int:
        return len(self.names)

    def reading_with(self, decode: Decode) -> Pictures:
        """The same pictures, with another decoder for those that are paths."""
        other = object.__new__(Pictures)
        other.kind, other._decode, other._memory, other.names = self.kind, decode, self._memory, self.names
        return other

    def in_memory(self, name: str) -> bool:
        """Whether this is the name of an item that is no file."""
        return name in self._memory

    def __call__(self, path: str, pixels: int, frames: int = 1) -> Square | Clip | Skipped:
        """The item of this name as uint8 [pixels, pixels, 3]; with several frames as a Clip of at most so many.

        Of a clip, one frame is its first. A name that no item in memory has is the path of a file.
        """
        if path not in self._memory:
            return self._decode(path, pixels, frames)
        item = self._memory[path]
        if self.kind == "image" and isinstance(item, Image.Image):
            return images.squeeze(path, item, pixels)
        values = _array(path, item, self.kind)
        if isinstance(values, Skipped):
            return values
        return (
            _clip(path, values, pixels, frames)
            if self.kind == "video"
            else images.squeeze(path, values, pixels)
        )

    def size(self, path: str) -> tuple[int, int] | Skipped:
        """Width and height of the item of this name, or why they are not known."""
        if path not in self._memory:
            return images.peek(path) if self.kind == "image" else videos.size(path)
        item = self._memory[path]
        if isinstance(item, Image.Image):
            return item.size
        shape: tuple[int, ...] = np.shape(item) if hasattr(item, "__array__") else ()
        shape = shape[1:] if self.kind == "video" else shape
        if len(shape) not in (2, 3) or 0 in shape:
            return Skipped(path, f"shape {np.shape(item)} is no picture")
        return shape[1], shape[0]


def items(what: Any, kind: Kind = "image") -> list[Any] | NDArray[Any]:
    """What `Pictures` takes as a list of its items, or as the array that it is. Raises BadInput."""
    if isinstance(what, (str, bytes, os.PathLike, Image.Image)):
        raise BadInput(f"{_kind_of(what)} is one item: give {_LIST}, for example [item]")
    if isinstance(what, (Mapping, Set)) or not (hasattr(what, "__len__") and hasattr(what, "__iter__")):
        raise BadInput(f"{_kind_of(what)} is no sequence of pictures: give {_LIST}")
    if getattr(what, "ndim", 1) == 1 and getattr(getattr(what, "dtype", None), "kind", "O") not in "buifc":
        return list(what)
    values = np.asarray(what)
    if reason := _no_pictures(values.shape, kind):
        raise BadInput(f"an array of shape {values.shape} is no sequence of pictures: {reason}")
    return values  # its items are views


def _no_pictures(shape: tuple[int, ...], kind: Kind) -> str:
    """Why an array of this shape is not [n, h, w] or [n, h, w, c]; empty where it is."""
    whole = 5 if kind == "video" else 4
    if len(shape) == whole and shape[-1] in _CHANNELS:
        return ""
    if len(shape) == whole and shape[-3] in _CHANNELS:
        return "channels come last, so use numpy.moveaxis(array, -3, -1)"
    if kind == "video":
        return "clips are [n, t, h, w, c] with 1, 3 or 4 channels"
    if len(shape) == 3 and shape[-1] in _CHANNELS:
        return "it looks like one picture, so give [array] (or array[..., None] if these are grey pictures)"
    return "" if len(shape) == 3 else "pictures are [n, h, w] or [n, h, w, c] with 1, 3 or 4 channels"


def _checksum(item: Any) -> str:
    """16 hex digits of the content, so that a feature cache never takes one array for another."""
    digest = hashlib.blake2b(digest_size=8)
    try:
        if isinstance(item, Image.Image):
            item.load()  # here, because a PIL image reads its file in one thread only
            marks = [item.info.get(key) for key in ("exif", "transparency")]
            about: tuple[Any, ...] = (item.mode, item.size, item.getpalette("RGBA"), marks)
            content: Any = item.tobytes()
        else:
            values = np.asarray(item)
            about, content = (values.dtype.str, values.shape), np.ascontiguousarray(values).data
        digest.update(repr(about).encode())
        digest.update(content)
    except Exception as error:  # whatever is wrong with it is said when its pixels are asked for
        digest.update(repr(error).encode())
    return digest.hexdigest()


def _array(name: str, item: Any, kind: Kind) -> NDArray[Any] | Skipped:
    """The item as an array that holds a picture (or clip), or why it does not."""
    if isinstance(item, Image.Image) or not hasattr(item, "__array__"):
        needed = f"an array {_CLIP}" if kind == "video" else "a path, a PIL image or an array"
        return Skipped(name, f"{_kind_of(item)} where {needed} is needed")
    try:
        values = np.asarray(item)
    except Exception as error:  # another library's array, for example on another device
        return Skipped(name, f"{_kind_of(item)} that gives no numpy array: {error}".splitlines()[0])
    reason = _wrong(values, kind)
    return Skipped(name, reason) if reason else values


def _clip(name: str, values: NDArray[Any], pixels: int, count: int) -> Square | Clip | Skipped:
    """Frames of a clip [t, h, w, c], chosen as those of a video file are."""
    if values.dtype != np.uint8:
        values = images.eight_bits(values)  # by the range of the whole clip
    if count == 1:
        return images.squeeze(name, values[0], pixels)
    pairs = moments(len(values), count, None)
    squares: dict[int, Square] = {}
    for index in sorted({index for pair in pairs for index in pair}):
        square = images.squeeze(name, values[index], pixels)
        if isinstance(square, Skipped):
            return square
        squares[index] = square
    return paired(squares, pairs)


def _picture(path: str, pixels: int, frames: int) -> Square | Skipped:
    return images.decode(path, pixels)


def _film(path: str, pixels: int, frames: int) -> Square | Clip | Skipped:
    if frames == 1:
        return videos.poster(path, pixels)
    clips = videos.clips(path, frames, (pixels,))
    return clips if isinstance(clips, Skipped) else clips[0]


def _wrong(values: NDArray[Any], kind: Kind) -> str:
    """Why an array is no picture (or clip); empty where it is one."""
    whole = 4 if kind == "video" else 3
    fits = values.ndim == whole and values.shape[-1] in _CHANNELS
    if not (fits or (kind == "image" and values.ndim == 2)):
        last = values.ndim == whole and values.shape[-3] in _CHANNELS
        hint = " (channels come last)" if last else ""
        forms = _CLIP if kind == "video" else _PICTURE
        return f"an array of shape {values.shape} where {forms} is needed{hint}"
    if values.size == 0:
        return f"an empty array of shape {values.shape}"
    if values.dtype.kind not in "buif":
        return f"an array of {values.dtype} where integers, floats or bool are needed"
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        return "holds NaN or infinite values"
    return ""


def _kind_of(item: Any) -> str:
    if isinstance(item, Image.Image):
        return "a PIL image"
    if isinstance(item, (str, bytes, os.PathLike)):
        return f"the path {os.fsdecode(item)!r:.80}"
    return f"an object of type {type(item).__name__}"


def encode(labels: Any, count: int | None = None) -> tuple[NDArray[np.generic], NDArray[Any], LabelKind]:
    """Targets, the sorted classes in their own type, and whether a sample may have several.

    labels: one str, int, bool or whole number per sample -> targets int32 [n] (places in `classes`), "single".
        A list, tuple or set of those per sample -> uint8 [n, classes] of 0 and 1, "multi".
        An indicator array of 0 and 1 [n, classes] (also sparse) -> the same; the classes are 0, 1, 2, ...
    count: of the samples that they belong to, where known.
    Raises BadDataset where nothing can be learnt from them.
    """
    given: Any = labels.toarray() if hasattr(labels, "toarray") else labels
    if isinstance(given, (str, bytes, Mapping, Set)) or not hasattr(given, "__len__"):
        raise BadDataset(f"labels are {_kind_of(given)}: give a list or an array with one label per sample")
    if count is not None and len(given) != count:
        raise BadDataset(f"there are {count} samples and {len(given)} labels: give one label per sample")
    if getattr(given, "ndim", 1) > 1:
        given = np.asarray(given)
        if given.shape[1:] != (1,):  # a single column is one label per sample
            return _indicator(given)
        given = given[:, 0]
    listed = given.tolist() if isinstance(given, np.ndarray) else list(given)
    if any(isinstance(label, (list, tuple, Set, np.ndarray)) for label in listed):
        return _several(listed)
    values = given if isinstance(given, np.ndarray) else np.asarray(listed)
    if not isinstance(given, np.ndarray) or values.dtype.kind not in "buiU":
        _check(listed)
    classes, targets = np.unique(values, return_inverse=True)
    return targets.astype(np.int32), _enough(classes), "single"


def _indicator(values: NDArray[Any]) -> tuple[NDArray[np.generic], NDArray[Any], LabelKind]:
    if values.ndim != 2 or values.dtype.kind not in "buif" or not np.isin(values, (0, 1)).all():
        raise BadDataset(
            f"labels of shape {values.shape} must be an indicator of 0 and 1: a column per class"
        )
    return values.astype(np.uint8), _enough(np.arange(values.shape[1])), "multi"


def _several(listed: list[Any]) -> tuple[NDArray[np.generic], NDArray[Any], LabelKind]:
    for number, row in enumerate(listed):
        if not isinstance(row, (list, tuple, Set, np.ndarray)):
            raise BadDataset(f"label {number} is {row!r:.40}, others are lists: give a list for every sample")
        if len(set(row)) != len(row):
            raise BadDataset(f"labels {number} name a class twice: if these are 0 and 1, give a numpy array")
    flat = [label for row in listed for label in row]
    _check(flat)
    classes, places = np.unique(np.asarray(flat), return_inverse=True)
    targets = np.zeros((len(listed), len(classes)), np.uint8)
    targets[np.repeat(np.arange(len(listed)), [len(row) for row in listed]), places] = 1
    return targets, _enough(classes), "multi"


def _check(labels: list[Any]) -> None:
    """That all are texts, or all whole numbers, or all bool. Raises BadDataset."""
    kinds = set()
    for number, label in enumerate(labels):
        if label is None or (isinstance(label, (float, np.floating)) and np.isnan(label)):
            raise BadDataset(f"label {number} is {label!r}: leave out samples without a label")
        kind = next((known for known in (str, bool, int, float) if isinstance(label, _TYPES[known])), None)
        if kind is None:
            raise BadDataset(f"label {number} is {_kind_of(label)}: labels are str, int or bool")
        if kind is float and not float(label).is_integer():
            raise BadDataset(f"label {number} is {label!r}: headstart learns classes, not quantities")
        kinds.add(kind)
    if len(kinds) > 1 and kinds != {int, float}:
        raise BadDataset(
            f"labels are of several types ({', '.join(sorted(k.__name__ for k in kinds))}): use one"
        )


_TYPES = {str: (str,), bool: (bool, np.bool_), int: (int, np.integer), float: (float, np.floating)}


def _enough(classes: NDArray[Any]) -> NDArray[Any]:
    if len(classes) < 2:
        found = f"only one class ({classes.tolist()[0]!r})" if len(classes) else "no class"
        raise BadDataset(f"labels name {found}: at least two classes are needed")
    return classes
