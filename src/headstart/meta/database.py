"""A search in a database, which many machines may share.

In PostgreSQL each process holds a lock on every search that is its own. The server gives a lock back when its holder's
connection ends: what a killed one had is free again, on whatever machine that was.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from headstart.errors import BadInput, Busy, HeadstartError
from headstart.meta.claims import Store, owner, under_way

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection

_DRIVERS = "psycopg", "psycopg2"  # the extra has the first; both are told the same, being made of libpq
_FORM = "postgresql://USER:PASSWORD@HOST:5432/NAME"
_UNREADABLE = (  # shows nothing of what was given: any part of it may be one of a password
    f"the address of the search's database cannot be read: it must be like {_FORM}, "
    "with %40 for an @ in the password and %25 for a %"
)
_ASKED = {  # of libpq, where the address does not say it
    "connect_timeout": 10,
    "client_encoding": "utf8",  # a database without an encoding would answer in bytes
    "keepalives_idle": 60,
    "keepalives_interval": 10,
    "keepalives_count": 6,
}
_KEPT = {  # of the server, for a holder: it is missed within two minutes if its machine goes, and not for being idle
    "tcp_keepalives_idle": "60",
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "6",
    "idle_session_timeout": "0",
}
_PATIENCE = 3.0  # seconds for the server to notice that a holder was killed just now


def is_address(where: str) -> bool:
    """Whether a database is meant and no folder. Raises BadInput where one is meant but its slashes are missing."""
    if re.match(r"(postgres|postgresql|mysql|sqlite)(\+\w+)?:(?!//)", where):
        raise BadInput(_UNREADABLE)
    return "://" in where


@contextmanager
def database(library: Any, where: str) -> Iterator[Store]:
    """A database; what goes wrong with it is said in one sentence that shows no password."""
    from sqlalchemy.exc import SQLAlchemyError

    url = _address(where)
    about = f"the {url.get_backend_name()} database of the search"
    with ExitStack() as stack:
        try:
            store = _connected(library, url, where, stack)
        except HeadstartError:
            raise
        except Exception as error:  # whatever a driver raises: it is the address or the server, not us
            raise BadInput(
                f"{about} cannot be opened: {_said(error, url)}; are the address and the server right?"
            ) from None
        try:
            yield store
        except library.exceptions.UpdateFinishedTrialError:
            raise Busy("another process has taken the search over; what was done stands") from None
        except (SQLAlchemyError, library.exceptions.StorageInternalError) as error:
            raise HeadstartError(
                f"{about} was lost: {_said(error, url)}; what was done stands, and the same command goes on there"
            ) from None


def _address(where: str) -> URL:
    """An address as SQLAlchemy reads it, with the driver that is there."""
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        url = make_url(where)
    except (ArgumentError, ValueError):
        raise BadInput(_UNREADABLE) from None
    # Of a password with an @ in it SQLAlchemy takes the rest for the host, and drivers name hosts.
    if where.count("@") > 1 and url.get_backend_name() != "sqlite":
        raise BadInput(_UNREADABLE)
    if url.drivername not in ("postgresql", "postgres"):
        return url
    there = [name for name in _DRIVERS if find_spec(name) is not None]
    if not there:
        raise BadInput('a search in PostgreSQL needs a driver: pip install "headstart[postgres]"')
    return url.set(drivername=f"postgresql+{there[0]}")


def _connected(library: Any, url: URL, where: str, stack: ExitStack) -> Store:
    """The storage at an address; the stack closes its connections."""
    from sqlalchemy.exc import NoSuchModuleError

    # Optuna takes the address for a template, so braces in it are doubled.
    text = f"{url.drivername}://{where.partition('://')[2]}".replace("{", "{{").replace("}", "}}")
    try:
        if url.get_backend_name() == "postgresql":
            return _postgres(library, url, text, stack)
        storage = library.storages.RDBStorage(text)
    except NoSuchModuleError:
        raise BadInput(
            f"the database of the search is of no known kind ({url.drivername}): its address must be like {_FORM}"
        ) from None
    except ImportError as error:
        missing = str(error.__cause__ or error).splitlines()[0]
        raise BadInput(
            f"a search in {url.drivername} needs a driver ({missing}): install it, or for PostgreSQL "
            f'pip install "headstart[postgres]" and give an address like {_FORM}'
        ) from None
    stack.callback(storage.engine.dispose)
    return Store(storage, alone=False)


def _postgres(library: Any, url: URL, text: str, stack: ExitStack) -> Store:
    """A PostgreSQL storage. Its tables are made by one process at a time: Optuna's own way has a race."""
    from sqlalchemy import NullPool, create_engine

    given: dict[str, Any] = _ASKED if url.get_driver_name() in _DRIVERS else {}
    given = {name: value for name, value in given.items() if name not in url.query}
    # Without a transaction: one that is open for days would keep the server from cleaning up.
    engine = create_engine(
        url,
        poolclass=NullPool,
        pool_reset_on_return=None,
        isolation_level="AUTOCOMMIT",
        connect_args=given,
    )
    connection = stack.enter_context(engine.connect())
    kept = json.dumps(_KEPT | {"application_name": owner()[-63:]})  # longer names lose their end, the process
    _answer(
        connection,
        "SELECT max(set_config(name, value, false))"
        " FROM pg_settings JOIN json_each_text(CAST(:kept AS json)) ON name = key",
        kept=kept,
    )
    key = _key("")
    _answer(connection, "SELECT pg_advisory_lock(:key)", key=key)
    storage = library.storages.RDBStorage(text, engine_kwargs={"connect_args": given, "pool_pre_ping": True})
    stack.callback(storage.engine.dispose)
    _answer(connection, "SELECT pg_advisory_unlock(:key)", key=key)
    return _Shared(storage, connection)


def _answer(connection: Connection, question: str, **values: Any) -> Any:
    from sqlalchemy import text

    return connection.execute(text(question), values).scalar()


def _key(search: str) -> int:
    """The number of a search's lock; "" is that of the tables."""
    return int.from_bytes(hashlib.sha256(f"headstart {search}".encode()).digest()[:8], "big") >> 1


def _said(error: BaseException, url: URL) -> str:
    """What a driver says, in a line, without anything secret of the address."""
    if type(error).__name__ == "StorageInternalError":  # Optuna's, which only says that there is another
        error = error.__cause__ or error
    said = str(getattr(error, "orig", None) or error).strip() or type(error).__name__
    secrets = [url.password, *(value for name, value in url.query.items() if "password" in name)]
    line = said.splitlines()[0].rstrip(".")
    for secret in secrets:
        if secret and isinstance(secret, str):
            line = line.replace(secret, "***")
    return line


class _Shared(Store):
    """PostgreSQL: a claim is an advisory lock of a connection that does nothing else."""

    def __init__(self, storage: Any, connection: Connection) -> None:
        super().__init__(storage, alone=False)
        self._connection = connection

    def claim(self, search: str) -> bool:
        """As `Store`."""
        key, end = _key(search), time.monotonic() + _PATIENCE
        while not _answer(self._connection, "SELECT pg_try_advisory_lock(:key)", key=key):
            if time.monotonic() > end:
                raise Busy(under_way(search, self._holder(key)))
            time.sleep(0.1)
        return True

    def check(self) -> None:
        """As `Store`: a connection that ended took its locks along."""
        _answer(self._connection, "SELECT 1")

    def _holder(self, key: int) -> str:
        name = _answer(
            self._connection,
            "SELECT max(application_name) FROM pg_locks JOIN pg_stat_activity USING (pid)"
            " WHERE locktype = 'advisory' AND objsubid = 1 AND granted AND datname = current_database()"
            " AND (classid::bigint << 32 | objid::bigint) = :key",
            key=key,
        )
        return str(name or "elsewhere")
