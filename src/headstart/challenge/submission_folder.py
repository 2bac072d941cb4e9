"""Tasks in folders, for the runner beside this file: which files there are, their classes, and their pixels.

Runs in any Python from 3.6 on with numpy and Pillow; films need PyAV or OpenCV as well.
"""

import csv
import os
import re
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from headstart.challenge.submission_records import Broken, natural_order

    Floats = NDArray[np.float32]
else:
    from submission_records import Broken, natural_order

IMAGES = frozenset(["jpg", "jpeg", "jpe", "jfif", "png", "webp", "bmp", "tif", "tiff", "gif", "ppm"])
FILMS = frozenset(
    ["mp4", "m4v", "mov", "avi", "mkv", "webm", "mpg", "mpeg", "wmv", "flv", "ogv", "3gp", "mts", "m2ts"]
)
_PATHS = ("filename", "file_name", "file", "path", "filepath", "file_path", "image", "video", "name")
_LABELS = ("labels", "label", "classes", "class", "target", "targets", "category")
_MOST_FRAMES = 64  # of a film: challenge clips are short, and all frames are held as float32


class NoReader(Exception):
    """A kind of file that nothing in this interpreter can read."""


def labelled(root: str, classes: "list[str]", video: bool) -> "list[tuple[str, tuple[int, ...]]]":
    """Path and columns of each training sample, from `labels.csv` or from folders named as classes. Raises Broken."""
    for place in (root, os.path.dirname(root)):
        if os.path.isfile(os.path.join(place, "labels.csv")):
            return _listed(os.path.join(place, "labels.csv"), root, classes)
    found: list[tuple[str, tuple[int, ...]]] = []
    for column, name in enumerate(classes):
        inside = os.path.join(root, name)
        if os.path.isdir(inside):
            found += [(path, (column,)) for path in _samples(inside, video)]
    if not found:
        raise Broken(f"{root} holds no folder that is called as one of the classes, and no labels.csv")
    return found


def _samples(folder: str, video: bool) -> "list[str]":
    """The samples below a folder; of videos, a folder that holds frames is one sample."""
    found = []
    for place, inner, names in os.walk(folder):
        inner[:] = natural_order([name for name in inner if not name.startswith(".")])
        if video and place != folder and frames_of(place):
            found.append(place)
            inner[:] = []
            continue
        kinds = IMAGES | FILMS if video else IMAGES
        found += [os.path.join(place, name) for name in natural_order(names) if _ending(name) in kinds]
    return found


def frames_of(folder: str) -> "list[str]":
    """The pictures right in a folder, in natural order."""
    return natural_order([name for name in os.listdir(folder) if _ending(name) in IMAGES])


def _ending(name: str) -> str:
    return "" if name.startswith(".") else os.path.splitext(name)[1][1:].lower()


def _listed(path: str, root: str, classes: "list[str]") -> "list[tuple[str, tuple[int, ...]]]":
    with open(path, newline="", encoding="utf-8-sig", errors="surrogateescape") as file:
        rows = [row for row in csv.reader(file) if row]
    header = [cell.strip().lower() for cell in rows[0]]
    where = next((header.index(name) for name in _PATHS if name in header), 0)
    columns = {name: column for column, name in enumerate(classes)}
    ones = [(at, columns[cell]) for at, cell in enumerate(rows[0]) if cell in columns and at != where]
    what = next((header.index(name) for name in _LABELS if name in header), 1)
    found = []
    for row in rows[1:]:
        places = [
            place
            for place in (root, os.path.dirname(path))
            if os.path.exists(os.path.join(place, row[where]))
        ]
        if not places:
            continue
        if len(ones) == len(classes):
            mine = tuple(column for at, column in ones if row[at].strip().lower() in ("1", "1.0", "true"))
        else:
            mine = _columns(row[what], columns, path)
        found.append((os.path.join(places[0], row[where]), mine))
    if not found:
        raise Broken(f"{path} lists no file that is there")
    return found


def _columns(cell: str, columns: "dict[str, int]", path: str) -> "tuple[int, ...]":
    """A class, several of them between separators, or their numbers as donors write them."""
    cell = cell.strip()
    if cell in columns:
        return (columns[cell],)
    for separator in ("|", ";", ",", r"\s"):
        parts = [
            part.strip() for part in re.split(separator if separator == r"\s" else re.escape(separator), cell)
        ]
        parts = [part for part in parts if part]
        if all(part in columns for part in parts):
            return tuple(columns[part] for part in parts)
        if all(part.isdigit() and int(part) < len(columns) for part in parts):
            return tuple(int(part) for part in parts)
    raise Broken(f"{path} names {cell!r}, which is no class of the task")


def decoded(file: Any, channels: int) -> "Floats":
    """A picture (path or open file) as float32 (H, W, channels) in 0 to 1, not turned and without transparency."""
    with _pillow().open(file) as picture:
        return _pixels(picture, channels)


def _pixels(picture: Any, channels: int) -> "Floats":
    if picture.mode.startswith("I"):  # 16 bits: the upper eight, as TensorFlow takes them
        values = (np.asarray(picture).astype(np.int32) >> 8).clip(0, 255)
        values = np.repeat(values[..., None], channels, axis=2)
    else:
        values = np.asarray(picture.convert({1: "L", 3: "RGB", 4: "RGBA"}[channels]))
    return values.reshape(picture.size[1], picture.size[0], channels).astype(np.float32) / np.float32(255)


def clip(path: str) -> "Floats":
    """A clip as float32 (T, H, W, 3): a folder of frames, an animation, a film; T is at most 64, evenly spaced."""
    if os.path.isdir(path):
        names = frames_of(path)
        return np.stack([decoded(os.path.join(path, names[at]), 3) for at in _spread(len(names))])
    if _ending(path) in FILMS:
        frames = _film(path)
        return frames[_spread(len(frames))].astype(np.float32) / np.float32(255)
    with _pillow().open(path) as picture:
        shown = []
        for at in _spread(getattr(picture, "n_frames", 1)):
            picture.seek(at)
            shown.append(_pixels(picture, 3))
        return np.stack(shown)


def _spread(count: int) -> "list[int]":
    """Evenly spaced places among so many."""
    return [round(at) for at in np.linspace(0, count - 1, min(count, _MOST_FRAMES)).tolist()]


def _film(path: str) -> "NDArray[np.uint8]":
    try:
        import av
    except ImportError:
        return _film_by_opencv(path)
    with av.open(path) as film:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in film.decode(video=0)])


def _film_by_opencv(path: str) -> "NDArray[np.uint8]":
    try:
        import cv2
    except ImportError:
        raise NoReader(f"{path} is a film: this interpreter needs PyAV or OpenCV to read it") from None
    film, frames = cv2.VideoCapture(path), []
    more, frame = film.read()
    while more:
        frames.append(np.asarray(frame, np.uint8)[..., ::-1])
        more, frame = film.read()
    return np.stack(frames)


def _pillow() -> Any:
    try:
        from PIL import Image
    except ImportError:
        raise NoReader("samples are image files: this interpreter needs Pillow to read them") from None
    return Image
