"""The log on disk: SQLite through SQLAlchemy Core, one writer, full durability.

Two tables tell the same story: `log` has every write of the kept history, `head` the newest state
of every live object. `meta` has the revision counter; each transaction moves it from the value that
the writer knows, so a second writer on the same file is detected before it can do harm. All methods
block; `Store` calls them on one executor thread (or inline, for in-memory databases).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import Any, Final, Literal, Protocol

import msgspec
import sqlalchemy as sa
from sqlalchemy.pool import StaticPool

from orchestrator.kit.errors import InternalError, ServiceUnavailable
from orchestrator.kit.ids import ObjectKey, Revision

SCHEMA_VERSION: Final = 1

_metadata = sa.MetaData()
_log = sa.Table(
    "log",
    _metadata,
    sa.Column("rev", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("op", sa.Text, nullable=False),
    sa.Column("resource", sa.Text, nullable=False),
    sa.Column("namespace", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("prev_rev", sa.Integer),
    sa.Column("data", sa.LargeBinary, nullable=False),
)
_head = sa.Table(
    "head",
    _metadata,
    sa.Column("resource", sa.Text, primary_key=True),
    sa.Column("namespace", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("rev", sa.Integer, nullable=False),
    sa.Column("data", sa.LargeBinary, nullable=False),
)
_meta = sa.Table(
    "meta",
    _metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("value", sa.Integer, nullable=False),
)

_INSERT_LOG: Final = (
    "INSERT INTO log (rev, op, resource, namespace, name, prev_rev, data) VALUES {rows}"
)
_UPSERT_HEAD: Final = (
    "INSERT INTO head (resource, namespace, name, rev, data) VALUES {rows} "
    "ON CONFLICT (resource, namespace, name) DO UPDATE SET rev = excluded.rev, data = excluded.data"
)
_RETURN_LOG: Final = f"{_INSERT_LOG} ON CONFLICT (rev) DO NOTHING"
_DELETE_LOG: Final = "DELETE FROM log WHERE rev IN (VALUES {rows})"
_DELETE_HEAD: Final = "DELETE FROM head WHERE (resource, namespace, name) IN (VALUES {rows})"
_ROWS_AT_ONCE: Final = (128, 64, 32, 16, 8, 4, 2, 1)
"""Few sizes: the driver keeps each statement prepared, with the values that it was given last, and
one for each number of rows would be a hundred megabytes. Of the log 128 rows are 896 parameters;
SQLite takes 32,766."""

Operation = Literal["ADDED", "MODIFIED", "DELETED"]


class LogRow(msgspec.Struct, frozen=True):
    """One write as the log keeps it."""

    revision: Revision
    operation: Operation
    key: ObjectKey
    previous: Revision | None
    data: bytes


@dataclass(frozen=True, slots=True)
class Contents:
    """What a log held when it was opened.

    Attributes:
        revision: of the last write.
        heads: key, revision and data of every live object.
        rows: the kept history in revision order.
    """

    revision: Revision
    heads: tuple[tuple[ObjectKey, Revision, bytes], ...]
    rows: tuple[LogRow, ...]


@dataclass(frozen=True, slots=True)
class Upkeep:
    """What a commit does to the history beside its own writes (`retention`).

    Attributes:
        leaving: rows of the log that are needed no more; some may not be there.
        returning: states that writes of this commit replace, and whose rows may have left.
    """

    leaving: Sequence[Revision] = ()
    returning: Sequence[LogRow] = ()


NO_UPKEEP: Final = Upkeep()


class SqlEngine(Protocol):
    """Where the log is kept."""

    @property
    def inline(self) -> bool:
        """Whether calls are short enough to be made on the event loop itself."""
        ...

    def open(self) -> Contents:
        """Opens or creates the log and reads it."""
        ...

    def commit(self, rows: Sequence[LogRow], upkeep: Upkeep = NO_UPKEEP) -> None:
        """Writes rows, in revision order, in one durable transaction, which also tends the history.

        Raises:
            ServiceUnavailable: nothing was written (disk full, I/O error, another writer).
        """
        ...

    def close(self) -> None:
        """Closes the log; idempotent."""
        ...


class SqliteEngine:
    """The log in one SQLite database; `FileSqlite` and `InlineSqlite` say where."""

    inline = False

    def __init__(self, url: str) -> None:
        # one connection for ever: the store is its only user, from one thread at a time
        self._engine = sa.create_engine(
            url,
            poolclass=StaticPool,
            connect_args={"check_same_thread": False, "isolation_level": None},
        )
        self._connection: sa.Connection | None = None
        self._revision = Revision(0)

    def _pragmas(self) -> tuple[str, ...]:
        return ()

    def open(self) -> Contents:
        """Opens or creates the database and reads it.

        Raises:
            ServiceUnavailable: it cannot be opened, or is of a newer orch.
        """
        try:
            self._connection = self._engine.connect()
            for pragma in self._pragmas():
                self._execute(f"PRAGMA {pragma}")
            self._execute("BEGIN IMMEDIATE")
            _metadata.create_all(self._connection, checkfirst=True)
            self._execute(
                "INSERT INTO meta (name, value) VALUES ('revision', 0), ('schema', ?) "
                "ON CONFLICT DO NOTHING",
                (SCHEMA_VERSION,),
            )
            self._execute("COMMIT")
            meta = {str(n): int(v) for n, v in self._execute("SELECT name, value FROM meta")}
            if meta["schema"] > SCHEMA_VERSION:
                raise ServiceUnavailable(
                    f"the store was written by a newer orch (schema {meta['schema']}, this one "
                    f"knows {SCHEMA_VERSION}); run that version"
                )
            self._revision = Revision(meta["revision"])
            heads = tuple(
                (ObjectKey(r, ns, n), Revision(rev), bytes(data))
                for r, ns, n, rev, data in self._execute(
                    "SELECT resource, namespace, name, rev, data FROM head"
                )
            )
            rows = tuple(
                LogRow(Revision(rev), op, ObjectKey(r, ns, n), prev, bytes(data))
                for rev, op, r, ns, n, prev, data in self._execute(
                    "SELECT rev, op, resource, namespace, name, prev_rev, data FROM log "
                    "ORDER BY rev"
                )
            )
        except sa.exc.SQLAlchemyError as error:
            raise ServiceUnavailable(f"the store cannot be opened: {_words(error)}") from error
        return Contents(self._revision, heads, rows)

    def commit(self, rows: Sequence[LogRow], upkeep: Upkeep = NO_UPKEEP) -> None:
        """Writes rows, in revision order, in one durable transaction; tends the history with it."""
        last = rows[-1].revision
        final: dict[ObjectKey, LogRow] = {row.key: row for row in rows}
        live = [(*k, r.revision, r.data) for k, r in final.items() if r.operation != "DELETED"]
        gone = [tuple(k) for k, r in final.items() if r.operation == "DELETED"]
        try:
            self._execute("BEGIN IMMEDIATE")
            moved = self._execute(
                "UPDATE meta SET value = ? WHERE name = 'revision' AND value = ?",
                (last, self._revision),
            )
            if moved.rowcount != 1:
                raise InternalError("another process wrote to this store; stop one of the servers")
            self._execute_rows(_DELETE_LOG, [(one,) for one in upkeep.leaving])
            self._execute_rows(_RETURN_LOG, [_columns(row) for row in upkeep.returning])
            self._execute_rows(_INSERT_LOG, [_columns(row) for row in rows])
            self._execute_rows(_UPSERT_HEAD, live)
            self._execute_rows(_DELETE_HEAD, gone)
            self._execute("COMMIT")
        except (sa.exc.SQLAlchemyError, InternalError) as error:
            self._rollback()
            raise ServiceUnavailable(f"the store cannot write: {_words(error)}") from error
        self._revision = last

    def close(self) -> None:
        """Closes the database; idempotent."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        self._engine.dispose()

    def _execute(self, statement: str, parameters: object = None) -> Any:
        if self._connection is None:
            raise InternalError("the store's database is closed")
        return self._connection.exec_driver_sql(statement, parameters)  # type: ignore[arg-type]  # driver parameters

    def _execute_rows(self, statement: str, rows: Sequence[tuple[object, ...]]) -> None:
        """Carries out a statement on many rows, as few times as may be.

        Each time the thread gives the interpreter away and must wait to have it back, so one
        statement for each row would keep a busy server's writers waiting.
        """
        done = 0
        for size in _ROWS_AT_ONCE:
            while len(rows) - done >= size:
                chosen = rows[done : done + size]
                text = _for_rows(statement, len(chosen[0]), size)
                self._execute(text, tuple(chain.from_iterable(chosen)))
                done += size

    def _rollback(self) -> None:
        # after some errors (disk full) SQLite has rolled back by itself already
        try:
            self._execute("ROLLBACK")
        except sa.exc.SQLAlchemyError:
            return


class FileSqlite(SqliteEngine):
    """A database file; its folder is made when missing."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        super().__init__(f"sqlite:///{path}")

    def _pragmas(self) -> tuple[str, ...]:
        # FULL: an acknowledged write survives a power cut, not only a crash of the process
        return ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=5000")


class InlineSqlite(SqliteEngine):
    """A database in memory, called on the event loop itself: no threads, so time can be virtual."""

    inline = True

    def __init__(self) -> None:
        super().__init__("sqlite://")


@lru_cache(maxsize=64)
def _for_rows(statement: str, columns: int, rows: int) -> str:
    one = f"({', '.join('?' * columns)})"
    return statement.format(rows=", ".join([one] * rows))


def _columns(row: LogRow) -> tuple[object, ...]:
    return (row.revision, row.operation, *row.key, row.previous, row.data)


def _words(error: Exception) -> str:
    return str(getattr(error, "orig", None) or error)
