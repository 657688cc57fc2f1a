"""The operator's commands about working time."""

from datetime import date

import pytest

from central_server.cli import main
from central_server.config import read_server_config
from central_server.db import models
from central_server.db.engine import open_engine
from central_server.db.migrate import upgrade
from central_server.db.unit_of_work import UnitOfWork
from tests import builders

SHIFT = ("shift", "set", "day", "Siang", "--site", "plant", "--starts", "08:00", "--ends", "17:00")


@pytest.fixture
def plant(tmp_path, monkeypatch):
    """A migrated database with the site `plant`, in the environment of this process."""
    monkeypatch.setenv("HADIR_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("DATABASE_URL", raising=False)
    url = read_server_config({"HADIR_HOME": str(tmp_path / "home")}).database_url
    upgrade(url)
    engine = open_engine(url)
    with UnitOfWork(engine) as work:
        builders.a_site(work.session)
    yield engine
    engine.dispose()


def count(engine, table) -> int:
    with UnitOfWork(engine) as work:
        return work.session.query(table).count()


def test_the_margins_of_a_shift_are_set_and_stay(plant, capsys):
    """--early-in and --late-out; a later change that names neither leaves them."""
    assert main([*SHIFT, "--early-in", "30", "--late-out", "90"]) == 0
    assert main([*SHIFT, "--weekdays", "mon-sat"]) == 0
    with UnitOfWork(plant) as work:
        shift = work.session.get_one(models.Shift, "day")
        assert (shift.early_in_min, shift.late_out_min) == (30, 90)
        assert shift.weekdays == "mon,tue,wed,thu,fri,sat"
    assert "hadir server recompute" in capsys.readouterr().out


def test_the_graces_of_a_shift_are_set_apart_and_stay(plant):
    """One word sets both, two set each; a later change that names neither leaves them."""

    def graces() -> tuple[int, int]:
        with UnitOfWork(plant) as work:
            shift = work.session.get_one(models.Shift, "day")
            return shift.late_grace_min, shift.early_leave_grace_min

    assert main([*SHIFT]) == 0 and graces() == (10, 10)
    assert main([*SHIFT, "--grace-min", "5"]) == 0 and graces() == (5, 5)
    assert main([*SHIFT, "--grace-min", "15", "--early-leave-grace-min", "0"]) == 0 and graces() == (15, 0)
    assert main([*SHIFT, "--weekdays", "mon-sat"]) == 0 and graces() == (15, 0)


def test_a_shift_that_does_not_count_today_says_so(plant, capsys):
    """The site has a dated default, which began later than "always"."""
    assert main([*SHIFT]) == 0
    assert "does not count" not in capsys.readouterr().out
    with UnitOfWork(plant) as work:
        dated = {"site_id": "plant", "shift_id": "day", "valid_from": date(2026, 1, 1)}
        work.session.add(models.ShiftAssignment(**dated))
    other = [each if each != "day" else "late" for each in SHIFT]
    assert main(other) == 0
    assert "a newer default, Siang since 2026-01-01" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (("--late-out", "1000"), "late_out_min '1000'"),
        (("--grace-min", "-5"), "late_grace_min '-5'"),
        (("--weekdays", "daily"), "no weekday"),
        (("--starts", "8 am"), "not a time like 08:30"),
    ],
)
def test_a_shift_that_cannot_be_changes_nothing(plant, capsys, more, words):
    """One sentence, exit code 1, no shift."""
    assert main([*SHIFT, *more]) == 1
    told = capsys.readouterr().err
    assert words in told and len(told.strip().splitlines()) == 1
    assert count(plant, models.Shift) == count(plant, models.ShiftAssignment) == 0


def test_indonesias_holidays_are_shown_taken_over_and_not_doubled(plant, capsys):
    """A dry run does nothing; what is foreseen is told; again changes nothing."""
    call = ["holidays", "indonesia", "--year", "2027"]
    assert main([*call, "--dry-run"]) == 0
    told = capsys.readouterr().out
    assert "26 would be added" in told and "18 of them are foreseen" in told
    assert "2027-03-10  national    Idulfitri 1448 Hijriah  (check against the decree)" in told
    assert count(plant, models.Holiday) == 0
    assert main([*call, "--no-collective"]) == 0
    assert "18 were added" in capsys.readouterr().out
    assert main(call) == 0
    assert "8 were added, 0 were changed, 18 are as they were" in capsys.readouterr().out
    assert main(["holidays", "indonesia", "--year", "2026", "--site", "plant"]) == 0
    assert count(plant, models.Holiday) == 26 + 25
    with UnitOfWork(plant) as work:
        assert {each.actor.split(":")[0] for each in work.session.query(models.AuditLog)} == {"shell"}


def test_a_year_or_a_site_that_is_not_there_is_told(plant, capsys):
    """And which ones there are."""
    assert main(["holidays", "indonesia", "--year", "2031"]) == 1
    assert "there are: 2026, 2027" in capsys.readouterr().err
    assert main(["holidays", "indonesia", "--year", "2026", "--site", "moon"]) == 1
    assert "there are: plant" in capsys.readouterr().err
