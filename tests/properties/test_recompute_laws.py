"""Laws of recomputing, on random companies: many days at once come to what each comes to alone."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from central_server.db.unit_of_work import UnitOfWork
from central_server.domain.day_figures import attendance_on
from central_server.services.carry_out_recompute import Written, carry_out
from central_server.services.date_events import date_everybody, date_somebody
from central_server.services.gather_day import Cast, facts_of_day, facts_of_days
from central_server.services.plan_recompute import Plan, plan_recompute
from central_server.services.recompute_attendance import cast_of
from tests import builders
from tests.company_world import FIRST, LAST, NOW, RandomCompany, a_random_company

RULES = builders.the_rules()
SEEDS = st.integers(0, 10_000)
FEW = settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def planned(company: RandomCompany, employee_id: str | None = None) -> Plan:
    return plan_recompute(company.engine, FIRST, LAST, RULES, now=NOW, employee_id=employee_id)


def carried_out(company: RandomCompany, plan: Plan) -> Written:
    return carry_out(company.engine, plan, RULES, actor="t", now=lambda: NOW, pause=lambda: None)


@FEW
@given(seed=SEEDS)
def test_what_is_written_is_what_was_shown_and_a_second_time_nothing_changes(folder, seed):
    """After shifts have changed, too: the plan, which reads whole days, and the writing, which looks people
    up, come to the same.
    """
    with a_random_company(folder, seed) as company:
        for _ in range(2):
            plan = planned(company)
            written = carried_out(company, plan)
            assert (written.days, written.otherwise) == (len(plan.marks), 0)
            before = company.rows()
            again = planned(company)
            assert again.is_empty and again.examined >= len(plan.marks) - len(company.names) * 2
            carried_out(company, again)
            assert company.rows() == before
            company.change_shifts()


@FEW
@given(seed=SEEDS)
def test_many_days_at_once_have_the_facts_that_each_has_alone(folder, seed):
    """The sightings of a whole day, read in one go, give everybody the facts that looking them up gives."""
    with a_random_company(folder, seed) as company:
        carried_out(company, planned(company))
        with UnitOfWork(company.engine, writes=False) as work:
            cast = cast_of(work, company.names, RULES)
            dated = date_everybody(work.session, cast, FIRST, (FIRST, LAST))
            assert not dated.moves
            seen = {(each, FIRST): of_day for each, of_day in dated.seen.items()}
            days = dict.fromkeys([(each, FIRST) for each in company.names], NOW)
            for many in facts_of_days(work, days, cast, RULES, seen=seen):
                name = many.employee_id
                one = facts_of_day(
                    work, cast.people[name], FIRST, cast.schedules[name], RULES, complete_to=NOW
                )
                assert sorted(many.seen_at) == sorted(one.seen_at)
                assert sorted(many.punches) == sorted(one.punches)
                assert (many.corrections, many.unwatched) == (one.corrections, one.unwatched)
                assert (many.timezone, many.is_in_area) == (one.timezone, one.is_in_area)
                assert attendance_on(many) == attendance_on(one)


@FEW
@given(seed=SEEDS)
def test_one_person_is_planned_as_among_everybody(folder, seed):
    """Looking one person's events up finds what reading everybody's finds."""
    with a_random_company(folder, seed) as company:
        everybody = planned(company)
        alone = [planned(company, name) for name in company.names]

        assert everybody.marks == {day: mark for plan in alone for day, mark in plan.marks.items()}
        assert {move: sorted(ids) for move, ids in everybody.moves.items()} == {
            move: sorted(ids) for plan in alone for move, ids in plan.moves.items()
        }


@FEW
@given(seed=SEEDS)
def test_the_dates_of_many_moments_are_those_of_each(folder, seed):
    """Every sighting lies on the business date that its person's schedule gives it."""
    with a_random_company(folder, seed) as company:
        carried_out(company, planned(company))
        with UnitOfWork(company.engine, writes=False) as work:
            cast = cast_of(work, company.names, RULES)
            for name in company.names:
                alone = Cast({name: cast.people[name]}, {name: cast.schedules[name]})
                dated = date_somebody(work.session, alone, FIRST, (FIRST, LAST))
                for moment in dated.seen[name].seen_at if name in dated.seen else ():
                    assert cast.schedules[name].business_date(moment) == FIRST
