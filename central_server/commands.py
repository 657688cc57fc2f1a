"""What the operator's commands do. Each is a use case, or a few, in one transaction."""

import argparse
import getpass
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, time
from pathlib import Path
from zoneinfo import ZoneInfo

from sqlalchemy import Engine, select
from sqlalchemy.engine import make_url

from central_server.adapters import qr_code
from central_server.adapters.report_files import RENDERERS
from central_server.config import ServerConfig
from central_server.db import migrate as migrations
from central_server.db.engine import open_engine
from central_server.db.models import Site
from central_server.db.queries.faces import holders_of, is_known
from central_server.db.queries.places import read_places
from central_server.db.unit_of_work import UnitOfWork
from central_server.domain.holding import Hold
from central_server.private_home import keep_private
from central_server.services.audit import note
from central_server.services.build_report import ReportOptions, UnknownSite, build_daily_report
from central_server.services.exchange.values import as_date
from central_server.services.join_agent import make_join_code
from central_server.services.manage_people import PersonDetails, PersonRefused
from central_server.services.manage_people import add_employee as add_person
from central_server.services.manage_users import MIN_PASSWORD, UserRefused
from central_server.services.manage_users import add_user as add_account
from central_server.services.purge_expired import purge_expired
from central_server.services.resign_employee import UnknownEmployee, resign_employee
from common.ids import is_slug
from common.join_link import JoinLink
from common.pairing import ca_hash, certificate_in


class CommandError(Exception):
    """The command cannot be done; says why in a sentence."""


class Misused(CommandError):
    """What was typed makes no sense, whatever the server knows."""


NOT_MADE = {
    "name_empty": "the name is empty",
    "name_taken": "there is one of that name already",
    "password_short": f"the password needs at least {MIN_PASSWORD} characters",
}


def day_of(text: str) -> date:
    """Return the date that somebody typed, as tables take it."""
    try:
        day = as_date(text)
    except ValueError:
        day = None
    if day is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a date like 2026-11-23 or 23/11/2026")
    return day


def migrate(config: ServerConfig, _given: argparse.Namespace) -> int:
    keep_private(config.home)
    migrations.upgrade(config.database_url)
    print("The database is up to date.")
    return 0


def add_user(config: ServerConfig, given: argparse.Namespace) -> int:
    password, is_made_up = _password()
    with _work(config) as work:
        try:
            add_account(
                work,
                username=given.name,
                password=password,
                role=given.role,
                language=given.language or config.language,
                employee_id=given.employee,
                now=_now(),
                actor=_actor(),
            )
        except UserRefused as error:
            words = NOT_MADE.get(error.problem, error.problem.replace("_", " "))
            raise CommandError(f"The account was not made: {words}.") from error
    print(f"{given.name} may log in as {given.role}.")
    if is_made_up:
        print(f"Password: {password}")
    return 0


def add_site(config: ServerConfig, given: argparse.Namespace) -> int:
    timezone = given.timezone or config.timezone
    if not is_slug(given.id):
        raise CommandError(f"{given.id!r} is not a short name of a-z, 0-9 and '-'.")
    try:
        ZoneInfo(timezone)
    except (OSError, ValueError, LookupError) as error:
        raise CommandError(f"{timezone!r} is not an IANA time zone, like Asia/Jakarta.") from error
    with _work(config) as work:
        if work.session.get(Site, given.id) is not None:
            raise CommandError(f"There is a site {given.id} already.")
        site = Site(site_id=given.id, name=given.name, timezone=timezone)
        if given.report_at:
            site.report_at = _time(given.report_at)
        work.session.add(site)
        note(work, _actor(), "site.add", given.id, now=_now(), timezone=timezone)
    print(f"Site {given.id} in {timezone}.")
    return 0


def add_employee(config: ServerConfig, given: argparse.Namespace) -> int:
    details = PersonDetails(
        name=given.name,
        department=given.department,
        phone=given.phone,
        email=given.email,
        supervisor_id=given.supervisor,
    )
    with _work(config) as work:
        _require_site(work, given.site)
        try:
            add_person(work, given.code, details, site_id=given.site, now=_now(), actor=_actor())
        except PersonRefused as error:
            raise CommandError(f"{error.field}: {error.problem.replace('_', ' ')}.") from error
    print(f"{given.code} {given.name} was added. Record consent and a photo on the dashboard.")
    return 0


def join_code(config: ServerConfig, given: argparse.Namespace) -> int:
    with _work(config) as work:
        _require_site(work, given.site)
        code = make_join_code(
            work,
            given.site,
            agent_name=given.agent_name.strip()[:60],
            by=_user(),
            secret_key=config.secret_key,
            now=_now(),
        )
    link = JoinLink(
        config.base_url, code, ca_hash(certificate_in(_own_ca(config))) if config.web_ca_file else ""
    )
    if not given.no_qr:
        print(qr_code.terminal(link.to_scan))
    print(f"Good for one agent and 24 hours. On the agent's machine:\n  hadir agent join {link}")
    return 0


def _own_ca(config: ServerConfig) -> str:
    try:
        return Path(config.web_ca_file).read_text()
    except OSError as error:
        raise CommandError(f"{config.web_ca_file} cannot be read ({error.strerror}).") from error


def report(config: ServerConfig, given: argparse.Namespace) -> int:
    engine, now = open_engine(config.database_url), _now()
    try:
        with UnitOfWork(engine) as work:
            site = _require_site(work, given.site)
        run = build_daily_report(
            engine,
            given.site,
            given.date or now.astimezone(ZoneInfo(site.timezone)).date(),
            config.home,
            now=now,
            rules=config.rules,
            renderers=RENDERERS,
            options=ReportOptions(config.language, config.whatsapp.report_template),
            revise=True,
            send=given.send,
        )
    except UnknownSite as error:
        raise CommandError(f"{error}.") from error
    finally:
        engine.dispose()
    if run.state != "ready":
        raise CommandError(f"The report is {run.state}: {run.error or 'another process is making it'}.")
    print(f"{run.pdf_path}\n{run.csv_path}")
    return 0


def resign(config: ServerConfig, given: argparse.Namespace) -> int:
    on = given.on or date.today()  # noqa: DTZ011 - the operator's own today
    with _work(config) as work:
        try:
            erased = resign_employee(work, given.code, on, config.home, now=_now(), actor=_actor())
        except UnknownEmployee as error:
            raise CommandError(f"{error}.") from error
        except PersonRefused as error:
            raise CommandError("The last day cannot be before the first day.") from error
    if erased is None:
        print(f"{given.code} leaves after {on}; the face templates are erased then.")
    else:
        print(f"{given.code} has left; {erased} face templates were erased, agents are told.")
    return 0


HOLDS = {
    Hold.ENROLLED: "holds it, as it should",
    Hold.TOLD: "is connected and about to forget it",
    Hold.AWAY: "may still hold it: connect it, or wait for its lease to end",
    Hold.REVOKED: "was shut out and may still hold it: get it back, or wait for its lease to end",
    Hold.LAPSED: "its lease is over: it has wiped itself, or will when it is switched on",
}


def who_holds(config: ServerConfig, given: argparse.Namespace) -> int:
    with _work(config) as work:
        places = read_places(work.session, config.timezone)
        if not is_known(work.session, given.code):
            raise CommandError(f"Nobody with the code {given.code} is known here, now or before.")
        found = holders_of(work.session, places, given.code, now=_now())
    for each in found:
        heard, ends = _local(each.heard), _local(each.lease_ends, none="unknown")
        print(f"{each.agent_id} ({each.site}): {HOLDS[each.hold]}. Last heard {heard}, lease ends {ends}.")
    if not found:
        print(f"No box holds the face of {given.code}.")
    return 0


def purge(config: ServerConfig, _given: argparse.Namespace) -> int:
    with _work(config) as work:
        done = purge_expired(work, config.rules, config.home, now=_now())
    print(
        f"Deleted: {done.snapshots} snapshots, {done.bad_messages} unreadable messages, "
        f"{done.retired} face templates of models that no agent uses."
    )
    return 0


@contextmanager
def _work(config: ServerConfig, *, writes: bool = True) -> Iterator[UnitOfWork]:
    _require_database(config)
    engine: Engine = open_engine(config.database_url)
    try:
        with UnitOfWork(engine, writes=writes) as work:
            yield work
    finally:
        engine.dispose()


def _require_database(config: ServerConfig) -> None:
    """Say which database is missing, rather than make an empty one beside the one that is meant."""
    url = make_url(config.database_url)
    if url.get_backend_name() == "sqlite" and url.database and not Path(url.database).exists():
        raise CommandError(
            f"There is no database at {url.database}. Is this the server's environment (HADIR_HOME, "
            "DATABASE_URL)? A new server begins with `hadir server migrate`."
        )


def _require_site(work: UnitOfWork, site_id: str) -> Site:
    site = work.session.get(Site, site_id)
    if site is None:
        known = ", ".join(work.session.scalars(select(Site.site_id).order_by(Site.site_id)))
        there = f"there are: {known}" if known else "make one with: hadir server site add"
        raise CommandError(f"There is no site {site_id}; {there}.")
    return site


def _password() -> tuple[str, bool]:
    """Return a password typed or piped in; nothing given: a new one, and True."""
    if sys.stdin is None:
        typed = ""
    elif sys.stdin.isatty():
        typed = getpass.getpass("Password (leave empty to have one made up): ")
    else:
        typed = sys.stdin.readline().rstrip("\r\n")
    return (typed, False) if typed else (secrets.token_urlsafe(12), True)


def _time(text: str) -> time:
    try:
        return time.fromisoformat(text)
    except ValueError as error:
        raise CommandError(f"{text!r} is not a time like 17:30.") from error


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"


def _actor() -> str:
    return f"shell:{_user()}"


def _local(when: datetime | None, none: str = "never") -> str:
    """Return a site's local time with the zone's name, as in 2026-11-25 17:30:00 WIB."""
    return f"{when:%Y-%m-%d %H:%M:%S %Z}" if when else none


def _now() -> datetime:
    return datetime.now(UTC)
