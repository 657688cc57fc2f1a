"""A person-day explained: the steps lead to the figures, and every step has its words."""

import ast
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from central_server import domain
from central_server.blueprints.day_words import STEPS, Speaker
from central_server.domain.attendance import Correction, DayFacts, OvertimeRule, Punch
from central_server.domain.day_figures import day_account
from central_server.domain.evidence import CorrectionMade, Evidence, Look
from central_server.domain.explanation import Explanation, explain
from central_server.domain.intervals import Interval
from central_server.domain.shifts import Assignment, Break, LeaveSpan, Schedule, Shift
from tests.unit.test_attendance import JAKARTA, LONG_AFTER, LUNCH, MONDAY, SHIFT, at

FOLDER = Path(domain.__file__).parent
PRAYER = Break(name="Ashar", starts=time(15), ends=time(15, 20), is_paid=True)


def gap(start: str, end: str) -> Interval:
    return Interval(at(start), at(end))


def made(field: str, after: str, reason: str = "asked the foreman") -> CorrectionMade:
    return CorrectionMade(
        field=field, before="", after=after, reason=reason, made_by="hr", made_at=LONG_AFTER
    )


def explained(*seen: str, corrections: tuple[CorrectionMade, ...] = (), **more) -> Explanation:
    schedule = Schedule(
        timezone=JAKARTA,
        assignments=more.pop("assignments", (Assignment(shift=SHIFT),)),
        breaks=more.pop("breaks", (LUNCH, PRAYER)),
        holidays=more.pop("holidays", frozenset()),
        leaves=more.pop("leaves", ()),
    )
    facts = DayFacts(
        employee_id="EMP001",
        site_id="plant",
        business_date=MONDAY,
        schedule=schedule,
        seen_at=more.pop("seen_at", [at(each) for each in seen]),
        corrections=[Correction(field=e.field, after=e.after, made_at=e.made_at) for e in corrections],
        **{"as_of": LONG_AFTER, "unwatched": ()} | more,
    )
    looks = [Look(at(each), "Gate", "Entrance") for each in seen]
    looks += [Look(each.at, "Kiosk", "Entrance", "in" if each.is_in else "out") for each in facts.punches]
    return explain(
        Evidence(
            name="Budi",
            site_name="Plant One",
            facts=facts,
            looks=looks,
            holiday="Independence Day",
            corrections=corrections,
        )
    )


def words(found: Explanation, figure: str) -> list[str]:
    say = Speaker(MONDAY, JAKARTA, lambda day: day.isoformat())
    return [say.step(each) for each in next(e for e in found.figures if e.name == figure).steps]


def test_late_told_step_by_step():
    """First in 08:12; begins 08:00, grace 10; unwatched 08:05-08:11: at best 08:05, so not late."""
    found = explained("08:12", "17:00", unwatched=[gap("08:05", "08:11")])
    assert words(found, "late") == [
        "The shift begins at 08:00; 10 min of grace.",
        "Came at 08:12.",
        "Nobody watched the entrance 08:05–08:11.",
        "So the person may have come at 08:05 already; in doubt that counts.",
        "So not late, as far as can be proven.",
    ]
    assert [each.code for each in found.doubts] == ["nobody_watched"]
    assert (found.day.late_min, found.day.is_verified) == (0, False)


def test_who_is_late_in_spite_of_a_gap_is_late_by_the_least():
    """A gap that ends the doubt before the lateness does: late, counted from the gap's beginning."""
    found = explained("09:00", "17:00", unwatched=[gap("08:30", "08:40")])
    assert words(found, "late")[-2:] == [
        "So the person may have come at 08:30 already; in doubt that counts.",
        "30 min late.",
    ]


@pytest.mark.parametrize(
    ("seen", "more", "figure", "last"),
    [
        (("08:00", "17:00"), {}, "late", "So in time."),
        (("08:11", "17:00"), {}, "late", "11 min late."),
        (("08:00", "16:00"), {}, "early_leave", "Left 60 min early."),
        (
            ("08:00", "16:00"),
            {"unwatched": [gap("16:30", "17:30")]},
            "early_leave",
            "So not early, as far as can be proven.",
        ),
        (("08:00", "17:00"), {}, "work", "Together 8 h 00 min."),
        (("09:00",), {}, "work", "Seen at one moment only: how long the person was there cannot be told."),
        (("08:00", "18:00"), {}, "overtime", "0 min counts as work."),
        (("08:00", "18:00"), {"overtime": OvertimeRule.COUNTED}, "overtime", "1 h 00 min counts as work."),
        ((), {}, "first_in", "Not seen by any camera, and not clocked in."),
        (("10:00", "12:00"), {"holidays": frozenset({MONDAY})}, "late", "Holiday: Independence Day."),
        (("10:00", "12:00"), {"assignments": ()}, "late", "No shift on this day."),
        (("18:00", "19:00"), {}, "late", "That is after the shift, so it is not called late."),
        (("08:00", "16:00"), {"as_of": at("16:01")}, "early_leave", "The shift is not over."),
        (("08:00",), {"is_in_area": True, "as_of": at("09:00")}, "last_out", "Still in the area."),
        (
            ("10:00", "17:00"),
            {"leaves": (LeaveSpan(first_on=MONDAY, last_on=MONDAY, kind="trip"),)},
            "late",
            "Business trip, 2026-11-23 to 2026-11-23.",
        ),
        (
            ("10:00", "17:00"),
            {"known_at": at("09:30")},
            "late",
            "On record only since 2026-11-23, 09:30: before, nothing is known.",
        ),
        ((), {"punches": [Punch(at("08:00"), True)]}, "first_in", "Recorded at 08:00 at the kiosk Kiosk."),
    ],
)
def test_how_each_figure_ends(seen, more, figure, last):
    """The last step of a figure is what it came to, or why there is none."""
    assert words(explained(*seen, **more), figure)[-1] == last


@pytest.mark.parametrize(
    ("seen", "more", "codes"),
    [
        ((), {}, ["not_seen", "watched_all_the_time"]),
        ((), {"unwatched": [gap("08:00", "10:00")]}, ["not_seen", "watched_enough"]),
        ((), {"unwatched": [gap("08:00", "16:00")]}, ["not_seen", "watched_too_little"]),
        ((), {"as_of": at("07:00")}, ["shift_not_begun"]),
        ((), {"leaves": (LeaveSpan(first_on=MONDAY, last_on=MONDAY),)}, ["on_leave"]),
        ((), {"holidays": frozenset({MONDAY})}, ["is_holiday"]),
        ((), {"assignments": ()}, ["no_shift"]),
        ((), {"known_at": at("12:00")}, ["new_on_record"]),
        (("08:00",), {}, ["seen_once"]),
        (("06:10", "07:00"), {}, ["not_there_in_the_shift"]),
        (("08:30", "17:00"), {}, ["late_by"]),
        (("08:00", "17:00"), {}, ["was_there"]),
        (("08:00", "17:00"), {"holidays": frozenset({MONDAY})}, ["came_on_a_day_off"]),
        (("08:00", "17:00"), {"corrections": (made("status", "absent"),)}, ["status_corrected"]),
    ],
)
def test_every_status_has_its_reason(seen, more, codes):
    """Whatever the status, it is said what it rests on."""
    assert [each.code for each in explained(*seen, **more).why_status] == codes


def test_a_correction_stands_before_what_the_cameras_saw():
    """Both are told, with who, when and why; and what the day would be without it."""
    found = explained("09:00", "17:00", corrections=(made("first_in_ts", at("08:00").isoformat()),))
    assert words(found, "first_in") == [
        "Set to 08:00 by hr on 2026-11-25, 07:00: asked the foreman",
        "Seen first at 09:00 by Gate.",
    ]
    assert found.without_corrections.late_min == 60
    assert found.day.late_min == 0


def test_who_was_not_there_after_all_has_no_times():
    """HR says absent: the cameras took somebody else for them, and the explanation says so."""
    found = explained("08:00", "17:00", corrections=(made("status", "absent"),))
    assert words(found, "work") == ["HR says that the person was not at work, so there are no times."]
    assert {each.value for each in found.figures if each.name in ("first_in", "last_out")} == {None}


def test_a_reason_with_a_percent_sign_breaks_nothing():
    """What HR types is text, never a pattern."""
    found = explained("08:00", "18:00", corrections=(made("overtime_min", "60", "100% %(at)s {x}"),))
    assert any("100% %(at)s {x}" in each for each in words(found, "overtime"))


def test_times_of_another_day_carry_their_date():
    """A night shift goes over midnight, and each time says of which day it is."""
    night = Shift(shift_id="night", name="Night", starts=time(22), ends=time(6))
    found = explained("22:00", assignments=(Assignment(shift=night),), breaks=())
    assert "Shift Night, 22:00 to 06:00 (2026-11-24)." in [
        Speaker(MONDAY, JAKARTA, lambda day: day.isoformat()).step(each) for each in found.rules
    ]


def test_the_rules_say_whose_shift_it_is_and_since_when():
    """An own shift with a beginning is not the site's default."""
    own = Assignment(shift=SHIFT, valid_from=MONDAY)
    default = Assignment(shift=SHIFT, is_own=False)
    codes = [each.code for each in explained("08:00", assignments=(default, own)).rules]
    assert "own_shift_since" in codes
    assert "default_shift" in [each.code for each in explained("08:00", assignments=(default,)).rules]


moments = st.integers(0, 24 * 60 - 1).map(lambda minute: at("00:00") + timedelta(minutes=minute))
spans = st.tuples(moments, moments).map(lambda pair: Interval(min(pair), max(pair)))


@settings(max_examples=150)
@given(
    st.lists(moments, max_size=6),
    st.lists(spans, max_size=3),
    st.lists(st.builds(Punch, moments, st.booleans()), max_size=3),
    st.sampled_from(["", "status:absent", "status:late", "overtime_min:30", "first_in_ts", "last_out_ts"]),
    moments | st.just(LONG_AFTER),
    st.booleans(),
)
def test_the_steps_always_lead_to_the_figures(seen, unwatched, punches, said, as_of, is_in_area):
    """Whatever happened, late and early are told as the day counts them, and every step can be said."""
    field, _, after = said.partition(":")
    corrections = (made(field, after or at("09:15").isoformat()),) if said else ()
    found = explained(
        unwatched=unwatched,
        punches=punches,
        seen_at=seen,
        corrections=corrections,
        as_of=as_of,
        is_in_area=is_in_area,
    )
    say = Speaker(MONDAY, JAKARTA, lambda day: day.isoformat())
    for name, code, minutes in (
        ("late", "late_by", found.day.late_min),
        ("early_leave", "early_by", found.day.early_leave_min),
    ):
        steps = next(each for each in found.figures if each.name == name).steps
        told = [each.values["minutes"] for each in steps if each.code == code]
        assert told == ([minutes] if minutes else []), (name, steps)
    every = [*found.rules, *found.why_status, *found.doubts, found.closing]
    every += [step for figure in found.figures for step in figure.steps]
    assert found.day.is_verified or found.doubts
    assert not found.day.is_verified or not found.doubts
    assert all("%(" not in say.step(each) for each in every)


def test_every_step_has_words_and_every_word_is_used():
    """A code that nobody can read, or a sentence that nobody says, is a mistake."""
    names = ("day_reasons.py", "day_rules.py", "day_view.py", "explanation.py")
    nodes = [
        node for name in names for node in ast.walk(ast.parse((FOLDER / name).read_text(encoding="utf-8")))
    ]
    steps = [each for each in nodes if isinstance(each, ast.Call) and getattr(each.func, "id", "") == "Step"]
    codes = {each.args[0].value for each in steps if isinstance(each.args[0], ast.Constant)}
    spelled = {each.value for each in nodes if isinstance(each, ast.Constant)}
    joined = {f"{which}_{how}" for which in ("first", "last") for how in ("by_camera", "punch", "seen")}
    joined |= {
        f"{by}_{kind}{since}"
        for by in ("own", "default")
        for kind in ("shift", "rotation")
        for since in ("", "_since")
    }
    assert codes <= set(STEPS)
    assert joined <= set(STEPS)
    assert set(STEPS) - joined <= spelled


def test_an_explanation_changes_nothing_about_the_day():
    """It is the same account that attendance is computed from."""
    found = explained("08:00", "12:00", "17:00")
    facts = DayFacts(
        employee_id="EMP001",
        site_id="plant",
        business_date=MONDAY,
        schedule=Schedule(
            timezone=ZoneInfo("Asia/Jakarta"), assignments=(Assignment(shift=SHIFT),), breaks=(LUNCH, PRAYER)
        ),
        seen_at=[at("08:00"), at("12:00"), at("17:00")],
        as_of=datetime(2026, 11, 25, tzinfo=UTC),
    )
    assert found.day == day_account(facts).attendance


@pytest.mark.parametrize(
    ("punch", "figure", "said"),
    [
        (("17:00", False), "first_in", "Only clocked out, at 17:00: when the person came is not known."),
        (("17:00", False), "last_out", "Recorded at 17:00 at the kiosk Kiosk."),
        (("08:00", True), "first_in", "Recorded at 08:00 at the kiosk Kiosk."),
        (("08:00", True), "last_out", "Only clocked in, at 08:00: when the person went is not known."),
    ],
)
def test_who_punched_one_way_only_was_there(punch, figure, said):
    """Nothing says that they were not seen, nor that they are still here; the status says the same."""
    clock, is_in = punch
    found = explained(punches=[Punch(at(clock), is_in)])
    assert words(found, figure) == [said]
    told = {step.code for each in found.figures for step in each.steps} | {e.code for e in found.why_status}
    assert not told & {"not_seen", "still_here", "watched_too_little", "watched_all_the_time"}
    assert [each.code for each in found.why_status] == [f"only_punched_{'in' if is_in else 'out'}"]


def test_who_is_here_without_a_stay_is_not_called_unseen():
    """HR gave the first time and nothing was seen: nobody says `still in the area` for that."""
    found = explained(corrections=(made("first_in_ts", at("08:00").isoformat()),))
    assert "Still in the area." not in words(found, "last_out")


def test_two_times_outside_the_shift_are_in_order():
    """In and out within a minute after the shift: the times fit, but not there in the working time."""
    found = explained("17:20", "17:21")
    assert words(found, "work") == ["Not there during the working time itself."]
