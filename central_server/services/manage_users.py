"""The people who log in: their passwords, roles and languages."""

from datetime import datetime
from threading import BoundedSemaphore

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from central_server.db.models import User
from central_server.db.unit_of_work import UnitOfWork
from central_server.services.audit import note

ROLES = ("admin", "hr", "supervisor", "viewer")
MIN_PASSWORD = 10

_hasher = PasswordHasher()
_hashing = BoundedSemaphore(2)  # one hash takes 64 MB: a flood of logins must not take them all at once
# What a login for nobody is checked against, so that it takes as long as any other.
_NOBODY = "$argon2id$v=19$m=65536,t=3,p=4$7iv3kLTCfayhQYqQ1hX7hQ$p5Q6i8QJpjdDt8PirSye1YhMbpm01u51AmrYX5PFMXg"


class UserRefused(Exception):
    """A change to an account that cannot be made; `problem` is a word the page puts into a sentence."""

    def __init__(self, problem: str) -> None:
        self.problem = problem
        super().__init__(problem)


def hash_password(password: str) -> str:
    with _hashing:
        return _hasher.hash(password)


def is_password(user: User | None, password: str) -> bool:
    """Tell whether password opens the account; takes as long for an account that does not exist."""
    return is_secret_of(user.password_hash if user else "", password)


def is_secret_of(secret_hash: str, secret: str) -> bool:
    """Tell whether the hash was made of secret; takes as long for an empty one, of which nothing is right."""
    with _hashing:
        try:
            return _hasher.verify(secret_hash or _NOBODY, secret) and bool(secret_hash)
        except (VerificationError, InvalidHashError):
            return False


def find_account(session: Session, username: str) -> User | None:
    """Return the account of that name unless it is locked; capitals do not matter."""
    by_name = func.lower(User.username) == username.strip().lower()
    return session.scalar(select(User).where(by_name, User.disabled_at.is_(None)))


def record_login(work: UnitOfWork, username: str, user_id: int | None, *, now: datetime) -> None:
    """Note that somebody logged in, or (without a user_id) was refused."""
    if user_id is None:
        note(work, "anonymous", "login.refused", username.strip()[:64], now=now)
        return
    _user(work, user_id).last_login_at = now
    note(work, f"user:{username.strip()}", "login", username.strip(), now=now)


def add_user(
    work: UnitOfWork,
    *,
    username: str,
    password: str,
    role: str,
    now: datetime,
    actor: str,
    name: str = "",
    employee_id: str | None = None,
    language: str = "id",
) -> User:
    """Make an account. Raises UserRefused: name_empty, name_taken, unknown_role, password_short."""
    username = username.strip()
    if not username:
        raise UserRefused("name_empty")
    if work.session.scalar(select(User.user_id).where(func.lower(User.username) == username.lower())):
        raise UserRefused("name_taken")
    _check(role, password)
    user = User(
        username=username,
        name=name.strip(),
        password_hash=hash_password(password),
        role=role,
        employee_id=employee_id,
        language=language,
        created_at=now,
    )
    work.session.add(user)
    note(work, actor, "user.add", username, now=now, role=role)
    return user


def change_user(
    work: UnitOfWork, user_id: int, *, role: str, is_disabled: bool, now: datetime, actor: str
) -> User:
    """Change an account's role or lock it. Raises UserRefused: unknown_user, unknown_role, last_admin."""
    user = _user(work, user_id)
    if role not in ROLES:
        raise UserRefused("unknown_role")
    others = select(func.count()).where(
        User.role == "admin", User.disabled_at.is_(None), User.user_id != user_id
    )
    if (role != "admin" or is_disabled) and user.role == "admin" and not work.session.scalar(others):
        raise UserRefused("last_admin")
    user.role = role
    user.disabled_at = (user.disabled_at or now) if is_disabled else None
    note(work, actor, "user.change", user.username, now=now, role=role, disabled=is_disabled)
    return user


def change_password(work: UnitOfWork, user_id: int, *, old: str, new: str, now: datetime, actor: str) -> None:
    """Replace one's own password. Raises UserRefused: unknown_user, password_wrong, password_short."""
    user = _user(work, user_id)
    if not is_password(user, old):
        raise UserRefused("password_wrong")
    _check(user.role, new)
    user.password_hash = hash_password(new)
    note(work, actor, "user.password", user.username, now=now)


def set_language(work: UnitOfWork, user_id: int, language: str) -> None:
    if language in ("id", "en"):
        _user(work, user_id).language = language


def _user(work: UnitOfWork, user_id: int) -> User:
    user = work.session.get(User, user_id)
    if user is None:
        raise UserRefused("unknown_user")
    return user


def _check(role: str, password: str) -> None:
    if role not in ROLES:
        raise UserRefused("unknown_role")
    if len(password) < MIN_PASSWORD:
        raise UserRefused("password_short")
