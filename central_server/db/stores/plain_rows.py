"""Plain columns of rows, without the ORM's bookkeeping, which costs more than a small question does."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Executable
from sqlalchemy.orm import Session


def plain_rows(session: Session, statement: Executable, values: dict[str, Any]) -> Sequence[Any]:
    """Return the rows of a statement that was put together once, with the values of its parameters.

    What the session has yet to write is written before, as for every other question.
    """
    session.flush()
    return session.connection().execute(statement, values).fetchall()
