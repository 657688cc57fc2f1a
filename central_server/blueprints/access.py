"""Who may open which page. A route that is not in the table is open to nobody."""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from flask import Flask, abort, g, redirect, request, url_for
from flask_login import UserMixin, current_user
from sqlalchemy import select
from werkzeug.wrappers import Response

from central_server.blueprints.extensions import db, login_manager
from central_server.db.models import User

ADMIN = frozenset({"admin"})
HR = frozenset({"admin", "hr"})
TEAM = frozenset({"admin", "hr", "supervisor"})
STAFF = frozenset({"admin", "hr", "viewer"})
EVERYONE = frozenset({"admin", "hr", "supervisor", "viewer"})
PUBLIC = frozenset({"anybody"})
ROLES = ("admin", "hr", "supervisor", "viewer")

# These authenticate their callers themselves: bearer tokens, signatures, or nothing to hide.
MACHINE_BLUEPRINTS = frozenset(
    {
        "agent_joining",
        "agent_account",
        "agent_link",
        "agent_gallery",
        "agent_config",
        "agent_pictures",
        "webhooks",
        "health",
        "kiosk",  # by the token of the device
    }
)

ROUTES: Mapping[str, frozenset[str]] = {
    "static": PUBLIC,
    "auth.login": PUBLIC,
    "auth.language": PUBLIC,
    "auth.logout": EVERYONE,
    "dashboard.board": EVERYONE,
    "dashboard.fragment": EVERYONE,
    "dashboard.events": EVERYONE,
    "dashboard.events_csv": TEAM,
    "alerts.index": EVERYONE,
    "alerts.detail": EVERYONE,
    "alerts.acknowledge": TEAM,
    "people.index": TEAM,
    "people.detail": TEAM,
    "people.add": HR,
    "people.edit": HR,
    "people.consent": HR,
    "people.withdraw": HR,
    "standing.superiors": HR,
    "standing.end_superior": HR,
    "standing.leaves": HR,
    "standing.remove_leave": HR,
    "organisation.index": HR,
    "organisation.add_site": HR,
    "organisation.edit_site": HR,
    "organisation.remove_site": HR,
    "organisation.add_zone": HR,
    "organisation.edit_zone": HR,
    "organisation.remove_zone": HR,
    "organisation.roles": HR,
    "organisation.remove_role": HR,
    "exchange.index": HR,
    "exchange.table": HR,
    "exchange.download": HR,
    "exchange.template": HR,
    "exchange.preview": HR,
    "exchange.confirm": HR,
    "photos.upload": HR,
    "photos.fragment": HR,
    "photos.show": HR,
    "people.resign": HR,
    "badges.pin": HR,
    "badges.code": HR,
    "badges.card": HR,
    "badges.remove": HR,
    "attendance.index": EVERYONE,
    "attendance.csv_file": TEAM,
    "attendance.pdf_file": TEAM,
    "attendance_export.days_csv": HR,
    "person_day.attention": TEAM,
    "person_day.show": TEAM,
    "person_day.correct": HR,
    "person_day.overtime": HR,
    "person_day.dispute": TEAM,
    "person_day.settle": HR,
    "reports.index": HR,
    "reports.produce": HR,
    "reports.download": HR,
    "reports.add_recipient": HR,
    "reports.remove_recipient": HR,
    "roster.index": HR,
    "shifts.index": HR,
    "shifts.add": HR,
    "shifts.edit": HR,
    "shifts.remove": HR,
    "rotations.index": HR,
    "rotations.add": HR,
    "rotations.edit": HR,
    "rotations.remove": HR,
    "assignments.index": HR,
    "assignments.person": HR,
    "assignments.add": HR,
    "assignments.edit": HR,
    "assignments.remove": HR,
    "breaks.index": HR,
    "breaks.add": HR,
    "breaks.edit": HR,
    "breaks.remove": HR,
    "holidays.index": HR,
    "holidays.add": HR,
    "holidays.edit": HR,
    "holidays.remove": HR,
    "holidays.indonesia": HR,
    "ramadan.plan": HR,
    "faces.index": HR,
    "cameras.index": STAFF,
    "kiosks.index": ADMIN,
    "kiosks.new_link": ADMIN,
    "kiosks.revoke": ADMIN,
    "unreadable.index": ADMIN,
    "joining.join_code": ADMIN,
    "joining.withdraw": ADMIN,
    "joining.approve": ADMIN,
    "joining.refuse": ADMIN,
    "revocation.revoke": ADMIN,
    "revocation.restore": ADMIN,
    "configuration.show": ADMIN,
    "configuration.state": ADMIN,
    "configuration.take_over": ADMIN,
    "configuration.give_back": ADMIN,
    "configuration.use_again": ADMIN,
    "configuration.match": ADMIN,
    "configuration.add": ADMIN,
    "configuration.edit": ADMIN,
    "configuration.remove": ADMIN,
    "configuration.ask": ADMIN,
    "configuration.still": ADMIN,
    "configuration.picture": ADMIN,
    "help.show": EVERYONE,
    "settings.mine": EVERYONE,
    "settings.password": EVERYONE,
    "settings.users": ADMIN,
    "settings.add_user": ADMIN,
    "settings.change_user": ADMIN,
    "settings.audit": ADMIN,
}


@dataclass(frozen=True, slots=True)
class SignedIn(UserMixin):
    """The user of this request, as of the start of it."""

    user_id: int
    username: str
    name: str
    role: str
    employee_id: str | None
    language: str
    last_login_at: datetime | None
    seal: str  # changes with the password, and so ends every other session of this user

    def get_id(self) -> str:
        return f"{self.user_id}-{self.seal}"

    @property
    def actor(self) -> str:
        """The name that stands in the audit log."""
        return f"user:{self.username}"

    def may(self, endpoint: str) -> bool:
        """Tell whether a link to endpoint leads anywhere for this user."""
        return self.role in ROUTES.get(endpoint, frozenset())


def signed_in(user: User) -> SignedIn:
    return SignedIn(
        user.user_id,
        user.username,
        user.name or user.username,
        user.role,
        user.employee_id,
        user.language,
        user.last_login_at,
        hashlib.sha256(user.password_hash.encode()).hexdigest()[:16],
    )


@login_manager.user_loader
def load_user(session_id: str) -> SignedIn | None:
    """Return the user, or nobody if the account was locked or given another password since."""
    user_id = session_id.partition("-")[0]
    if not user_id.isdigit():
        return None
    row = db.session.scalar(select(User).where(User.user_id == int(user_id), User.disabled_at.is_(None)))
    user = signed_in(row) if row else None
    return user if user and hmac.compare_digest(user.get_id(), session_id) else None


def enforce() -> Response | None:
    """Before each request: let in whoever the table names; send strangers to the login page."""
    if request.endpoint is None or request.blueprint in MACHINE_BLUEPRINTS:
        return None  # no such page (404 follows), or a caller that proves itself otherwise
    allowed = ROUTES.get(request.endpoint, frozenset())
    if allowed is PUBLIC:
        return None
    if not current_user.is_authenticated:
        if request.headers.get("X-Requested-With") == "hadir":
            abort(401)
        return redirect(url_for("auth.login", next=request.full_path.rstrip("?")))
    if current_user.role not in allowed:
        abort(403)
    g.user = current_user
    return None


def install_access(app: Flask) -> None:
    login_manager.init_app(app)
    login_manager.session_protection = "basic"
    app.before_request(enforce)
