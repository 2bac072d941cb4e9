"""Decoders that warn or write of odd metadata are kept from it: what a user is told is said by the reason."""

from __future__ import annotations

import functools
import importlib
import threading
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress

_HEAD = 64 << 10  # bytes in which an animated PNG says that it is one
_lock = threading.Lock()


def quiet(kind: str, head: bytes) -> AbstractContextManager[None]:
    """Silence where Pillow may warn of odd metadata. One thread at a time: warning filters are global."""
    warns = kind in ("TIFF", "JPEG") or (kind == "PNG" and b"acTL" in head[:_HEAD])
    return _silence() if warns else nullcontext()


@contextmanager
def _silence() -> Iterator[None]:
    with _lock, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@functools.cache
def hush_libtiff() -> None:
    """Once: the library behind Pillow no longer writes of damage to standard error itself, past Python.

    Pillow learns of damage by return codes. Where the library cannot be reached its lines are printed. What Pillow
    logs of TIFFs goes where the process has its logs, which need not be standard error.
    """
    import ctypes  # both are slow to load, and TIFFs are rare
    import logging

    logging.getLogger("PIL.TiffImagePlugin").addHandler(logging.NullHandler())
    with suppress(Exception):
        ctypes.CDLL(importlib.import_module("PIL._imaging").__file__).TIFFSetErrorHandler(None)
