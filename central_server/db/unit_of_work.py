"""One transaction: everything in it happens, or nothing does."""

from types import TracebackType
from typing import Self

from sqlalchemy import Engine
from sqlalchemy.orm import Session


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
