"""Say what a folder of samples holds before anything is learnt from it: how many files of which class, of which
size, which of them are equal and which cannot be used. Nothing is written.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from headstart.cli.drawing import ASCII, UNICODE, Glyphs, fit, printable, width
from headstart.cli.progress import is_live

if TYPE_CHECKING:
    from headstart.words.findings import ClassCount, Duplicates, Equal, Inspection, LeftOut

_COLUMNS = 80
_LABEL = 10  # columns of the words on the left
_CLASSES = 20  # more classes than these are not all shown: the largest and the smallest half of this number
_NAME = 28  # columns of a class's name at most
_REASONS = 8
_GROUPS = 3  # groups of equal files shown of each sort
_MEMBERS = 3  # files shown of such a group


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `inspect`."""
    parser.add_argument("path", help="folder or list, as for `fit`")
    parser.add_argument("--test", help="folder of unlabelled files, as for `fit`")
    parser.add_argument("--kind", choices=("image", "video"), help="what the files are (default: as found)")
    parser.add_argument(
        "--labels", choices=("single", "multi"), help="labels per file in a list (default: as found)"
    )
    parser.add_argument(
        "--decode", action="store_true", help="decode every file, not only its header: finds those cut short"
    )


def run(options: argparse.Namespace) -> int:
    """Runs `inspect`; returns the exit code."""
    from headstart.inspection import inspect

    live = is_live(sys.stderr)
    try:
        found = inspect(
            options.path,
            test=options.test,
            kind=options.kind,
            labels=options.labels,
            decode=options.decode,
            progress=_counted if live else None,
        )
    finally:
        if live:
            sys.stderr.write("\r\x1b[K")
    if options.json:
        print(found.to_json())
    else:
        print("\n".join(page(found, _glyphs())))
    return 0


def _counted(done: int, total: int) -> None:
    sys.stderr.write(f"\r{done} of {total} files looked at\x1b[K")
    sys.stderr.flush()


def _glyphs() -> Glyphs:
    try:
        "━┄".encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        return ASCII
    return UNICODE


def page(found: Inspection, glyphs: Glyphs) -> list[str]:
    """The lines that are printed, none wider than 80 columns."""
    word = "labels" if found.labels == "multi" else "label"
    count = "several" if found.labels == "multi" else "one"
    lines = [f"{printable(found.name)}: {found.kind}s with {count} {word} each"]
    lines += [_row("" if number else "found", printable(note)) for number, note in enumerate(found.notes)]
    for split in found.splits:
        bad = split.files - split.usable
        classes = f" of {len(found.classes)} classes" if split.name == "train" else ", labels not read"
        lines.append(
            _row(split.name, _files(split.files) + classes + (f"; {bad} of them bad" if bad else ""))
        )
    lines += [_row("", words) for words in _per_sample(found)]
    lines += [_row("size" if not number else "", words) for number, words in enumerate(_sizes(found))]
    lines += ["", *_classes(found, glyphs), *_balance(found), "", *_duplicates(found.duplicates), ""]
    return [fit(line.rstrip(), _COLUMNS) for line in [*lines, *_left_out(found.left_out, found.checked)]]


def _row(label: str, words: str) -> str:
    return f"{label:<{_LABEL}}{words}"


def _files(count: int) -> str:
    return f"{count} file{'s' * (count != 1)}"


def _per_sample(found: Inspection) -> Iterator[str]:
    number = found.per_sample
    if number is not None:
        yield f"{number.fewest} to {number.most} labels per file, {number.mean:.2f} on average"
        if number.none:
            yield f"{_files(number.none)} without any label"


def _sizes(found: Inspection) -> Iterator[str]:
    sizes = found.sizes
    if sizes is None:
        yield "not measured"
        return
    (narrow, middle, wide), (low, median, high) = sizes.width, sizes.height
    if sizes.different == 1:
        yield f"all {wide} x {high} pixels"
        return
    yield f"width {narrow} to {wide} pixels, median {middle}"
    yield f"height {low} to {high} pixels, median {median}"
    across, down, count = sizes.common[0]
    yield f"{sizes.different} different sizes; most frequent {across} x {down} ({_files(count)})"


def _classes(found: Inspection, glyphs: Glyphs) -> Iterator[str]:
    """A bar per class; of many classes the largest and the smallest."""
    ordered = sorted(found.classes, key=lambda item: -item.files)
    half = _CLASSES // 2
    if len(ordered) > _CLASSES and ordered[0].files == ordered[-1].files:
        yield f"  every class has {_files(ordered[0].files)}"
        return
    chosen = ordered if len(ordered) <= _CLASSES else ordered[:half] + ordered[-half:]
    names = min(max(width(printable(item.name)) for item in chosen), _NAME)
    for number, item in enumerate(chosen):
        if number == half and len(ordered) > len(chosen):
            between = ordered[half:-half]
            least, most = between[-1].files, between[0].files
            span = _files(most) if least == most else f"{least} to {_files(most)}"
            yield f"  {'…' if glyphs is UNICODE else '...'} {len(between)} more classes of {span}"
        yield _bar(item, ordered[0].files, names, glyphs)


def _bar(item: ClassCount, largest: int, names: int, glyphs: Glyphs) -> str:
    name = _cut(item.name, names, glyphs)
    bad = f" ({item.bad} bad)" if item.bad else ""
    cells = 30
    length = max(round(item.files / max(largest, 1) * cells), int(item.files > 0))
    padding = " " * (names - width(name))
    return f"  {name}{padding}  {glyphs.full * length}{' ' * (cells - length)} {item.files}{bad}"


def _cut(words: str, columns: int, glyphs: Glyphs) -> str:
    """`words` made safe to print, with a mark where they are cut."""
    safe = printable(words)
    mark = "…" if glyphs is UNICODE else "~"
    return safe if width(safe) <= columns else fit(safe, columns - 1) + mark


def _balance(found: Inspection) -> Iterator[str]:
    balance = found.imbalance
    if balance.ratio is not None:
        yield f"  largest : smallest class = {balance.ratio:g} : 1"
    for names, words in ((balance.single, "a single file"), (balance.empty, "no usable file")):
        if names:
            shown = ", ".join(printable(name) for name in names[:5]) + (", …" if len(names) > 5 else "")
            yield f"  {len(names)} class{'es' * (len(names) != 1)} with {words}: {shown}"


def _duplicates(found: Duplicates) -> Iterator[str]:
    sorts: tuple[tuple[str, Equal, Callable[[Equal], str]], ...] = (
        ("within a class", found.within_class, lambda e: f"{_files(e.files)} could go"),
        ("across classes", found.across_classes, lambda e: f"{_files(e.files)} with contradicting labels"),
        ("train and test", found.across_splits, lambda e: f"{_files(e.files)} of the test split"),
    )
    if not any(item.groups for _, item, _ in sorts):
        yield _row("equal", "no two files are equal")
        return
    for number, (place, item, words) in enumerate(sorts):
        said = f"{words(item)}, {item.groups} group{'s' * (item.groups != 1)}" if item.groups else "none"
        yield _row("" if number else "equal", f"{place}: {said}")
        for group in item.listed[:_GROUPS]:
            shown = group if len(group) <= _MEMBERS else (*group[: _MEMBERS - 1], group[-1])
            between = " = " if shown == group else " = ... = "
            yield _row(
                "", "  " + between.join((" = ".join(map(printable, shown[:-1])), printable(shown[-1])))
            )


def _left_out(found: LeftOut, checked: str) -> Iterator[str]:
    how = {"headers": "headers were read", "decoded": "all were decoded", "names": "none was opened"}[checked]
    yield _row("left out", f"{_files(found.count) if found.count else 'no file'} ({how})")
    for reason, count in found.reasons[:_REASONS]:
        example = next((item.path for item in found.listed if item.reason == reason), "")
        yield _row("", f"{count} x {printable(reason)}: {printable(example)}")
    if len(found.reasons) > _REASONS:
        yield _row("", f"and {len(found.reasons) - _REASONS} more reasons; --json lists all")
