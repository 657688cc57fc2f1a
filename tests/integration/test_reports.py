"""The daily report: its time, its files, and who gets it; once."""

import csv
import io
from datetime import UTC, datetime, time, timedelta
from pathlib import Path

import pytest
from pypdf import PdfReader
from sqlalchemy import Engine, select

from central_server.adapters.report_files import RENDERERS
from central_server.db.models import Attendance, HrisPush, Notification, ReportRun, Site
from central_server.db.unit_of_work import UnitOfWork
from central_server.services.build_report import ReportOptions, UnknownSite, build_daily_report
from central_server.services.record_event import record_events
from central_server.services.send_due_reports import due_report, send_due_reports
from tests import builders
from tests.builders import EIGHT_IN_JAKARTA as EIGHT
from tests.builders import MONDAY, an_envelope, an_event

HALF_PAST_FIVE = datetime(2026, 11, 23, 10, 30, tzinfo=UTC)  # in Jakarta
MINUTE = timedelta(minutes=1)


@pytest.fixture
def plant(engine: Engine) -> Engine:
    """One came in time, one late, one not at all, one is not enrolled; there are HR and a manager."""
    with UnitOfWork(engine) as work:
        builders.a_site(work.session, name="Pabrik Satu")
        builders.a_shift(work.session)
        for number, name in enumerate(["Budi Santoso", "Sari Dewi", "Joko Widodo"], start=1):
            builders.an_employee(work.session, f"EMP00{number}", name=name, department="Produksi")
        builders.an_employee(work.session, "EMP004", name="Ratna Kusuma", is_enrolled=False)
        builders.a_recipient(work.session, "hr", name="HR", email="hr@example.com", language="id")
        builders.a_recipient(work.session, "manager", name="Boss", phone="62811", email="", language="en")
        builders.a_recipient(work.session, "it", name="IT", phone="62822")
    see(engine, 1, "EMP001", EIGHT)
    see(engine, 2, "EMP002", EIGHT + 30 * MINUTE)
    see(engine, 3, "EMP001", EIGHT + 9 * 60 * MINUTE)
    see(engine, 4, "EMP002", EIGHT + 9 * 60 * MINUTE)
    builders.all_healthy(engine, HALF_PAST_FIVE)
    return engine


def see(engine: Engine, seq: int, employee_id: str, at: datetime, now: datetime | None = None) -> None:
    with UnitOfWork(engine) as work:
        event = an_event(seq, employee_id, at)
        record_events("plant-agent", an_envelope(event), work, builders.the_rules(), now=now or at)


def build(engine: Engine, home: Path, now: datetime = HALF_PAST_FIVE, **more) -> ReportRun:
    return build_daily_report(
        engine, "plant", MONDAY, home, now=now, rules=builders.the_rules(), renderers=RENDERERS, **more
    )


def messages(engine: Engine) -> list[Notification]:
    with UnitOfWork(engine) as work:
        return list(work.session.scalars(select(Notification).order_by(Notification.recipient)))


def test_the_report_says_who_was_there_and_for_how_long(plant, tmp_path):
    """Present, late, absent, not counted, total hours: in the PDF and in the CSV, in Bahasa Indonesia."""
    run = build(plant, tmp_path)
    assert run.state == "ready"
    assert run.totals | {"digest": ""} == {
        "present": 1,
        "late": 1,
        "absent": 1,
        "incomplete": 0,
        "leave": 0,
        "not_started": 0,
        "excluded": 1,
        "work_seconds": int(17.5 * 3600),
        "is_provisional": True,
        "digest": "",
    }
    text = "\n".join(page.extract_text() for page in PdfReader(run.pdf_path).pages)
    for words in ("Pabrik Satu", "Senin, 23 November 2026", "Budi Santoso", "08:30", "Terlambat",
                  "Tidak hadir", "17 j 30 m", "SEMENTARA", "Ratna Kusuma", "Halaman 1 dari 1"):  # fmt: skip
        assert words in text.replace("\u00a0", " ")
    rows = list(csv.DictReader(io.StringIO(Path(run.csv_path).read_text("utf-8-sig")), delimiter=";"))
    assert [(row["Kode"], row["Status"], row["Masuk"], row["Jam kerja"]) for row in rows] == [
        ("EMP003", "Tidak hadir", "", ""),
        ("EMP002", "Terlambat", "08:30", "8,5"),
        ("EMP001", "Hadir", "08:00", "9,0"),
    ]


def test_hr_and_manager_get_it_in_their_language_and_it_does_not(plant, tmp_path):
    """WhatsApp with the PDF, e-mail with both files; the absent are in the table as such."""
    build(plant, tmp_path)
    boss, hr_phone, hr_mail = messages(plant)
    assert [(m.channel, m.recipient) for m in (boss, hr_phone, hr_mail)] == [
        ("whatsapp", "62811"),
        ("whatsapp", "6281200000009"),
        ("email", "hr@example.com"),
    ]
    assert "Present: 1, Late: 1, Absent: 1" in boss.payload["text"]
    assert boss.payload["document"]["path"].endswith("-en.pdf")
    assert boss.payload["template"]["params"]["hours"] == "17 h 30 min"
    assert set(boss.payload["template"]["params"]) == {"site", "date", "present", "late", "absent", "hours"}
    assert "Total jam kerja: 17 j 30 m" in hr_mail.payload["text"]
    assert [Path(each["path"]).suffix for each in hr_mail.payload["attachments"]] == [".pdf", ".csv"]
    with UnitOfWork(plant) as work:
        assert work.session.query(Attendance).filter_by(employee_id="EMP003").one().status == "absent"


def test_asking_again_sends_nothing_again(plant, tmp_path):
    """The same run, the same messages; a revision only when it was asked for and something changed."""
    first = build(plant, tmp_path)
    assert build(plant, tmp_path).id == first.id
    assert build(plant, tmp_path, revise=True).id == first.id
    assert len(messages(plant)) == 3

    see(plant, 5, "EMP003", EIGHT + 60 * MINUTE, now=HALF_PAST_FIVE + MINUTE)
    revised = build(plant, tmp_path, revise=True)
    assert (revised.revision, revised.totals["absent"]) == (2, 0)
    assert len(messages(plant)) == 6
    assert "Revisi 2" in messages(plant)[-1].payload["text"]


def test_a_look_at_the_day_so_far_is_not_the_report(plant, tmp_path):
    """Written at noon without sending; at 17:30 it is made anew, and sent as the first."""
    noon = build(plant, tmp_path, now=EIGHT + 240 * MINUTE, send=False)
    assert messages(plant) == []
    (run,) = send_due(plant, tmp_path, HALF_PAST_FIVE)
    assert (run.id, run.revision, len(messages(plant))) == (noon.id, 1, 3)


def send_due(engine: Engine, home: Path, now: datetime, **more) -> list[ReportRun]:
    return send_due_reports(
        engine,
        home,
        now=now,
        rules=builders.the_rules(),
        renderers=RENDERERS,
        options=ReportOptions(),
        **more,
    )


def test_a_report_that_failed_half_way_is_taken_up_again(plant, tmp_path):
    """The renderer breaks: nothing is sent, the run says why; the next turn sends it once."""

    def broken(*_):
        raise ZeroDivisionError("no ink")

    with pytest.raises(ZeroDivisionError):
        build_daily_report(
            plant, "plant", MONDAY, tmp_path, now=HALF_PAST_FIVE, rules=builders.the_rules(),
            renderers={"pdf": broken},
        )  # fmt: skip
    with UnitOfWork(plant) as work:
        run = work.session.scalars(select(ReportRun)).one()
    assert (run.state, run.error, messages(plant)) == ("failed", "ZeroDivisionError: no ink", [])
    for _ in range(2):
        send_due(plant, tmp_path, HALF_PAST_FIVE + MINUTE)
    assert len(messages(plant)) == 3


@pytest.mark.parametrize(
    ("zone", "utc"), [("Asia/Jakarta", "10:30"), ("Asia/Makassar", "09:30"), ("Asia/Jayapura", "08:30")]
)
def test_half_past_five_is_local(zone, utc):
    """WIB, WITA and WIT: three instants in UTC; and up to six hours late, over midnight too."""
    site = Site(site_id="s", name="S", timezone=zone, report_at=time(17, 30))
    at = datetime.combine(MONDAY, time.fromisoformat(utc), tzinfo=UTC)
    assert due_report(site, at - MINUTE) is None
    assert due_report(site, at) == (MONDAY, at)
    assert due_report(site, at + 359 * MINUTE) == (MONDAY, at)
    assert due_report(site, at + 361 * MINUTE) is None
    site.report_at = time(23, 0)
    assert due_report(site, at + (330 + 120) * MINUTE)[0] == MONDAY


def test_each_site_reports_at_its_own_half_past_five(engine, tmp_path):
    """Three sites, one server: each report is made at its time, once, and the day goes to the HRIS."""
    zones = {"wib": "Asia/Jakarta", "wita": "Asia/Makassar", "wit": "Asia/Jayapura"}
    with UnitOfWork(engine) as work:
        for site_id, zone in zones.items():
            builders.a_site(work.session, site_id, timezone=zone)
            builders.a_shift(work.session, f"day-{site_id}", site_id)
            builders.an_employee(work.session, f"EMP-{site_id}", site_id)
            builders.a_recipient(work.session, "hr", site_id)
    made = {}
    for minutes in range(0, 24 * 60, 30):
        now = datetime(2026, 11, 23, tzinfo=UTC) + minutes * MINUTE
        builders.all_healthy(engine, now)
        for run in send_due(engine, tmp_path, now, hris_connector="webhook"):
            made.setdefault(run.site_id, []).append(f"{now:%H:%M}")
    assert made == {"wit": ["08:30"], "wita": ["09:30"], "wib": ["10:30"]}
    assert len(messages(engine)) == 3
    with UnitOfWork(engine) as work:
        assert work.session.query(HrisPush).count() == 3


def test_who_has_not_begun_is_not_absent(plant, tmp_path):
    """At seven in the morning nobody is missing yet."""
    run = build(plant, tmp_path, now=EIGHT - 60 * MINUTE, send=False)
    assert (run.totals["absent"], run.totals["not_started"]) == (0, 1)


def test_there_is_no_report_of_nowhere(plant, tmp_path):
    """An unknown site is said to be unknown."""
    with pytest.raises(UnknownSite, match="there is no site moon"):
        build_daily_report(
            plant, "moon", MONDAY, tmp_path, now=EIGHT, rules=builders.the_rules(), renderers=RENDERERS
        )
