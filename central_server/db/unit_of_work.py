"""One transaction: everything in it happens, or nothing does."""

import time
from types import TracebackType
from typing import Self

from sqlalchemy import Engine
from sqlalchemy.orm import Session

OTHERS_TURN_S = 0.12


def let_others_write() -> None:
    """Wait between two of many short transactions, so that another writer has its turn: one that waits for
    SQLite tries again only every tenth of a second.
    """
    time.sleep(OTHERS_TURN_S)


class UnitOfWork:
    """A write transaction. Leaving the block commits; an exception undoes everything and goes on.

        with UnitOfWork(engine) as work:
            record_event(event, work, ...)

    Use cases get `work` and never commit: the caller owns the transaction.
    """

    def __init__(self, engine: Engine, *, writes: bool = True) -> None:
        """writes: False for what only reads, and holds nobody up."""
        self._engine, self._writes = engine, writes

    def __enter__(self) -> Self:
        self.session = Session(self._engine.execution_options(writes=self._writes), expire_on_commit=False)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self.session.commit()
        finally:
            self.session.close()
