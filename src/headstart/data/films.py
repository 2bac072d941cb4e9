"""Video files, read by PyAV: the first keyframe, or evenly spaced frames at the least cost.

Which packets are keyframes is known without decoding anything. Groups of pictures in which nothing is wanted
are passed over where that saves decoding; else the file is decoded once, from the front. Only wanted frames
are converted to pixels, which for small videos costs more than decoding them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from headstart.data import images
from headstart.data.frames import Clip, moments, paired_at_sizes
from headstart.data.images import MAX_DECODED, Square
from headstart.errors import BadInput

HELD = 64 << 20
"""Packets of files up to so many bytes are held in memory; in larger ones the reader seeks."""
LONGEST = 3000
"""Frames that one pass decodes at most: of a longer video without keyframes only the beginning is seen."""
_WORTH = 0.8  # the share of decoding below which passing over groups is done


class NoFrames(Exception):
    """A file that gives no picture; the message is the reason that a user reads."""


def reason(error: Exception) -> str:
    """Why a clip cannot be used, for `skipped.csv`."""
    return str(error) if isinstance(error, NoFrames) else images.reason(error, "video")


def check() -> None:
    """Raises BadInput where PyAV is not installed."""
    try:
        import av  # noqa: F401
    except ImportError as error:
        raise BadInput("videos need PyAV: pip install 'headstart[video]'") from error


def first(path: str, pixels: int) -> Square:
    """The first frame that can be decoded, uint8 [pixels, pixels, 3]. Raises NoFrames or what PyAV raises."""
    with _opened(path) as (container, stream):
        for frame in _decoded(stream, _front(container, stream)):
            return _square(frame, pixels)
    raise NoFrames("a video without frames")


def clip(path: str, frames: int, sizes: Sequence[int]) -> list[Clip]:
    """Evenly spaced frames at each of some sizes. Raises NoFrames or what PyAV raises."""
    with _opened(path) as (container, stream):
        held = os.path.getsize(path) <= HELD
        plan = _Plan.of(_packets(container, stream, held), frames, _rate(stream))
        wanted = sorted({index for moment in plan.moments for index in moment})
        decoded = plan.needed(wanted, container, stream, held)
        found = _matched(decoded, [plan.times[index] for index in wanted], sizes)
    if not found:
        raise NoFrames("a video without frames that can be decoded")
    # A broken tail: the last frame that there is stands for those that are missing.
    squares = {index: found[min(place, len(found) - 1)] for place, index in enumerate(wanted)}
    pairs = [pair for pair in plan.moments if wanted.index(pair[0]) < len(found)]
    return paired_at_sizes(squares, pairs, len(sizes))


def size(path: str) -> tuple[int, int]:
    """Width and height as stated by the file; nothing is decoded. Raises NoFrames or what PyAV raises."""
    with _opened(path) as (_, stream):
        return stream.codec_context.width, stream.codec_context.height


@dataclass(frozen=True)
class _Packet:
    """One packet: its time (or its place, where times are missing), whether it is a keyframe, its data."""

    time: int
    key: bool
    data: Any


@dataclass(frozen=True)
class _Plan:
    """What is wanted of a video and how its packets lie.

    times: of the frames, in order of showing. packets: in order of decoding, so far as they are held.
    """

    times: list[int]
    moments: list[tuple[int, int]]
    packets: list[_Packet]
    timed: bool

    @classmethod
    def of(cls, packets: list[_Packet], frames: int, rate: float | None) -> _Plan:
        if not packets:
            raise NoFrames("a video without frames")
        timed = len({packet.time for packet in packets}) == len(packets)
        if not timed:
            packets = [_Packet(place, packet.key, packet.data) for place, packet in enumerate(packets)]
        times = sorted(packet.time for packet in packets)
        plan = cls(times, moments(len(times), frames, rate), packets, timed)
        if plan.last > LONGEST and not plan.passes_over():
            return cls(times, moments(LONGEST, frames, rate), packets, timed)
        return plan

    @property
    def last(self) -> int:
        return max(end for _, end in self.moments)

    def groups(self) -> list[tuple[int, int]]:
        """Where each group of pictures begins and ends in the order of decoding."""
        starts = [place for place, packet in enumerate(self.packets) if packet.key]
        starts = [0, *starts[1:]] if starts else [0]
        return list(zip(starts, [*starts[1:], len(self.packets)], strict=True))

    def chosen(self) -> list[tuple[int, int]]:
        """The groups that hold what is wanted."""
        wanted = np.array(sorted({self.times[index] for moment in self.moments for index in moment}))
        groups = self.groups()
        begins = np.array([self.packets[start].time for start, _ in groups])
        used = np.unique(np.clip(np.searchsorted(begins, wanted, side="right") - 1, 0, None))
        return [groups[number] for number in used]

    def passes_over(self) -> bool:
        """Whether decoding the chosen groups only is the cheaper way."""
        if not self.timed:
            return False
        return sum(end - start for start, end in self.chosen()) < _WORTH * (self.last + 1)

    def needed(self, wanted: list[int], container: Any, stream: Any, held: bool) -> Iterator[tuple[int, Any]]:
        """(time, frame) of what must be decoded, in order of showing."""
        if not self.passes_over():
            again = (packet.data for packet in self.packets) if held else _front(container, stream)
            for place, frame in enumerate(_decoded(stream, again)):
                yield (frame.pts if self.timed and frame.pts is not None else place), frame
                if place > max(LONGEST, self.last + 1) and not self.passes_over():
                    return
            return
        for start, end in self.chosen():
            part = (
                (p.data for p in self.packets[start:end]) if held else _sought(container, stream, self, start)
            )
            for frame in _decoded(stream, part):
                if frame.pts is not None:
                    yield frame.pts, frame
            stream.codec_context.flush_buffers()


def _matched(
    decoded: Iterator[tuple[int, Any]], wanted: list[int], sizes: Sequence[int]
) -> list[list[Square]]:
    """For each wanted time the squares of the first frame that is not earlier, as far as frames go."""
    found: list[list[Square]] = []
    squares: list[Square] | None = None
    for time, frame in decoded:
        squares = None
        while len(found) < len(wanted) and wanted[len(found)] <= time:
            squares = squares or [_square(frame, size) for size in sizes]
            found.append(squares)
        if len(found) == len(wanted):
            break
    return found


class _opened:
    """A container and its first video stream, decoded in the caller's thread."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._container: Any = None

    def __enter__(self) -> tuple[Any, Any]:
        import av

        self._container = av.open(self._path, metadata_errors="ignore")
        stream = next((s for s in self._container.streams if s.type == "video"), None)
        if stream is None or stream.codec_context is None:
            self._container.close()
            raise NoFrames("holds no video stream")
        if (stream.codec_context.width or 0) * (stream.codec_context.height or 0) > MAX_DECODED:
            self._container.close()
            size = f"{stream.codec_context.width} x {stream.codec_context.height}"
            raise NoFrames(f"too many pixels ({size})")
        stream.codec_context.thread_count = 1
        stream.codec_context.thread_type = "NONE"
        return self._container, stream

    def __exit__(self, *_: object) -> None:
        self._container.close()


def _rate(stream: Any) -> float | None:
    rate = stream.average_rate or stream.guessed_rate
    return float(rate) if rate else None


def _packets(container: Any, stream: Any, held: bool) -> list[_Packet]:
    """All packets of the stream, without decoding one. A broken tail ends the list."""
    entries = getattr(stream, "index_entries", None)
    if not held and entries is not None and len(entries) == stream.frames > 0:
        return [_Packet(entry.timestamp, bool(entry.is_keyframe), None) for entry in entries]
    result: list[_Packet] = []
    for packet in _front(container, stream):
        if packet.size:
            time = packet.pts if packet.pts is not None else packet.dts
            result.append(_Packet(-1 if time is None else time, packet.is_keyframe, packet if held else None))
    if not held:
        container.seek(0)
    return result


def _front(container: Any, stream: Any) -> Iterator[Any]:
    """The packets from where the container stands; what is damaged ends them."""
    import av

    try:
        yield from container.demux(stream)
    except (av.error.FFmpegError, ValueError):
        return


def _sought(container: Any, stream: Any, plan: _Plan, start: int) -> Iterator[Any]:
    """The packets of one group of a file that is not held in memory."""
    container.seek(plan.packets[start].time, stream=stream, backward=True)
    stops = [p.time for p in plan.packets[start + 1 :] if p.key]
    for packet in _front(container, stream):
        if packet.is_keyframe and packet.pts is not None and stops and packet.pts >= stops[0]:
            return
        yield packet


def _decoded(stream: Any, packets: Iterator[Any]) -> Iterator[Any]:
    """The frames of some packets, the delayed ones at the end too; a packet that is damaged gives none."""
    import av

    for packet in packets:
        if packet.size:
            try:
                frames = stream.codec_context.decode(packet)
            except av.error.FFmpegError:
                continue
            yield from frames
    try:
        yield from stream.codec_context.decode(None)
    except av.error.FFmpegError:
        return


def _square(frame: Any, pixels: int) -> Square:
    if frame.width * frame.height > MAX_DECODED:
        raise NoFrames(f"too many pixels ({frame.width} x {frame.height})")
    small = frame.reformat(width=pixels, height=pixels, format="rgb24", interpolation="BILINEAR")
    square: Square = small.to_ndarray()
    turns = round(frame.rotation / 90) % 4  # a telephone held upright: the file says how to turn it
    return np.ascontiguousarray(np.rot90(square, turns)) if turns else square
