"""Questions to databases: nothing is written, and nobody waits forever.

Some of Nova's objects would mend old rows as they read them, so every
statement but a question is refused in the threads that read for us.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, TypeVar

import sqlalchemy
from nova import context, exception, objects
from sqlalchemy import event

from pinning_filter.core.errors import InputError
from pinning_filter.core.text import one_line

_Answer = TypeVar("_Answer")

_reading = threading.local()
#: Statements that change nothing.
_QUESTIONS = (
    "SELECT",
    "SHOW",
    "PRAGMA",
    "SET ",  # of the connection: its time zone, its SQL mode
    "BEGIN",
    "COMMIT",
    "ROLLBACK",
    "SAVEPOINT",
    "RELEASE",
)


def active() -> bool:
    """Whether this thread reads for us."""
    return getattr(_reading, "reader", None) is not None


def alive() -> None:
    """Tell whoever waits that the thread gets on with it."""
    if active():
        _reading.reader.seen = time.monotonic()


def unmended() -> AbstractSet[str]:
    """UUIDs of servers that this thread read, and Nova would have mended."""
    return _reading.reader.unmended if active() else frozenset()


@event.listens_for(sqlalchemy.engine.Engine, "before_cursor_execute")
def _refuse_writing(
    connection: Any, cursor: Any, statement: str, *args: Any
) -> None:
    """The last line of defence."""
    alive()
    if active() and not (
        statement.lstrip(" (\n").upper().startswith(_QUESTIONS)
    ):
        raise RuntimeError(
            f"pinning-filter only reads, and was about to {statement[:20]!r}"
        )


def _leave_unmended() -> None:
    """Topologies of before 2021 are written back in today's form by whoever
    reads them: not by us."""
    name = "_save_migrated_cpuset_to_instance_extra"
    save = getattr(objects.InstanceNUMATopology, name, None)
    if save is None:
        return

    def unless_reading(*args: Any) -> None:
        if active():
            *_, server = args
            _reading.reader.unmended.add(server)
        else:
            save(*args)

    setattr(objects.InstanceNUMATopology, name, staticmethod(unless_reading))


objects.register_all()
_leave_unmended()


class Reader:
    """A call in a thread of its own, which nobody has to wait for."""

    def __init__(self, function: Callable[..., Any], *args: Any) -> None:
        self._function = function
        self._args = args
        self._result: Any = None
        self._error: BaseException | None = None
        self._since = time.monotonic()
        self.seen = time.monotonic()  #: the last sign of life
        self.unmended: set[str] = set()  #: see :func:`unmended`
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        _reading.reader = self
        try:
            self._result = self._function(*self._args)
        except BaseException as error:
            self._error = error

    def hangs(self) -> float | None:
        """Seconds since it was asked; None: it has ended."""
        if not self._thread.is_alive():
            return None
        return time.monotonic() - self._since

    def result(self, timeout: float) -> Any:
        """What the call returned, or raises what it raised.

        :raises TimeoutError: if it gives no sign of life for so long.
        """
        while (left := self.seen + timeout - time.monotonic()) > 0:
            self._thread.join(left)
            if not self._thread.is_alive():
                break
        else:
            raise TimeoutError(f"no answer within {timeout:g} s")
        if self._error is not None:
            raise self._error
        return self._result


#: Who did not answer in time -> the question, as long as it is open. Nobody
#: is asked another meanwhile: whoever asks again and again would have a thread
#: and a connection more each time.
_open: dict[str, Reader] = {}


def _ask(whom: str, function: Callable[..., Any], *args: Any) -> Reader:
    """A new question.

    :raises TimeoutError: if one is open.
    """
    reader = _open.get(whom)
    if reader is not None and (seconds := reader.hangs()) is not None:
        raise TimeoutError(f"no answer for {seconds:.0f} s")
    _open.pop(whom, None)
    return Reader(function, *args)


def _answer(whom: str, reader: Reader, timeout: float) -> Any:
    try:
        return reader.result(timeout)
    except TimeoutError:
        if reader.hangs() is not None:
            _open[whom] = reader
        raise


def asked(
    whom: str, timeout: float, function: Callable[..., Any], *args: Any
) -> Any:
    """The result of a call.

    :raises InputError: naming who did not answer.
    """
    try:
        return _answer(whom, _ask(whom, function, *args), timeout)
    except exception.NotFound:
        raise
    except Exception as error:
        raise InputError(f"{whom} cannot be read: {why(error)}") from error


def each_cell(
    cells: Sequence[objects.CellMapping],
    timeout: float,
    admin: context.RequestContext,
    call: Callable[[context.RequestContext, objects.CellMapping], _Answer],
) -> tuple[list[_Answer], dict[str, str]]:
    """What cells answer, and why the others do not, by their names.

    All are asked at the same time, so that silent ones are waited for once.

    :param call: takes a context that points at the cell's database.
    """

    def ask(cell: objects.CellMapping) -> _Answer:
        with context.target_cell(admin, cell) as targeted:
            return call(targeted, cell)

    answers: list[_Answer] = []
    silent: dict[str, str] = {}
    readers: dict[str, Reader] = {}
    names = {cell.uuid: cell.name or cell.uuid for cell in cells}
    for cell in cells:
        try:
            readers[cell.uuid] = _ask(cell.uuid, ask, cell)
        except TimeoutError as error:
            silent[names[cell.uuid]] = why(error)
    for uuid, reader in readers.items():
        try:
            answers.append(_answer(uuid, reader, timeout))
        except Exception as error:
            silent[names[uuid]] = why(error)
    return answers, silent


#: The password of a database's address, which some errors repeat.
_PASSWORD = re.compile(r"(://[^:/@\s]*:)[^@\s]*@")


def why(error: BaseException) -> str:
    """An error in a line that can be shown, without anybody's password."""
    if isinstance(error, ModuleNotFoundError):
        # Nova requires no driver of databases: the operator chooses one.
        return f"the Python package {error.name} is not installed here"
    text = one_line(str(error).partition("\n")[0])
    text = _PASSWORD.sub(r"\1***@", text)
    return f"{type(error).__name__}: {text[:300]}"
