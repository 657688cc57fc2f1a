"""The Flask extensions, made once, and what every blueprint may ask the application for."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from flask import current_app
from flask_babel import Babel
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from flask_login import LoginManager
from flask_sqlalchemy import SQLAlchemy
from flask_talisman import Talisman
from flask_wtf.csrf import CSRFProtect
from sqlalchemy import Engine

from central_server.config import ServerConfig
from central_server.db.unit_of_work import UnitOfWork
from central_server.ports import AgentAccounts, GuideReader, Sealing, TableReader

db = SQLAlchemy()  # the request's read session; every write goes through a UnitOfWork
babel = Babel()
csrf = CSRFProtect()
limiter = Limiter(get_remote_address, storage_uri="memory://")
login_manager = LoginManager()
talisman = Talisman()


@dataclass(frozen=True, slots=True)
class Hadir:
    """What the web process was started with; `app.extensions["hadir"]`."""

    config: ServerConfig
    engine: Engine
    seal: Callable[[str], Sealing]  # by purpose, e.g. "agent config"
    accounts: AgentAccounts | None  # at the broker; None: somebody makes them by hand
    mqtt_version: Callable[[], str]  # what agents begin with: 5 | 311
    read_table: TableReader  # of a spreadsheet that somebody uploads
    read_guide: GuideReader

    def work(self) -> UnitOfWork:
        return UnitOfWork(self.engine)

    def reading(self) -> UnitOfWork:
        """For use cases that only read: they hold no writer up."""
        return UnitOfWork(self.engine, writes=False)


def hadir() -> Hadir:
    """Return the running application's configuration and engine."""
    found: Hadir = current_app.extensions["hadir"]
    return found


def utc_now() -> datetime:
    """The web process's one clock."""
    return datetime.now(UTC)
