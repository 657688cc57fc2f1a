"""What a newcomer found wrong on the first days: who is missed, until when, and in which words it is told."""

import io
from datetime import date, time, timedelta

import pytest
from pypdf import PdfReader
from sqlalchemy import Engine, select

from central_server.adapters.report_files import RENDERERS
from central_server.db import models
from central_server.db.queries.attendance import Day, read_day
from central_server.db.queries.attention import days_in_need
from central_server.db.queries.places import read_places
from central_server.db.queries.setup import read_setup
from central_server.db.stores import attendance
from central_server.db.unit_of_work import UnitOfWork
from central_server.domain.attendance import OvertimeRule
from central_server.domain.explanation import Explanation
from central_server.services.await_agents import recorded_to
from central_server.services.build_report import build_daily_report, daily_report
from central_server.services.close_day import compute_day
from central_server.services.explain_day import explain_day
from central_server.services.read_calendar import unrecorded_days
from tests import builders
from tests.builders import MONDAY, the_rules
from tests.day_world import a_plant, at, close, every, put, recompute
from tests.kiosk_world import a_badge, a_kiosk_world
from tests.web_world import a_web_world, inhabit

TUESDAY = MONDAY + timedelta(days=1)
MINUTE = timedelta(minutes=1)


def explained(engine: Engine, now, employee_id: str = "EMP001", day: date = MONDAY) -> Explanation:
    with UnitOfWork(engine, writes=False) as work:
        return explain_day(work, employee_id, day, the_rules(), now=now)


def table(engine: Engine, now, day: date = MONDAY, **chosen) -> Day:
    with UnitOfWork(engine, writes=False) as work:

        def calendar(ids):
            return unrecorded_days(work, ids, day, the_rules(), now=now)

        return read_day(
            work.session, read_places(work.session, "UTC"), day, None, calendar=calendar, **chosen
        )


def a_guard(engine: Engine) -> None:
    """EMP001 works at night, from 22:00."""
    with UnitOfWork(engine) as work:
        work.session.add(models.Shift(shift_id="night", name="night", starts=time(22), ends=time(6)))
        work.session.flush()
        work.session.add(models.ShiftAssignment(site_id="plant", employee_id="EMP001", shift_id="night"))


@pytest.mark.parametrize("clock", ["07:00", "08:03"])
def test_before_a_shift_has_begun_nobody_is_absent_anywhere(engine, tmp_path, clock):
    """A report made early stores nothing; report, table and explanation say that the shift has not begun."""
    a_plant(engine)
    builders.all_healthy(engine, at(clock))
    build_daily_report(
        engine, "plant", MONDAY, tmp_path, now=at(clock), rules=the_rules(), renderers=RENDERERS
    )
    assert every(engine, models.Attendance) == []
    with UnitOfWork(engine, writes=False) as work:
        said = daily_report(work, "plant", MONDAY, the_rules(), now=at(clock), is_fresh=True)
        needs = days_in_need(
            work.session, MONDAY, None, rule=OvertimeRule.APPROVED, day_cutoff=the_rules().day_cutoff
        )
    assert {each.status for each in said.rows} == {"not_started"}
    assert (said.totals.absent, said.totals.expected) == (0, 0)
    assert said.is_provisional
    found = table(engine, at(clock))
    assert {each.employee_id: each.status for each in found.lines}["EMP001"] == "not_started"
    assert found.counts["absent"] == 0
    assert explained(engine, at(clock)).status == "not_started"
    assert needs.days == ()


def test_a_night_guard_is_not_absent_when_the_report_is_made_in_the_afternoon(engine):
    """At 17:30 the day's people are told, and who comes at 22:00 is not absent; at 22:30 they are."""
    a_plant(engine)
    a_guard(engine)
    builders.all_healthy(engine, at("17:30"))
    with UnitOfWork(engine) as work:
        said = daily_report(work, "plant", MONDAY, the_rules(), now=at("17:30"))
    assert {each.employee_id: each.status for each in said.rows}["EMP001"] == "not_started"
    builders.all_healthy(engine, at("22:30"))
    with UnitOfWork(engine) as work:
        later = daily_report(work, "plant", MONDAY, the_rules(), now=at("22:30"))
    assert {each.employee_id: each.status for each in later.rows}["EMP001"] == "absent"


def test_a_row_that_said_absent_too_early_says_so_no_more(engine):
    """One stored before is neutral once it is computed again."""
    a_plant(engine)
    builders.all_healthy(engine, at("09:00"))
    with UnitOfWork(engine) as work:
        compute_day(work, "plant", MONDAY, the_rules(), now=at("09:00"))
    a_guard(engine)
    with UnitOfWork(engine) as work:
        compute_day(work, "plant", MONDAY, the_rules(), now=at("09:01"))
        assert attendance.get(work.session, "EMP001", MONDAY).status == "not_started"


def test_while_a_box_tells_nothing_nobody_is_called_absent(engine):
    """The box fell silent before the shift: the report keeps everybody, and says that it cannot tell."""
    a_plant(engine)
    builders.all_healthy(engine, at("06:00"))
    with UnitOfWork(engine) as work:
        said = daily_report(work, "plant", MONDAY, the_rules(), now=at("12:00"))
    assert {each.status for each in said.rows} == {"incomplete"}
    found = explained(engine, at("12:00"))
    assert (found.status, [each.code for each in found.why_status]) == ("none", ["nothing_told_yet"])


def test_a_site_with_nothing_but_a_kiosk_is_recorded_up_to_now(engine):
    """Nothing is on its way: the day closes with its window, and leaving early is told."""
    world = a_kiosk_world(engine)
    with UnitOfWork(engine) as work:
        for agent in work.session.scalars(select(models.Agent)):
            agent.revoked_at = at("07:00")
            agent.reported_to = at("07:00")
    world.punch(at("07:58"), is_in=True)
    world.punch(at("15:00"), is_in=False)
    with UnitOfWork(engine) as work:
        assert recorded_to(work, "plant", at("21:30")) == at("21:30")
    close(engine, at("23:30"))
    day = world.attendance()
    assert (day.is_provisional, day.early_leave_min) == (False, 120)


def test_the_explanation_of_a_punch_says_what_is_stored(engine):
    """In and out within a minute, after the shift's end, while a box is behind: both say the same."""
    world = a_kiosk_world(engine)
    with UnitOfWork(engine) as work:
        work.session.get_one(models.Agent, "plant-agent").reported_to = at("08:00")
    world.punch(at("17:23"), is_in=True)
    world.punch(at("17:23") + MINUTE / 2, is_in=False)
    found = explained(engine, at("17:24"), "ANI")
    with UnitOfWork(engine) as work:
        assert attendance.get(work.session, "ANI", MONDAY) == found.day == found.kept
    assert found.status == "incomplete"
    [work_hours] = [each for each in found.figures if each.name == "work"]
    assert [each.code for each in work_hours.steps] == ["not_there_in_the_shift"]


def test_it_is_told_how_somebody_is_on_record(engine):
    """Who never consented has a PIN or a badge, and the first steps do not tick photos for it."""
    a_kiosk_world(engine)
    codes = {each.code for each in explained(engine, at("09:00"), "ANI").rules}
    assert "known_by_badge_since" in codes
    assert "known_since" not in codes
    with UnitOfWork(engine) as work:
        builders.an_employee(work.session, "EVA")
        builders.an_employee(work.session, "UMI", consent_at=None, is_enrolled=False)
    assert "known_since" in {each.code for each in explained(engine, at("09:00"), "EVA").rules}
    assert "listed_since" in {each.code for each in explained(engine, at("09:00"), "UMI").rules}
    a_badge(engine, "EVA")
    assert "known_by_both_since" in {each.code for each in explained(engine, at("09:00"), "EVA").rules}


def test_a_pin_does_not_tick_the_step_of_consent_and_photos(engine):
    """With a badge and no photo the step waits, but the list does not stay for its sake."""
    a_kiosk_world(engine)
    with UnitOfWork(engine) as work:
        setup = read_setup(work.session)
    assert (setup.has_template, setup.has_badge, setup.is_done) == (False, True, True)


def test_a_working_day_before_somebody_was_on_record_is_no_day_off(engine):
    """Table and explanation say that they were not on record yet, and nothing is stored."""
    a_kiosk_world(engine)
    with UnitOfWork(engine) as work:
        noon = at("12:00")
        known = {"consent_at": None, "is_enrolled": False, "created_at": noon}
        builders.an_employee(work.session, "NEW", **known)
    a_badge(engine, "NEW", now=noon)
    with UnitOfWork(engine) as work:
        compute_day(work, "plant", MONDAY, the_rules(), now=at("23:30"))
        assert attendance.get(work.session, "NEW", MONDAY) is None
    assert explained(engine, at("23:30"), "NEW").status == "not_on_record"
    lines = {each.employee_id: each.status for each in table(engine, at("23:30")).lines}
    assert lines["NEW"] == "not_on_record"


def test_leave_is_shown_of_people_without_pin_or_consent(engine):
    """HR entered it, so it is in the table, with its kind; and nobody is called absent for it."""
    a_plant(engine)
    with UnitOfWork(engine) as work:
        builders.an_employee(work.session, "UMI", consent_at=None, is_enrolled=False)
    put(engine, models.Leave(employee_id="UMI", first_on=MONDAY, last_on=MONDAY, kind="annual"))
    put(engine, models.Leave(employee_id="UMI", first_on=TUESDAY, last_on=TUESDAY, kind="trip"))
    for day, kind in ((MONDAY, "annual"), (TUESDAY, "trip")):
        found = table(engine, at("12:00", day=day), day)
        [line] = [each for each in found.lines if each.employee_id == "UMI"]
        assert (line.status, line.leave_kind) == ("leave", kind)
        assert found.counts["leave"] == 1


def test_a_shift_that_is_shortened_after_the_fact_leaves_nobody_here(engine):
    """The way out belongs to another day by now: the first day has no end, and nobody is still here."""
    world = a_kiosk_world(engine)
    with UnitOfWork(engine) as work:
        shift = models.Shift(shift_id="night", name="night", starts=time(22), ends=time(6))
        work.session.add(shift)
        work.session.flush()
        work.session.add(models.ShiftAssignment(site_id="plant", employee_id="ANI", shift_id="night"))
    world.punch(at("22:00"), is_in=True)
    world.punch(at("06:05", day=TUESDAY), is_in=False)
    with UnitOfWork(engine) as work:
        work.session.get_one(models.Shift, "night").ends = time(22, 30)
    now = at("12:00", day=TUESDAY)
    recompute(engine, now, MONDAY, TUESDAY)
    days = {each.business_date: each for each in every(engine, models.Attendance)}
    assert MONDAY in days
    assert not (days[MONDAY].last_out_ts is None and days[MONDAY].is_provisional)
    found = explained(engine, now, "ANI")
    assert found.day == found.kept
    codes = {step.code for each in found.figures for step in each.steps}
    assert "still_here" not in codes


def test_the_day_of_all_sites_is_one_pdf_and_a_site_can_be_chosen(engine, tmp_path):
    """Without a choice the PDF has every site; with one, table, CSV and PDF have only that."""
    world = a_web_world(engine, tmp_path)
    inhabit(world)
    with UnitOfWork(engine) as work:
        builders.a_site(work.session, "depot", name="Depot Two")
        builders.an_employee(work.session, "DEP001", "depot", name="Dian Depot")
    client = world.client("hr")

    def pdf(url: str) -> str:
        pages = PdfReader(io.BytesIO(client.get(url).data)).pages
        return "\n".join(page.extract_text() for page in pages).replace("\u00a0", " ")

    both = pdf("/attendance/day.pdf")
    assert "Plant One" in both
    assert "Depot Two" in both
    one = pdf("/attendance/day.pdf?site=depot")
    assert "Depot Two" in one
    assert "Plant One" not in one
    assert "Dian Depot" in client.get("/attendance/?site=depot").text
    assert "Budi Santoso" not in client.get("/attendance/?site=depot").text
    assert "Budi Santoso" not in client.get("/attendance/day.csv?site=depot").text
    assert "Budi Santoso" in client.get("/attendance/day.csv").text
    assert client.get("/attendance/day.pdf?site=nowhere").status_code == 404
