"""A month of attendance as one file, for payroll: by page and by command."""

import csv
import io
from datetime import UTC, date, datetime, timedelta

import openpyxl
import pytest

from central_server.cli import main
from central_server.db import models
from central_server.services.export_attendance import HEADING
from tests import builders
from tests.web_world import WebWorld, a_web_world, inhabit

FIRST, LAST = date(2026, 11, 1), date(2026, 11, 30)
SPAN = {"from": str(FIRST), "to": str(LAST)}
NIGHT_OUT = datetime(2026, 11, 16, 23, 5, 9, tzinfo=UTC)  # 06:05:09 the next morning in Jakarta


@pytest.fixture
def world(engine, tmp_path) -> WebWorld:
    """EMP001 with a month of days, one of them corrected; and a person of another site."""
    found = a_web_world(engine, tmp_path)
    inhabit(found)
    with builders.UnitOfWork(engine) as work:
        builders.a_site(work.session, "east", timezone="Asia/Jayapura")
        builders.an_employee(work.session, "EMP009", name="=Wulan", site_id="east", department="Toko")
        for offset in range(-1, 31):
            work.session.add(a_row("EMP001", FIRST + timedelta(days=offset)))
        work.session.add(a_row("EMP009", FIRST, site_id="east", timezone="Asia/Jayapura", work_seconds=None))
        work.session.add(
            models.AttendanceCorrection(
                employee_id="EMP001",
                business_date=date(2026, 11, 3),
                field="last_out_ts",
                reason="asked",
                made_by="hr",
                made_at=NIGHT_OUT,
            )
        )
    return found


def a_row(employee_id: str, day: date, **other) -> models.Attendance:
    known = {
        "employee_id": employee_id,
        "business_date": day,
        "site_id": "plant",
        "shift_id": "day",
        "first_in_ts": NIGHT_OUT - timedelta(hours=8, minutes=5),
        "last_out_ts": NIGHT_OUT,
        "timezone": "Asia/Jakarta",
        "work_seconds": 27_000,
        "status": "present",
        "updated_at": NIGHT_OUT,
    }
    return models.Attendance(**(known | other))


def lines_of(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"))))


def test_a_month_comes_as_one_file_by_person_and_day(world):
    """Both ends are in it, nothing before or after; times are local, with the date on which they were."""
    answer = world.client("hr").get("/attendance/days.csv", query_string=SPAN)
    lines = lines_of(answer.data)

    assert answer.headers["Cache-Control"] == "no-store" and list(lines[0]) == list(HEADING)
    assert [(each["employee_id"], each["business_date"]) for each in lines] == [
        *(("EMP001", f"2026-11-{day:02}") for day in range(1, 31)),
        ("EMP009", "2026-11-01"),
    ]
    assert lines[0]["last_out"] == "2026-11-17 06:05:09" and lines[0]["work_min"] == "450"
    assert (lines[30]["last_out"], lines[30]["work_min"]) == ("2026-11-17 08:05:09", "")
    assert [each["business_date"] for each in lines if each["is_corrected"] == "yes"] == ["2026-11-03"]
    assert lines[30]["name"] == "'=Wulan"  # no spreadsheet computes it


def test_it_can_be_of_one_site_and_department(world):
    """What payroll of the branch asks for, and nothing of the others."""
    client = world.client("hr")

    assert len(lines_of(client.get("/attendance/days.csv", query_string=SPAN | {"site": "plant"}).data)) == 30
    toko = client.get("/attendance/days.csv", query_string=SPAN | {"department": "Toko"}).data
    assert [each["employee_id"] for each in lines_of(toko)] == ["EMP009"]
    assert client.get("/attendance/days.csv", query_string=SPAN | {"site": "moon"}).status_code == 404


def test_who_took_it_is_written_down_and_only_hr_may(world):
    """A supervisor and a viewer get nothing, and the page does not offer it to them."""
    world.client("hr").get("/attendance/days.csv", query_string=SPAN)
    [noted] = world.rows(models.AuditLog)

    assert (noted.action, noted.subject) == ("attendance.export", "2026-11-01 2026-11-30")
    assert "days.csv" in world.client("hr").get("/attendance/").text
    for role in ("supervisor", "viewer"):
        assert world.client(role).get("/attendance/days.csv", query_string=SPAN).status_code == 403
        assert "days.csv" not in world.client(role).get("/attendance/").text


@pytest.mark.parametrize(
    "asked", [{}, {"from": "2026-11-30", "to": "2026-11-01"}, {"from": "1990-01-01", "to": "2026-11-01"}]
)
def test_days_that_make_no_sense_are_asked_for_again(world, asked):
    """Backwards, half given, or the whole history at once: back to the page, with a sentence."""
    client = world.client("hr")

    assert client.get("/attendance/days.csv", query_string=asked).location == "/attendance/"
    assert "Choose two days" in client.get("/attendance/").text


@pytest.fixture
def shell(world, monkeypatch):
    """The server's environment, as the operator has it."""
    monkeypatch.setenv("HADIR_HOME", str(world.home))
    monkeypatch.setenv("DATABASE_URL", world.engine.url.render_as_string(hide_password=False))


def test_the_command_writes_the_same(world, shell, tmp_path, capsysbinary):
    """CSV on standard output is what the page gives; a workbook has as many rows."""
    days = ["export", "attendance", "--from", str(FIRST), "--to", str(LAST)]
    assert main(days) == 0
    assert (
        capsysbinary.readouterr().out
        == world.client("hr").get("/attendance/days.csv", query_string=SPAN).data
    )
    book = tmp_path / "november.xlsx"
    assert main([*days, "--out", str(book), "--site", "plant"]) == 0
    assert b"Rows written" in capsysbinary.readouterr().out
    sheet = openpyxl.load_workbook(book, read_only=True).active
    assert [each[0].value for each in sheet.iter_rows()][:2] == ["business_date", "2026-11-01"]
    assert len(list(sheet.iter_rows())) == 31


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("attendance",), "needs --from and --to"),
        (("attendance", "--from", "2026-11-02", "--to", "2026-11-01"), "before --from"),
        (("attendance", "--from", "2026-11-01", "--to", "2026-11-02", "--template"), "cannot be imported"),
        (("leaves", "--from", "2026-11-01"), "attendance only"),
    ],
)
def test_what_was_typed_wrongly_is_said(shell, arguments, words, capsys):
    """One sentence, and the status of a command that was called wrongly."""
    assert main(["export", *arguments]) == 2
    assert words in capsys.readouterr().err
