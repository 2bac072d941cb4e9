"""The search in a PostgreSQL database: a server of the tests' own, which many processes use and some of them die."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("optuna")

import toy_objective as toy
from commands import call, complaint, started
from conftest import draw
from headstart.backbones.table import BACKBONES
from headstart.challenge.calibrate_tables import save
from headstart.errors import Busy, HeadstartError
from headstart.meta import journal
from headstart.meta.brackets import Schedule
from headstart.meta.objective import Job, Outcome, Plan
from headstart.meta.search import Evaluation, Search
from headstart.words.space import find_space
from invented import invented

SPACE = find_space("paper", networks=["resnet18@128"])
PLAN = Plan(Schedule(iterations=3))
SECRET = "s3cr{t}/word"  # with signs that mean something in an address, or to Optuna
QUOTED = "s3cr%7Bt%7D%2Fword"
driver = pytest.mark.skipif(find_spec("psycopg") is None, reason="needs headstart[postgres]")


def program(name: str) -> str:
    """A program of the server; Debian keeps them out of PATH. Without it the test is skipped."""
    places = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: path.parts[-3])
    found = shutil.which(name) or (str(places[-1]) if places else None)
    if found is None:
        pytest.skip(f"needs a PostgreSQL server: there is no {name}")
    return found


class Server:
    """A running server with a database per test."""

    def __init__(self, port: int) -> None:
        self._port = port

    def ask(self, question: str, database: str = "postgres") -> list[Any]:
        """The rows of an answer, of single values."""
        import psycopg

        with psycopg.connect(
            host="127.0.0.1",
            port=self._port,
            user="searcher",
            password=SECRET,
            dbname=database,
            autocommit=True,
        ) as connection:
            cursor = connection.execute(question.encode())
            return [row[0] for row in cursor] if cursor.description else []

    def address(self, database: str, password: str = QUOTED) -> str:
        """Of a database as a user gives it."""
        return f"postgresql://searcher:{password}@127.0.0.1:{self._port}/{database}"

    def complete(self, database: str) -> list[int]:
        """The trials that are done."""
        return self.ask("SELECT trial_id FROM trials WHERE state = 'COMPLETE' ORDER BY 1", database)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """Of a user that is not root, which a server refuses, in a folder of its own: pytest's are closed to others."""
    if find_spec("psycopg") is None:
        pytest.skip("needs headstart[postgres]")
    initdb, postgres = program("initdb"), program("postgres")
    folder = Path(tempfile.mkdtemp(prefix="searches"))
    who: dict[str, Any] = {"cwd": folder, "stdin": subprocess.DEVNULL}
    if os.geteuid() == 0:
        import pwd  # not there on Windows

        nobody = pwd.getpwnam("nobody")
        who |= {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
        shutil.chown(folder, "nobody")
    (folder / "password").write_text(SECRET)
    # What is got without a locale: a database that knows no encoding, the hardest for clients.
    words = [initdb, "-D", "data", "-U", "searcher", "-A", "scram-sha-256", "--pwfile=password", "--no-sync"]
    made = subprocess.run(
        [*words, "--locale=C", "--encoding=SQL_ASCII"], capture_output=True, text=True, **who, check=False
    )
    assert made.returncode == 0, made.stderr
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [postgres, "-D", "data", "-k", str(folder), "-h", "127.0.0.1", "-p", str(port), "-F"],
            stdout=log,
            stderr=subprocess.STDOUT,
            **who,
        )
    try:
        yield _ready(Server(port), process, folder / "log")
    finally:
        process.send_signal(signal.SIGINT)  # whoever is connected
        process.wait(30)
        shutil.rmtree(folder)


def _ready(server: Server, process: subprocess.Popen[bytes], log: Path) -> Server:
    import psycopg

    end = time.monotonic() + 30
    while True:
        try:
            server.ask("SELECT 1")
            return server
        except psycopg.OperationalError:
            assert process.poll() is None and time.monotonic() < end, log.read_text()
            time.sleep(0.05)


@pytest.fixture
def database(server: Server, request: pytest.FixtureRequest) -> str:
    """The name of an empty database."""
    name = f"of_{abs(hash(request.node.name))}"
    server.ask(f"CREATE DATABASE {name}")
    return name


def searched(where: str | Path, evaluate: Any = toy.bowl, prior: str = "prior") -> list[Evaluation]:
    with journal.opened(where) as store:
        search = Search(store, prior, SPACE, PLAN)
        list(search.run(evaluate))
        return [search.done[place] for place in sorted(search.done)]


SCRIPT = """
import sys
import toy_objective as toy
from headstart.errors import Busy
from headstart.meta import journal
from headstart.meta.brackets import Schedule
from headstart.meta.objective import Plan
from headstart.meta.search import Search
from headstart.words.space import find_space
address, prior, folder = sys.argv[1:]
space, plan = find_space("paper", networks=["resnet18@128"]), Plan(Schedule(iterations=3))
with journal.opened(address) as store:
    try:
        search = Search(store, prior, space, plan, folder)
    except Busy as error:
        sys.exit(f"busy: {error}")
    for evaluation in search.run(toy.slow):
        print(evaluation.config.digest, evaluation.seconds, flush=True)
"""


def searcher(address: str, prior: str, folder: Path) -> subprocess.Popen[str]:
    """A process that searches slowly, notes in the folder what it begins, and tells what is on record."""
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", SCRIPT, address, prior, str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=dict(os.environ, PYTHONPATH=str(Path(__file__).parent)),
    )


def noted(folder: Path, what: str) -> list[str]:
    return (folder / what).read_text().splitlines()


@pytest.mark.slow
def test_killed_at_any_moment_it_goes_on_and_nothing_finished_is_lost_or_done_twice(
    server: Server, database: str, tmp_path: Path
) -> None:
    address, told = server.address(database), list[str]()
    for lines, wait in ((1, 0.0), (2, 0.05), (4, 0.11), (1, 0.17), (99, 0.0)):
        before = len(noted(tmp_path, "begun")) if told else 0
        process = searcher(address, "prior", tmp_path)
        assert process.stdout is not None
        new = [line for line in (process.stdout.readline() for _ in range(lines)) if line]
        if lines < 99:
            time.sleep(wait)
            process.send_signal(signal.SIGKILL)
        rest, complaints = process.communicate(timeout=60)
        assert not complaints
        assert set(noted(tmp_path, "begun")[before:]).isdisjoint(told)
        told += [line.strip() for line in [*new, *rest.splitlines()]]
    assert len(told) == len(set(told)) <= 20
    begun, ended = noted(tmp_path, "begun"), noted(tmp_path, "ended")
    assert 20 <= len(ended) <= len(begun) <= 20 + 4 and set(begun) == set(ended)
    assert searched(address, toy.broken) == searched(
        tmp_path / "journal"
    )  # as an uninterrupted one in a file
    assert len(server.complete(database)) == 20
    assert server.ask("SELECT count(*) FROM trials WHERE state = 'RUNNING'", database) == [0]


@pytest.mark.slow
def test_searchers_that_begin_at_once_in_an_empty_database_do_not_disturb_each_other(
    server: Server, database: str, tmp_path: Path
) -> None:
    """Three of one data set, who may not do anything twice, and two of others."""
    names = ["one", "one", "one", "two", "three"]
    for name in names:
        (tmp_path / name).mkdir(exist_ok=True)
    processes = [searcher(server.address(database), name, tmp_path / name) for name in names]
    for process in processes:
        _, complaints = process.communicate(timeout=120)
        assert process.returncode == 0 or complaints.startswith("busy: the search 'one paper ")
    for name in set(names):
        assert len(noted(tmp_path / name, "begun")) == len(set(noted(tmp_path / name, "begun"))) == 20
        assert searched(server.address(database), toy.broken, name) == searched(tmp_path / "journal")
    assert len(server.complete(database)) == 60


@pytest.mark.slow
def test_the_second_searcher_of_a_data_set_is_told_whose_it_is(
    server: Server, database: str, tmp_path: Path
) -> None:
    address = server.address(database)
    with journal.opened(address) as store:
        running = Search(store, "prior", SPACE, PLAN).run(toy.bowl)
        next(running)  # between two evaluations nothing in the tables says that anybody is there
        with journal.opened(address) as second:
            with pytest.raises(
                Busy, match=rf"'prior .*' is under way: .*, process {os.getpid()}; wait until"
            ):
                Search(second, "prior", SPACE, PLAN)
            assert len(list(Search(second, "other", SPACE, PLAN).run(toy.bowl))) == 20
        assert len(list(running)) == 19
    assert searched(address, toy.broken) == searched(tmp_path / "journal")


LOCKS = "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'"


@pytest.mark.parametrize(
    "who", [LOCKS, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{}'"]
)
def test_a_connection_that_is_lost_ends_the_search_and_what_was_done_stands(
    server: Server, database: str, tmp_path: Path, who: str
) -> None:
    address = server.address(database)
    lost = r"postgresql database of the search was lost: .*; what was done"
    with pytest.raises(HeadstartError, match=lost), journal.opened(address) as store:
        running = Search(store, "prior", SPACE, PLAN).run(toy.bowl)
        next(running)
        server.ask(who.format(database))
        list(running)
    assert searched(address) == searched(tmp_path / "journal")
    assert len(server.complete(database)) == 20


def test_one_that_was_cut_off_writes_nothing_into_what_another_took_over(
    server: Server, database: str, tmp_path: Path
) -> None:
    address = server.address(database)

    def cut_off(job: Job) -> Outcome:
        server.ask(LOCKS)
        assert len(searched(address)) == 20
        return Outcome(())

    with pytest.raises(Busy, match="another process has taken the search over"):
        searched(address, cut_off)
    assert searched(address, toy.broken) == searched(tmp_path / "journal")
    assert len(server.complete(database)) == 20


@pytest.fixture(scope="module")
def command(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[object, ...]]:
    """`library search` of a small data set that the library knows, all but the store."""
    root = tmp_path_factory.mktemp("command")
    for split, count in (("train", 8), ("test", 4)):
        for label in range(2):
            folder = root / "one" / split / f"class {label}"
            folder.mkdir(parents=True)
            for seed in range(count):
                draw(label if seed % 4 else label + 1, seed + 99 * (split == "test")).save(
                    folder / f"{seed}.png"
                )
    names = [*BACKBONES, *(f"{name}:int8" for name in BACKBONES)]
    save(invented(names, (32, 64, 96, 128)), root / "made.json")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HEADSTART_LIBRARY", str(root / "library"))
        patch.setenv("HEADSTART_CACHE", str(root / "cache"))
        patch.delenv("PGPASSWORD", raising=False)
        call("library", "add", root / "one")
        yield "library", "search", root / "one", "--trials", 9, "--table", root / "made.json", "--store"


@pytest.mark.slow
def test_the_command_is_killed_and_goes_on(
    server: Server, database: str, command: tuple[object, ...]
) -> None:
    address = server.address(database)
    process, end = started(*command, address), time.monotonic() + 60
    done: list[int] = []
    while len(done) < 4:
        assert process.poll() is None and time.monotonic() < end
        time.sleep(0.02)
        if server.ask("SELECT count(*) FROM pg_tables WHERE tablename = 'trials'", database) == [1]:
            done = server.complete(database)
    process.kill()
    process.wait()
    before = server.complete(database)
    assert 4 <= len(before) < 13
    call(*command, address)
    after = server.complete(database)
    assert len(after) == 13 and set(before) <= set(after)
    assert "one: " in call(*command, address).stdout and server.complete(database) == after


@driver
@pytest.mark.slow
@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ("postgresql://me:s3cret@127.0.0.1:1/x", "cannot be opened: .*refused"),
        ("postgresql://me:s3cret@nowhere.invalid/x", "cannot be opened: .*nowhere.invalid"),
        ("postgresql://me@/x?host=/nowhere&password=s3cret", "cannot be opened: .*/nowhere"),
        ("postgresql://127.0.0.1/x?sslmode=s3cret&password=s3cret", r'invalid sslmode value: "\*\*\*"'),
        ("postgresql://me:s3@cret@127.0.0.1/x", "cannot be read: .* %40 for an @"),
        ("postgresql://me:s3cret", "cannot be read: it must be like postgresql://USER"),
        ("postgresql:/me:s3cret@127.0.0.1/x", "cannot be read: it must be like postgresql://USER"),
        ("postgresql+nothing://me:s3cret@127.0.0.1/x", r"no known kind \(postgresql\+nothing\)"),
    ],
)
def test_an_address_that_does_not_work_is_one_sentence_without_its_password(
    command: tuple[object, ...], address: str, sentence: str
) -> None:
    said = complaint(call(*command, address, code=2))
    assert re.search(sentence, said) and "s3" not in said and "cret" not in said


@pytest.mark.slow
def test_what_the_server_refuses_is_one_sentence(server: Server, command: tuple[object, ...]) -> None:
    said = complaint(call(*command, server.address("postgres", "wr0ng"), code=2))
    assert 'password authentication failed for user "searcher"' in said and "wr0ng" not in said
    said = complaint(call(*command, server.address("nothing"), code=2))
    assert 'database "nothing" does not exist' in said and SECRET not in said and QUOTED not in said


def test_without_a_driver_the_extra_is_named(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules.update(psycopg=None, psycopg2=None)\n"
        "from headstart.meta import journal\n"
        "with journal.opened('{}://me:s3cret@127.0.0.1/x'): pass"
    )
    for name in ("postgresql", "postgresql+psycopg", "postgresql+psycopg2"):
        done = subprocess.run([sys.executable, "-c", code.format(name)], capture_output=True, text=True)
        last = done.stderr.splitlines()[-1]
        assert "BadInput: a search in " in last and 'pip install "headstart[postgres]"' in last
        assert "s3cret" not in done.stderr
