"""Who is told about whom."""

from datetime import date

import pytest

from central_server.domain.escalation import Passed, PassedOver, escalation_for
from central_server.domain.people import Link, Person, Recipient

DAY = date(2026, 11, 23)
HR = Recipient(name="HR", phone="62899")


def a_person(code: str, **more) -> Person:
    return Person(
        employee_id=code, site_id="plant", name=code.title(), **{"phone": "628" + code[-1] * 8} | more
    )


def told(*links: Link, hr=(HR,), **people) -> str | None:
    everybody = {code: a_person(code, **more) for code, more in people.items()}
    found = escalation_for("e1", links, everybody, on=DAY, hr=hr).chosen
    return found and (found.employee_id or found.name)


def link(above: str, of: str = "e1", level: int = 1, **more) -> Link:
    return Link(employee_id=of, supervisor_id=above, level=level, **more)


def test_the_nearest_superior_is_told():
    """Level 1 before level 2, whatever the order of the rows."""
    assert told(link("e3", level=2), link("e2"), e2={}, e3={}) == "e2"


@pytest.mark.parametrize(
    "unfit",
    [
        {"phone": "", "email": ""},
        {"status": "resigned"},
        {"resigned_on": date(2026, 11, 20)},
        {"started_on": date(2026, 12, 1)},
    ],
    ids=["not reachable", "resigned", "left on Friday", "not begun"],
)
def test_who_cannot_act_is_passed_over(unfit):
    """The next level is told instead, and HR when there is none."""
    assert told(link("e2"), link("e3", level=2), e2=unfit, e3={}) == "e3"
    assert told(link("e2"), e2=unfit) == "HR"


def test_a_superior_without_a_phone_gets_it_by_email():
    """An address is enough to be told."""
    assert told(link("e2"), e2={"phone": "", "email": "e2@example.com"}) == "e2"


def test_the_superiors_superior_is_asked_before_hr():
    """One link up is missing at level 2, but the supervisor has a boss."""
    assert told(link("e2"), link("e3", of="e2"), e2={"status": "resigned"}, e3={}) == "e3"


def test_cycles_and_oneself_are_harmless():
    """A hierarchy that goes round in circles ends at HR; nobody is told about themselves."""
    round_about = (link("e1"), link("e2", level=2), link("e1", of="e2"), link("e2", of="e2"))
    assert told(*round_about, e1={}, e2={"status": "resigned"}) == "HR"


def test_a_link_counts_only_while_it_is_valid():
    """Last year's supervisor is not told, next year's neither."""
    old = link("e2", valid_to=date(2026, 11, 22))
    new = link("e3", valid_from=date(2026, 11, 23))
    assert told(old, new, e2={}, e3={}) == "e3"
    assert told(old, e2={}) == "HR"


def test_without_anybody_there_is_none():
    """Not even HR is known: the caller has to show that nobody was told."""
    assert told(hr=()) is None
    assert told(hr=(Recipient(name="HR"),)) is None


def test_whoever_was_added_today_was_not_absent_yesterday():
    """Absence needs employment, consent, enrolment, and having been known."""
    person = a_person("e1", known_since=DAY)
    assert person.can_be_absent_on(DAY)
    assert not person.can_be_absent_on(date(2026, 11, 22))
    assert not a_person("e1", is_enrolled=False).can_be_absent_on(DAY)


def test_who_is_passed_over_is_told_with_the_reason():
    """Absent, on a trip, not arrived, unknown, oneself: in the order of asking, up to the one who is told."""
    links = [
        link("e2"),
        link("e1", level=2),
        link("e3", level=3),
        link("gone", level=4),
        link("e4", of="e2"),
        link("e5", of="e4"),
    ]
    away = {"e2": Passed.ON_LEAVE, "e3": Passed.ON_TRIP, "e4": Passed.NOT_ARRIVED}
    people = {code: a_person(code) for code in ("e1", "e2", "e3", "e4", "e5")}
    found = escalation_for("e1", links, people, on=DAY, hr=[HR], away=away)
    assert found.chosen is not None and found.chosen.employee_id == "e5"
    assert found.passed == (
        PassedOver("e2", Passed.ON_LEAVE),
        PassedOver("e1", Passed.CIRCULAR),
        PassedOver("e3", Passed.ON_TRIP),
        PassedOver("gone", Passed.UNKNOWN),
        PassedOver("e4", Passed.NOT_ARRIVED),
    )


@pytest.mark.parametrize(
    ("unfit", "why"),
    [
        ({"status": "resigned"}, "resigned"),
        ({"status": "suspended"}, "suspended"),
        ({"resigned_on": date(2026, 11, 20)}, "not_employed"),
        ({"phone": "", "email": ""}, "unreachable"),
    ],
)
def test_when_nobody_is_left_hr_is_told(unfit, why):
    """With the reason for each who was passed over."""
    found = escalation_for("e1", [link("e2")], {"e2": a_person("e2", **unfit)}, on=DAY, hr=[HR])
    assert (found.chosen, found.passed) == (HR, (PassedOver("e2", Passed(why)),))
