"""The operator's commands and the worker, as processes."""

import os
import pty
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from datetime import time as time_of_day
from pathlib import Path

import pytest
from sqlalchemy import Engine, select

from central_server.config import read_server_config
from central_server.db.engine import open_engine
from central_server.db.migrate import upgrade
from central_server.db.models import (
    Agent,
    Attendance,
    Employee,
    JoinCode,
    Lease,
    OrgHierarchy,
    ReportRun,
    TemplateLog,
    User,
)
from central_server.db.queries.pulse import stopped_parts
from central_server.db.stores.shifts import of_site
from central_server.db.unit_of_work import UnitOfWork
from central_server.services.manage_users import is_password
from tests import builders
from tests.link_world import BROKERS, a_broker

PATIENCE_S = 30.0


@pytest.fixture
def environment(tmp_path: Path, free_port) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HADIR", "DATABASE"))}
    return kept | {
        "HADIR_HOME": str(tmp_path / "home"),
        "HADIR_BROKER_PORT": str(free_port()),
        "HADIR_TICK_S": "0.5",
    }


@pytest.fixture
def server(environment: dict[str, str]) -> Iterator[Engine]:
    """A migrated database with the site `plant`."""
    url = read_server_config(environment).database_url
    upgrade(url)
    engine = open_engine(url)
    with UnitOfWork(engine) as work:
        builders.a_site(work.session)
    yield engine
    engine.dispose()


@pytest.fixture
def hadir(environment: dict[str, str]) -> Callable[..., subprocess.CompletedProcess[str]]:
    def run(*arguments: str, typed: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "central_server", *arguments],
            env=environment,
            input=typed,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


@pytest.fixture
def start_worker(environment: dict[str, str]) -> Iterator[Callable[[], subprocess.Popen[bytes]]]:
    started: list[subprocess.Popen[bytes]] = []

    def start() -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "central_server", "worker"]
        started.append(subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


def until(what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not what():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def holder(engine: Engine) -> int:
    """Return the number of the process that holds the worker's lease, 0 for nobody."""
    with UnitOfWork(engine) as work:
        owner = work.session.scalar(
            select(Lease.owner).where(Lease.name == "worker", Lease.until > builders.now())
        )
    return int(owner.split("/")[1]) if owner else 0


def test_one_worker_works_the_next_one_waits(server, start_worker):
    """kill -9 of the first: the second takes over at once. SIGTERM: it ends cleanly and frees the lease."""
    first = start_worker()
    until(lambda: holder(server) == first.pid)
    second = start_worker()
    time.sleep(1.5)  # enough for the second to ask more than once
    assert holder(server) == first.pid
    first.kill()
    first.wait()
    until(lambda: holder(server) == second.pid)
    second.send_signal(signal.SIGTERM)
    assert second.wait(PATIENCE_S) == 0
    assert holder(server) == 0


@pytest.mark.parametrize("kind", BROKERS)
def test_the_board_is_told_whether_the_broker_can_be_heard(server, start_worker, environment, kind):
    """With a broker all is well; killed, its absence is known; back, all is well again."""

    def stopped() -> tuple[str, ...]:
        with UnitOfWork(server) as work:
            return stopped_parts(work.session, now=builders.now())

    home, port = Path(environment["HADIR_HOME"]), int(environment["HADIR_BROKER_PORT"])
    environment["HADIR_BROKER_ACCOUNTS_DIR"] = str(home / "broker")
    assert stopped() == ("worker", "broker")
    with a_broker(kind, home, port) as broker:
        start_worker()
        until(lambda: stopped() == ())
        broker.kill()
        until(lambda: stopped() == ("broker",))
        broker.start()
        until(lambda: stopped() == ())


def test_a_worker_refuses_a_database_that_is_not_up_to_date(hadir):
    """One sentence, and no stack trace."""
    done = hadir("worker")
    assert done.returncode == 1
    assert "hadir server migrate" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_made_up_password_is_shown_once_and_opens_the_account(server, hadir):
    """Nothing was typed: a password is made."""
    done = hadir("user", "add", "sari", "--role", "hr")
    password = re.search(r"Password: (\S+)", done.stdout)[1]
    with UnitOfWork(server) as work:
        user = work.session.scalars(select(User)).one()
    assert (user.username, user.role, is_password(user, password)) == ("sari", "hr", True)
    again = hadir("user", "add", "sari", typed="a long password\n")
    assert (again.returncode, again.stderr.strip()) == (
        1,
        "The account was not made: there is one of that name already.",
    )


def test_a_join_code_is_a_link(server, hadir):
    """It names the server; only its hash is kept."""
    done = hadir("join-code", "--site", "plant")
    assert re.search(r"http://127.0.0.1:8080/[0-9A-Z]{4}-[0-9A-Z]{4}$", done.stdout.strip())
    with UnitOfWork(server) as work:
        assert len(work.session.scalars(select(JoinCode)).one().code_hash) >= 32


def test_the_report_command_prints_two_files(server, hadir):
    """PDF and CSV, written and not sent."""
    done = hadir("report", "--site", "plant", "--date", "2026-11-23")
    pdf, csv = (Path(line) for line in done.stdout.splitlines())
    assert pdf.read_bytes().startswith(b"%PDF")
    assert csv.suffix == ".csv"
    with UnitOfWork(server) as work:
        assert work.session.scalars(select(ReportRun)).one().state == "ready"
    assert hadir("report", "--site", "moon").stderr.strip() == "There is no site moon; there are: plant."
    assert hadir("report", "--site", "plant", "--date", "today").returncode == 2


def test_a_site_gets_its_working_hours(server, hadir):
    """The shift is the site's default, once, also after a change."""
    call = ("shift", "set", "day", "Siang", "--site", "plant", "--starts", "08:00", "--ends")
    assert "made" in hadir(*call, "17:00").stdout
    assert "changed" in hadir(*call, "16:30", "--weekdays", "sat-mon").stdout
    with UnitOfWork(server) as work:
        schedule = of_site(work.session, "plant", time_of_day(4))
    assert [each.shift.ends for each in schedule.assignments] == [time_of_day(16, 30)]
    assert schedule.assignments[0].shift.weekdays == {"sat", "sun", "mon"}


CSV = """employee_id,name,phone,supervisor_id,started_on
E1,Budi Santoso,0812-3456-7890,E2,2024-01-31
E2,Sari Dewi,+62 811 000 222,,
"""


def test_importing_a_table_is_all_or_nothing(server, hadir, tmp_path):
    """A dry run changes nothing; a bad row names its line; the good file adds, and adds once."""
    file = tmp_path / "people.csv"
    file.write_text(CSV + ",Nobody,abc,E9,yesterday\nE1,Twice,,,\n")
    bad = hadir("import", "employees", str(file))
    assert bad.returncode == 1
    for words in ("line 4: employee_id is empty", "line 5: the same row is on line 2", "nothing was changed"):
        assert words in bad.stderr
    file.write_text(CSV + "E3,Nobody,abc,E9,yesterday\n")
    bad = hadir("import", "employees", str(file))
    for words in ("line 4: phone 'abc'", "line 4: nobody has the code E9", "line 4: started_on 'yesterday'"):
        assert words in bad.stderr
    file.write_text(CSV)
    assert "2 would be added" in hadir("import", "employees", str(file), "--dry-run").stdout
    with UnitOfWork(server) as work:
        assert work.session.query(Employee).count() == 0
    assert "2 were added" in hadir("import", "employees", str(file)).stdout
    assert "0 were changed, 2 are as they were" in hadir("import", "employees", str(file)).stdout
    with UnitOfWork(server) as work:
        budi = work.session.get(Employee, "E1")
        assert (budi.phone, budi.consent_at) == ("6281234567890", None)
        assert work.session.scalars(select(OrgHierarchy)).one().supervisor_id == "E2"


def test_a_table_goes_out_and_comes_back(server, hadir, tmp_path):
    """As CSV and as a workbook; changed, the dry run says what from and to, and what it says is done."""
    with UnitOfWork(server) as work:
        builders.an_employee(work.session, "E1", name="Budi, 'Ah'", phone="6281234567890")
    for name in ("people.csv", "people.xlsx"):
        assert ": 1." in hadir("export", "employees", "--out", str(tmp_path / name)).stdout
        again = hadir("import", "employees", str(tmp_path / name))
        assert "0 were added, 0 were changed, 1 are as they were" in again.stdout, again.stderr
    file = tmp_path / "changed.csv"
    file.write_text("employee_id;name;department\nE1;Budi;\nE2;Sari;Gudang\n")
    tried = hadir("import", "employees", str(file), "--dry-run").stdout
    assert "line 2: ~ E1: name Budi, 'Ah' -> Budi" in tried
    assert "line 3: + E2: employee_id E2, name Sari, department Gudang, site_id plant" in tried
    assert (
        "1 were added, 1 were changed, 0 are as they were" in hadir("import", "employees", str(file)).stdout
    )
    out = hadir("export", "leaves", "--template").stdout
    assert out.splitlines()[0].endswith("employee_id,kind,first_on,last_on,note")
    assert len(out.splitlines()) == 2


def test_rows_of_several_sites_name_theirs(server, hadir, tmp_path):
    """With one site nobody has to say which; with two a new row needs its own, or --site."""
    with UnitOfWork(server) as work:
        builders.a_site(work.session, "depot")
    file = tmp_path / "zones.csv"
    file.write_text("zone_id,name\nhall,Hall\n")
    assert "line 2: no site is named" in hadir("import", "zones", str(file)).stderr
    assert "1 were added" in hadir("import", "zones", str(file), "--site", "depot").stdout
    assert hadir("import", "zones", str(file), "--site", "moon").returncode == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ("site", "add", "Big Site", "x"),
        ("site", "add", "b", "x", "--timezone", "Mars"),
        ("site", "add", "plant", "x"),
        ("employee", "add", "E1", "Budi", "--site", "moon"),
        ("shift", "set", "day", "Day", "--site", "moon", "--starts", "08:00", "--ends", "17:00"),
        ("shift", "set", "day", "Day", "--site", "plant", "--starts", "8 am", "--ends", "17:00"),
        (
            "shift",
            "set",
            "d",
            "D",
            "--site",
            "plant",
            "--starts",
            "08:00",
            "--ends",
            "17:00",
            "--weekdays",
            "x",
        ),
        ("resign", "E9"),
        ("recompute", "--from", "2026-11-02", "--to", "2026-11-02", "--employee", "E9"),
        ("import", "employees", "nowhere.csv"),
        ("import", "employees", sys.executable),
        ("import", "employees", os.devnull),
        ("export", "employees", "--site", "moon"),
        ("export", "employees", "--out", "/nowhere/people.csv"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_sentence(server, hadir, arguments):
    """Exit code 1, one line, no stack trace."""
    done = hadir(*arguments)
    assert done.returncode == 1
    assert len(done.stderr.strip().splitlines()) == 1


RECOMPUTE = ("recompute", "--from", "2026-11-02", "--to", "2026-11-02")


@pytest.fixture
def absent(server: Engine) -> Engine:
    """EMP001 did not come on a Monday that is over, and nobody has noted it."""
    with UnitOfWork(server) as work:
        builders.a_shift(work.session)
        long_ago = datetime(2026, 10, 1, tzinfo=UTC)
        builders.an_employee(work.session, consent_at=long_ago, created_at=long_ago)
    return server


def statuses(engine: Engine) -> list[str]:
    with UnitOfWork(engine, writes=False) as work:
        return list(work.session.scalars(select(Attendance.status)))


@pytest.mark.parametrize(
    ("more", "why"), [((), "--yes"), (("--dry-run",), "--dry-run"), (("--dry-run", "--yes"), "--dry-run")]
)
def test_recompute_shows_and_writes_nothing_unless_told_to(absent, hadir, more, why):
    """Without a terminal to ask on, and on a dry run, the changes are shown, with how to write them."""
    done = hadir(*RECOMPUTE, *more)

    assert (done.returncode, done.stderr) == (0, "")
    assert "2026-11-02  EMP001  new: absent" in done.stdout
    assert done.stdout.splitlines()[-1].startswith("Nothing was written")
    assert why in done.stdout.splitlines()[-1]
    assert statuses(absent) == []


def test_recompute_writes_with_yes_and_has_nothing_to_do_a_second_time(absent, hadir):
    """The differences come first; then nothing is left to change."""
    assert "1 person-days were written" in hadir(*RECOMPUTE, "--yes").stdout
    assert statuses(absent) == ["absent"]
    assert "nothing changes" in hadir(*RECOMPUTE, "--yes").stdout


@pytest.mark.parametrize(("answer", "written"), [("y", ["absent"]), ("n", []), ("", [])])
def test_recompute_asks_on_a_terminal(absent, environment, answer, written):
    """Only a yes writes; Enter alone does not."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "central_server", *RECOMPUTE]
    with subprocess.Popen(command, env=environment, stdin=theirs, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        said = ""
        while "[y/N]" not in said:
            said += os.read(ours, 4096).decode()
        os.write(ours, f"{answer}\n".encode())
        assert process.wait(PATIENCE_S) == 0
    os.close(ours)
    assert "Write these 1 change? [y/N]" in said
    assert statuses(absent) == written


def test_every_mistake_in_the_settings_is_told_at_once(hadir, environment):
    """Two mistakes, one answer, exit code 2."""
    environment |= {"HADIR_TICK_S": "soon", "HADIR_TIMEZONE": "Mars/Olympus"}
    done = hadir("purge")
    assert done.returncode == 2
    assert "HADIR_TICK_S" in done.stderr
    assert "HADIR_TIMEZONE" in done.stderr


def test_the_operator_is_told_who_holds_a_face(hadir, server):
    """Box by box, also of somebody whom only the log of changes still knows."""
    with UnitOfWork(server) as work:
        agent = work.session.get_one(Agent, "plant-agent")
        agent.model_id, agent.gallery_gen = "m:1", 1
        for op in ("add", "del"):
            row = {"op": op, "template_id": 1, "employee_id": "GONE1", "model_id": "m:1"}
            work.session.add(TemplateLog(**row, at=datetime.now(UTC)))
            work.session.flush()
    answer = hadir("who-holds", "GONE1")
    assert answer.returncode == 0, answer.stderr
    assert "plant-agent (Plant One): may still hold it" in answer.stdout
    with UnitOfWork(server) as work:
        builders.an_employee(work.session, "NEW1")
    assert hadir("who-holds", "NEW1").stdout == "No box holds the face of NEW1.\n"
    nobody = hadir("who-holds", "NOBODY")
    assert (nobody.returncode, nobody.stderr) == (
        1,
        "Nobody with the code NOBODY is known here, now or before.\n",
    )


def test_an_agent_that_is_not_revoked_is_not_let_in_again(hadir, server):
    """The operator who mixed up two agents reads so, instead of believing that it is done."""
    answer = hadir("agent", "restore", "plant-agent")
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout == "plant-agent is not revoked: there is nothing to take back.\n"
    with UnitOfWork(server) as work:
        work.session.get_one(Agent, "plant-agent").revoked_at = datetime.now(UTC)
    assert "is let in again" in hadir("agent", "restore", "plant-agent").stdout


def test_nobody_else_looks_into_the_servers_folder(tmp_path):
    """Made by hand and open to all, as a careless shell makes it: the first command shuts it."""
    home = tmp_path / "home"
    home.mkdir(mode=0o755)
    environment = os.environ | {"HADIR_HOME": str(home)}
    subprocess.run(
        ["bash", "-c", f"umask 022; exec {sys.executable} -m central_server migrate"],
        env=environment, cwd=Path(__file__).parents[2], check=True, capture_output=True,
    )  # fmt: skip
    assert home.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o077 for path in home.rglob("*")} == {0}


def test_a_forgotten_environment_makes_no_second_server(tmp_path):
    """A command that only looks says which database is missing, and leaves nothing behind."""
    home = tmp_path / "nowhere"
    done = subprocess.run(
        [sys.executable, "-m", "central_server", "agent", "list"],
        env=os.environ | {"HADIR_HOME": str(home)}, cwd=Path(__file__).parents[2],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert f"There is no database at {home / 'hadir.db'}" in done.stderr
    assert not home.exists()


def test_dates_are_taken_as_tables_take_them_and_a_short_password_is_told(server, hadir):
    """25/11/2026 is a date on the terminal too; how long a password must be is said."""
    done = hadir("recompute", "--from", "25/11/2026", "--to", "25/11/26", "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "not a date like 2026-11-23 or 23/11/2026" in hadir("explain", "X", "25/13/2026").stderr
    refused = hadir("user", "add", "sari", "--role", "hr", typed="short\n")
    assert "needs at least" in refused.stderr, refused.stderr


def test_a_reader_that_has_had_enough_is_no_error(server, environment):
    """`… | head` ends a command calmly."""
    command = [sys.executable, "-m", "central_server", "export", "sites"]
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        command, env=environment, stdout=writing, stderr=subprocess.PIPE, text=True, timeout=60
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, "")
