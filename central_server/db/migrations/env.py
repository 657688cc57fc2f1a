"""How Alembic runs here: on a connection that central_server.db.migrate opened, never from an ini file."""

from typing import Any, Literal

from alembic import context

from central_server.db import models  # noqa: F401 - fills the metadata
from central_server.db.base import Base, Instant


def _render(kind: str, item: Any, autogen: Any) -> str | Literal[False]:
    """Write our instants as the plain column they are, so that old revisions never import new code."""
    if kind == "type" and isinstance(item, Instant):
        return "sa.DateTime(timezone=True)"
    return False


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,  # SQLite cannot alter a column: Alembic copies the table
    render_item=_render,
    transactional_ddl=True,  # a revision that fails leaves nothing behind, on SQLite too
)
with context.begin_transaction():
    context.run_migrations()
