"""Punches over a real database: an event, presence and attendance, all or nothing, once."""

from datetime import date, time, timedelta
from pathlib import Path

import pytest

from central_server.blueprints.wording import GROUPS
from central_server.db import models
from central_server.db.queries.board import BoardFilter, read_board
from central_server.db.queries.people import read_person, stays_on
from central_server.db.queries.places import read_places
from central_server.db.stores import people
from central_server.db.unit_of_work import UnitOfWork
from central_server.services import give_badge, identify_holder
from central_server.services.build_report import daily_report
from central_server.services.close_day import close_in_portions
from central_server.services.evaluate_presence import evaluate_site
from central_server.services.manage_kiosks import (
    LINK_LIFE,
    KioskRefused,
    LinkGone,
    find_kiosk,
    make_kiosk,
    open_kiosk,
    renew_link,
    revoke_kiosk,
)
from central_server.services.manage_users import hash_password
from central_server.services.record_event import record_events
from central_server.services.record_punch import PunchRefused
from central_server.services.resign_employee import resign_employee, withdraw_consent
from tests import builders
from tests.builders import EIGHT_IN_JAKARTA as EIGHT
from tests.builders import MONDAY, the_rules
from tests.kiosk_world import CHEAP_HASH, PIN, KioskWorld, a_badge, a_kiosk, a_kiosk_world

HOUR = timedelta(hours=1)


@pytest.fixture
def world(engine) -> KioskWorld:
    return a_kiosk_world(engine)


def evaluate(world: KioskWorld, now) -> None:
    with UnitOfWork(world.engine) as work:
        evaluate_site(work, "plant", the_rules(), now=now)


def test_a_day_of_punches_is_a_day_of_work(world):
    """In at 07:58, out at 17:03: present, nine hours and the rest, with nobody's face."""
    world.punch(EIGHT - timedelta(minutes=2), is_in=True)
    assert world.presence().state == "available"
    assert world.attendance().last_out_ts is None
    world.punch(EIGHT + 9 * HOUR + timedelta(minutes=3), is_in=False)
    day = world.attendance()
    assert (day.business_date, day.status, day.late_min, day.early_leave_min) == (MONDAY, "present", 0, 0)
    assert (day.first_in_ts, day.work_seconds) == (EIGHT - timedelta(minutes=2), 9 * 3600)
    assert (world.presence().state, world.presence().reason) == ("off", "punched_out")
    assert [each.kind for each in world.rows(models.Event)] == ["in", "out"]
    assert [(each.agent_id, each.epoch, each.seq) for each in world.rows(models.Event)] == [
        ("@kiosk", "kiosk-door", 1),
        ("@kiosk", "kiosk-door", 2),
    ]


def test_a_punch_sent_twice_is_one_event(world):
    """A double tap, or a retry after a lost answer: the first time counts, and is told again."""
    first = world.punch(EIGHT, is_in=True, punch_id="abcdefgh1")
    again = world.punch(EIGHT + timedelta(seconds=20), is_in=True, punch_id="abcdefgh1")
    assert (first.is_new, again.is_new) == (True, False)
    assert again.at == EIGHT
    assert len(world.rows(models.Event)) == 1
    with UnitOfWork(world.engine) as work:
        builders.an_employee(work.session, "BUDI")
    a_badge(world.engine, "BUDI")
    with pytest.raises(PunchRefused, match="other_person"):
        world.punch(EIGHT, is_in=True, employee_id="BUDI", punch_id="abcdefgh1")


def test_the_same_button_twice_is_told(world):
    """Whoever presses In in the evening hears that they were in already."""
    world.punch(EIGHT, is_in=True)
    assert world.punch(EIGHT + 9 * HOUR, is_in=True).before == EIGHT
    assert world.punch(EIGHT + 9 * HOUR, is_in=False).before is None


def test_nobody_is_out_of_area_between_two_punches(world):
    """Hours without a sighting, with every camera watching: available, and no alert."""
    world.punch(EIGHT, is_in=True)
    builders.all_healthy(world.engine, EIGHT + 4 * HOUR)
    evaluate(world, EIGHT + 4 * HOUR)
    assert world.presence().state == "available"
    assert [each for each in world.rows(models.Alert) if each.employee_id] == []


def test_dead_cameras_do_not_matter_to_who_punches(world):
    """Late is late and absent is absent though no agent was ever heard of: nothing is unknown about them."""
    with UnitOfWork(world.engine) as work:
        builders.an_employee(work.session, "TIO", is_enrolled=False, consent_at=None)
    a_badge(world.engine, "TIO")
    world.punch(EIGHT + HOUR, is_in=True)
    world.punch(EIGHT + 9 * HOUR, is_in=False)
    evaluate(world, EIGHT + 8 * HOUR)
    assert world.presence("TIO").reason == "not_arrived"
    day = world.attendance()
    assert (day.status, day.late_min, day.is_verified) == ("late", 60, True)
    close_in_portions(world.engine, "plant", the_rules(), now=EIGHT + 16 * HOUR)
    absent = world.attendance("TIO")
    assert (absent.status, absent.is_provisional, absent.is_verified) == ("absent", False, True)


def test_a_forgotten_out_is_incomplete(world):
    """When the window closes the person is off, the day asks a question, and no hours are invented."""
    world.punch(EIGHT, is_in=True)
    evaluate(world, EIGHT + 15 * HOUR)
    assert (world.presence().state, world.presence().is_punched_in) == ("off", False)
    close_in_portions(world.engine, "plant", the_rules(), now=EIGHT + 16 * HOUR)
    day = world.attendance()
    assert (day.status, day.work_seconds, day.is_provisional) == ("incomplete", None, False)


def test_the_report_counts_them_as_everybody(world):
    """They have a row with hours, and are not among those who are left out."""
    world.punch(EIGHT, is_in=True)
    world.punch(EIGHT + 9 * HOUR, is_in=False)
    with UnitOfWork(world.engine) as work:
        builders.an_employee(work.session, "NOBODY", is_enrolled=False, consent_at=None)
        report = daily_report(work, "plant", MONDAY, the_rules(), now=EIGHT + 10 * HOUR)
    assert [(row.employee_id, row.status, row.work_seconds) for row in report.rows] == [
        ("ANI", "present", 9 * 3600)
    ]
    assert [each.employee_id for each in report.excluded] == ["NOBODY"]


def test_board_and_person_show_them_properly(world):
    """In area, at the kiosk, enrolled by badge; and the day's line reaches until now."""
    world.punch(EIGHT, is_in=True)
    now = EIGHT + 2 * HOUR
    groups = {reason: group for group, reasons in GROUPS.items() for reason in reasons}
    with UnitOfWork(world.engine) as work:
        places = read_places(work.session, "Asia/Jakarta")
        board = read_board(work.session, places, BoardFilter(), None, groups, limit=9)
        person = read_person(work.session, places, "ANI", None, MONDAY)
        gap = timedelta(minutes=5)
        [stay] = stays_on(work.session, places, "ANI", MONDAY, gap=gap, now=now)
    assert [(row.reason, row.where) for row in board.rows] == [("in_area", "Entrance Zone")]
    assert person is not None
    assert (person.line.enrolment, person.presence_reason) == ("badge", "in_area")
    assert (stay.start, stay.end) == (EIGHT, now)


def test_a_punch_of_somebody_enrolled_is_a_sighting(world):
    """It opens their day and closes an alert; after it the cameras watch on."""
    with UnitOfWork(world.engine) as work:
        builders.an_employee(work.session, "BUDI")
        alert = {"kind": "out_of_area", "site_id": "plant", "log": "", "ts": EIGHT}
        work.session.add(models.Alert(dedupe_key="x", employee_id="BUDI", **alert))
    a_badge(world.engine, "BUDI")
    world.punch(EIGHT, is_in=True, employee_id="BUDI")
    assert world.attendance("BUDI").first_in_ts == EIGHT
    assert [each.state for each in world.rows(models.Alert)] == ["closed"]
    builders.all_healthy(world.engine, EIGHT + HOUR)
    evaluate(world, EIGHT + HOUR)
    assert world.presence("BUDI").reason == "out_of_area"


def test_a_camera_says_nothing_about_who_has_only_a_badge(world):
    """A box that still holds a withdrawn face moves nobody's presence."""
    event = builders.an_event(1, employee_id="ANI", at=EIGHT)
    with UnitOfWork(world.engine) as work:
        record_events("plant-agent", builders.an_envelope(event), work, the_rules(), now=EIGHT)
    assert world.rows(models.Presence) == []


def test_who_does_not_work_here_cannot_punch(world):
    """Suspended, not begun, resigned: refused, and nothing is recorded. Resigning takes the badge."""
    for change in ({"status": "suspended"}, {"started_on": MONDAY + timedelta(days=1)}):
        with UnitOfWork(world.engine) as work:
            ani = work.session.get_one(models.Employee, "ANI")
            kept = {name: getattr(ani, name) for name in change}
            for name, value in change.items():
                setattr(ani, name, value)
        with pytest.raises(PunchRefused, match="inactive"):
            world.punch(EIGHT, is_in=True)
        with UnitOfWork(world.engine) as work:
            ani = work.session.get_one(models.Employee, "ANI")
            for name, value in kept.items():
                setattr(ani, name, value)
    with UnitOfWork(world.engine) as work:
        resign_employee(work, "ANI", MONDAY, Path("/nowhere"), now=EIGHT, actor="user:hr")
    assert world.rows(models.Badge) == []
    assert world.rows(models.Event) == []


def test_withdrawing_consent_leaves_the_badge(world):
    """It is what they have instead; and days before the badge are not held against them."""
    with UnitOfWork(world.engine) as work:
        builders.an_employee(work.session, "BUDI")
    a_badge(world.engine, "BUDI", now=EIGHT + 24 * HOUR)
    with UnitOfWork(world.engine) as work:
        withdraw_consent(work, "BUDI", Path("/nowhere"), now=EIGHT + 25 * HOUR, actor="user:hr")
        budi = people.by_id(work.session, ["BUDI"])["BUDI"]
    assert budi.has_badge
    assert budi.can_be_absent_on(MONDAY + timedelta(days=1))
    assert not budi.can_be_absent_on(MONDAY)


def tried(world: KioskWorld, pin: str, now, code: str = "ani") -> str | None:
    with UnitOfWork(world.engine) as work:
        attempt = identify_holder.begin_try(work, code, now=now)
    found = identify_holder.holder_by_pin(attempt, pin)
    if found:
        with UnitOfWork(world.engine) as work:
            identify_holder.take_back(work, found)
    return found


def test_five_wrong_pins_in_a_row_close_it_for_a_while(world):
    """The right one then waits too; four wrong ones and a right one are forgiven; HR's new PIN opens it."""
    assert [tried(world, "000000", EIGHT) for _ in range(4)] == [None] * 4
    assert tried(world, PIN, EIGHT) == "ANI"
    assert [tried(world, "000000", EIGHT) for _ in range(5)] == [None] * 5
    assert tried(world, PIN, EIGHT + timedelta(minutes=4)) is None
    assert tried(world, PIN, EIGHT + timedelta(minutes=6)) == "ANI"
    assert [tried(world, "000000", EIGHT) for _ in range(5)] == [None] * 5
    with UnitOfWork(world.engine) as work:
        give_badge.give_pin(work, "ANI", CHEAP_HASH, now=EIGHT, by="hr")
    assert tried(world, PIN, EIGHT) == "ANI"


def test_many_guesses_at_once_are_no_more_than_one_after_the_other(world):
    """Each is counted before it is judged: of twenty begun together five are judged at all."""
    with UnitOfWork(world.engine) as work:
        begun = [identify_holder.begin_try(work, "ANI", now=EIGHT) for _ in range(20)]
    assert [bool(each.employee_id) for each in begun] == [True] * 5 + [False] * 15


def test_a_pin_is_kept_as_passwords_are(world):
    """Six digits by chance, of which only the slow hash stays; nobody without one has the empty PIN."""
    pin = give_badge.new_pin()
    assert len(pin) == 6 and pin.isdigit()
    with UnitOfWork(world.engine) as work:
        give_badge.give_pin(work, "ANI", hash_password(pin), now=EIGHT, by="hr")
        assert work.session.get_one(models.Badge, "ANI").pin_hash.startswith("$argon2id$")
    assert tried(world, pin, EIGHT) == "ANI"
    with UnitOfWork(world.engine) as work:
        work.session.get_one(models.Badge, "ANI").pin_hash = ""
    assert tried(world, "", EIGHT) is None


def test_a_new_badge_makes_the_old_one_worthless(world):
    """Only the hash is kept, and capitals do not matter to a scanner with caps lock on."""
    with UnitOfWork(world.engine) as work:
        assert identify_holder.holder_by_code(work.session, world.code.lower()) == "ANI"
        assert world.code not in str(work.session.get_one(models.Badge, "ANI").__dict__)
        code = give_badge.new_code()
        give_badge.give_code(work, "ANI", code, now=EIGHT, by="hr")
        work.session.flush()
        assert identify_holder.holder_by_code(work.session, world.code) is None
        assert identify_holder.holder_by_code(work.session, code) == "ANI"
        assert identify_holder.holder_by_code(work.session, "EMP001") is None


def test_taking_the_badge_away_ends_it(world):
    """Who was punched in cannot punch out any more, so nobody claims that they are still there."""
    world.punch(EIGHT, is_in=True)
    with UnitOfWork(world.engine) as work:
        assert give_badge.remove_badge(work, "ANI", now=EIGHT + HOUR, by="hr")
        assert not give_badge.remove_badge(work, "ANI", now=EIGHT + HOUR, by="hr")
    assert world.rows(models.Badge) == world.rows(models.Presence) == []
    assert len(world.rows(models.Event)) == 1


def test_a_link_makes_one_tablet_a_kiosk_once(world):
    """Used, too old or replaced it is worthless, and it is not itself the tablet's token."""
    named = {"name": "Back door", "site_id": "plant", "zone_id": None, "by": "admin"}
    with UnitOfWork(world.engine) as work:
        kiosk, secret = make_kiosk(work, now=EIGHT, **named)
        _, token = open_kiosk(work, secret, now=EIGHT)
        with pytest.raises(LinkGone):
            open_kiosk(work, secret, now=EIGHT)
        assert find_kiosk(work.session, secret) is None
        assert find_kiosk(work.session, token) == kiosk
        newer = renew_link(work, kiosk.kiosk_id, now=EIGHT, by="admin")
        assert find_kiosk(work.session, token) is None
        with pytest.raises(LinkGone):
            open_kiosk(work, newer, now=EIGHT + LINK_LIFE + HOUR)
        kept = str({**kiosk.__dict__}) + str([each.detail for each in work.session.query(models.AuditLog)])
    assert not {secret, token, newer} & set(kept.split("'"))


def test_a_kiosk_that_is_shut_out_is_none(world):
    """At once, and no link brings it back; its events keep its name."""
    world.punch(EIGHT, is_in=True)
    with UnitOfWork(world.engine) as work:
        revoke_kiosk(work, "kiosk-door", now=EIGHT, by="admin")
        assert find_kiosk(work.session, world.token) is None
        with pytest.raises(KioskRefused):
            renew_link(work, "kiosk-door", now=EIGHT, by="admin")
        places = read_places(work.session, "Asia/Jakarta")
    assert places.camera_name("kiosk-door") == "Door"


def test_two_kiosks_number_their_own_events(world):
    """Each counts for itself, and names that are alike get ids that differ."""
    other, _ = a_kiosk(world.engine, "Door")
    assert other.kiosk_id == "kiosk-door-2"
    world.punch(EIGHT, is_in=True)
    world.kiosk = other
    world.punch(EIGHT + HOUR, is_in=False)
    assert [(each.epoch, each.seq) for each in world.rows(models.Event)] == [
        ("kiosk-door", 1),
        ("kiosk-door-2", 1),
    ]


def test_a_night_shift_is_one_day(world):
    """In at 21:55 and out at 06:02 belong to the evening, in the site's own time."""
    with UnitOfWork(world.engine) as work:
        day = {"starts": time(22), "ends": time(6)}
        work.session.add(models.Shift(shift_id="night", name="night", **day))
        work.session.flush()
        work.session.add(models.ShiftAssignment(site_id="plant", employee_id="ANI", shift_id="night"))
    world.punch(EIGHT + 14 * HOUR - timedelta(minutes=5), is_in=True)
    world.punch(EIGHT + 22 * HOUR + timedelta(minutes=2), is_in=False)
    day = world.attendance()
    assert (day.business_date, day.status, day.work_seconds) == (date(2026, 11, 23), "present", 8 * 3600)
