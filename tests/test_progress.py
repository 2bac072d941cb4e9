"""The live view: on a pseudo-terminal, read back as a terminal would show it, and as plain lines."""

from __future__ import annotations

import io
import os
import re
import signal
import subprocess
import sys
from dataclasses import replace

import pytest

from headstart.cli.drawing import UNICODE, width
from headstart.cli.progress import Progress, ProgressEvent, is_live, picture
from screens import Screen, Terminal, resize, terminal

BUDGET = 1200.0
POINTS = [(0.5 * 1.25**i, 0.97 - 0.6 * (1 - i / 24) ** 2) for i in range(25)]


def event(published: int, seconds: float | None = None, message: str | None = None) -> ProgressEvent:
    points = POINTS[:published]
    now = seconds if seconds is not None else (points[-1][0] if points else 0.2)
    evidence = points[-1][1] if points else None
    return ProgressEvent(
        now, BUDGET, "lite0@128", 1240, 3000, 4310, evidence, points, "lite0@224, about 2 minutes", message
    )


def drive(pty: Terminal, updates: list[ProgressEvent]) -> str:
    with Progress(pty.stream, BUDGET, terminal=True) as progress:
        for update in updates:
            progress.update(update)
    return pty.read()


def test_at_80_columns_a_run_is_drawn_in_place() -> None:
    with terminal() as pty:
        content = drive(pty, [event(k) for k in range(len(POINTS) + 1)])
    screen = Screen(80).feed(content)
    assert [line.split(" ")[0] for line in screen.lines] == [
        "budget", "stage", "evidence", "0.970", "0.370", "", "next", "",
    ]  # fmt: skip
    assert all(len(line) <= 79 for line in screen.lines)
    assert "1m46s of 20m" in screen.lines[0]
    assert "lite0@128  1,240 of 3,000" in screen.lines[1]
    assert "0.970  from 4,310 samples, 25 predictions published" in screen.lines[2]
    assert "⣿" in screen.lines[3] and screen.lines[5].endswith("20m")
    assert screen.lines[6] == "next      lite0@224, about 2 minutes"
    assert (screen.x, screen.y, screen.styled) == (0, 7, False)


def test_every_picture_fits_into_the_width() -> None:
    for columns in (20, 39, 40, 60, 79, 132, 300):
        for published in (0, 1, 25):
            lines = picture(event(published), BUDGET, columns, UNICODE)
            assert 4 <= len(lines) <= 7
            for styled, used in lines:
                plain = re.sub(r"\x1b\[[0-9;]*m", "", styled)
                assert width(plain) == used <= columns


def test_messages_stay_above_the_picture() -> None:
    with terminal() as pty:
        message = "3 files skipped\x1b[31m, see\nskipped.csv"
        content = drive(pty, [event(1), event(2, message=message), event(3)])
    lines = Screen(80).feed(content).lines
    assert lines[0] == "3 files skipped\ufffd[31m, see skipped.csv"
    assert lines[1].startswith("budget") and sum(line.startswith("budget") for line in lines) == 1


def test_a_message_longer_than_the_terminal_keeps_the_picture_whole() -> None:
    with terminal() as pty:
        content = drive(pty, [event(1), event(2, message="word " * 60), event(3)])
    lines = Screen(80).feed(content).lines
    words = [line.split(" ")[0] for line in lines[-8:]]
    assert words == ["budget", "stage", "evidence", f"{POINTS[2][1]:.3f}", "0.370", "", "next", ""]
    assert sum(line.startswith("budget") for line in lines) == 1
    assert "".join(lines).replace(" ", "").startswith("word" * 60)


def test_a_terminal_made_narrower_is_cleared_of_the_old_lines() -> None:
    with terminal(columns=120) as pty:
        progress = Progress(pty.stream, BUDGET, terminal=True)
        progress.update(event(3))
        wide = [used for _, used in picture(event(3), BUDGET, 119, UNICODE)]
        resize(pty.inside, 50)
        progress.update(event(4))
        progress.close()
        content = pty.read()
    ups = [int(n) for n in re.findall(r"\x1b\[(\d+)A", content)]
    assert ups[0] == sum(-(-used // 50) for used in wide) > 7


def test_a_low_terminal_shows_what_fits() -> None:
    with terminal(rows=4) as pty:
        content = drive(pty, [event(k) for k in range(5)])
    lines = Screen(80).feed(content).lines
    assert [line.split(" ")[0] for line in lines] == ["budget", "stage", "evidence", ""]


def test_not_every_event_is_drawn() -> None:
    with terminal() as pty:
        content = drive(pty, [event(3, seconds=1.0 + i / 1000) for i in range(500)])
    assert content.count("budget") <= 7


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_whatever_ends_the_program_the_terminal_is_left_clean(how: signal.Signals) -> None:
    program = (
        "import sys, time\n"
        "from headstart.cli.progress import Progress, ProgressEvent\n"
        "points = [(0.5, 0.4), (1.0, 0.6)]\n"
        "event = lambda t: ProgressEvent(t, 60.0, 's', 1, 2, 3, 0.6, points, 'x')\n"
        "with Progress(sys.stderr, 60.0, terminal=True) as progress:\n"
        "    progress.update(event(1.0))\n"
        "    print('ready', flush=True)\n"
        "    for i in range(10_000_000):\n"
        "        progress.update(event(1.0 + 0.2 * i))\n"
    )
    with terminal() as pty:
        process = subprocess.Popen(
            [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=pty.inside, text=True
        )
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        process.send_signal(how)
        process.wait(20)
        process.stdout.close()
        content = pty.read()
    # A kill may cut a write short, in the midst of a command, too; but there is no mode to be left on.
    screen = Screen(80).feed(re.sub(r"\x1b(\[[0-9;]*)?$", "", content.split("Traceback")[0]))
    if how == signal.SIGINT:
        assert (screen.x, screen.styled) == (0, False)
    assert "\x1b[?" not in content
    assert sum(line.startswith("budget") for line in screen.lines) == 1


def test_a_closed_or_failing_stream_silences_and_does_not_raise() -> None:
    stream = io.StringIO()
    progress = Progress(stream, BUDGET, terminal=True)
    progress.update(event(1))
    stream.close()
    progress.update(event(2))
    progress.close()
    reading, writing = os.pipe()
    os.close(reading)
    broken = os.fdopen(writing, "w")
    lines = Progress(broken, BUDGET, terminal=False)
    lines.update(event(1))
    lines.close()
    with pytest.raises(BrokenPipeError):
        broken.close()


def test_closing_twice_or_before_anything_writes_nothing_more() -> None:
    stream = io.StringIO()
    Progress(stream, BUDGET, terminal=True).close()
    assert stream.getvalue() == ""
    progress = Progress(stream, BUDGET, terminal=True)
    progress.update(event(1))
    progress.close()
    written = stream.getvalue()
    progress.close()
    assert stream.getvalue() == written


# ------------------------------------------------------------------ plain lines


def plain(updates: list[ProgressEvent]) -> list[str]:
    stream = io.StringIO()
    with Progress(stream, BUDGET, terminal=False) as progress:
        for update in updates:
            progress.update(update)
    assert "\x1b" not in stream.getvalue() and "\r" not in stream.getvalue()
    return stream.getvalue().splitlines()


def test_one_line_per_published_prediction_at_most_one_per_second() -> None:
    updates = [event(k, seconds=k * 0.25) for k in range(1, 22)]
    lines = plain(updates)
    assert len(lines) == 6 and lines[0].startswith("  0.5s of 20m  evidence 0.370  stage lite0@128 1240/3000")
    assert lines == list(dict.fromkeys(lines))


def test_nothing_new_gives_no_line_and_the_last_prediction_is_never_lost() -> None:
    assert plain([event(0), event(0, seconds=9.0)]) == []
    lines = plain([event(1, seconds=1.0), event(2, seconds=1.1), event(3, seconds=1.2)])
    assert len(lines) == 2 and f"{POINTS[2][1]:.3f}" in lines[-1]
    assert len(plain([event(3, seconds=s) for s in (1.0, 5.0, 9.0)])) == 1


def test_messages_are_lines_of_their_own() -> None:
    assert plain([event(0, message="int8 is 2.3 times as fast here"), event(0)]) == [
        "int8 is 2.3 times as fast here"
    ]


# ------------------------------------------------------------------ the terminal's abilities


@pytest.mark.parametrize(
    ("environ", "live"),
    [
        ({"TERM": "xterm-256color"}, True),
        ({"TERM": "xterm", "NO_COLOR": "1"}, False),
        ({"TERM": "xterm", "NO_COLOR": ""}, True),
        ({"TERM": "dumb"}, False),
        ({}, False),
    ],
)
def test_what_counts_as_a_terminal(environ: dict[str, str], live: bool) -> None:
    with terminal() as pty:
        assert is_live(pty.stream, environ) == live
    assert not is_live(io.StringIO(), environ)
    closed = io.StringIO()
    closed.close()
    assert not is_live(closed, {"TERM": "xterm"})


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_streams_that_know_no_braille_get_ascii(encoding: str) -> None:
    buffer = io.BytesIO()
    stream = io.TextIOWrapper(buffer, encoding=encoding)
    with Progress(stream, BUDGET, terminal=True) as progress:
        progress.update(replace(event(9), stage="naïve 漢字"))
    content = buffer.getvalue().decode(encoding)
    assert "####" in content and "|" in content and "⣿" not in content


def test_no_third_party_import() -> None:
    program = "import sys, headstart.cli.progress; print([m for m in ('numpy', 'PIL') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
