"""Write what a recompute has planned: a portion at a time, each computed anew as it is written."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine

from central_server.config import RulesConfig
from central_server.db.stores import events
from central_server.db.unit_of_work import UnitOfWork, let_others_write
from central_server.services.audit import note
from central_server.services.date_events import still_moving
from central_server.services.plan_recompute import Plan, digest, portions_of
from central_server.services.recompute_attendance import cast_of, recompute_days

MOST_A_PORTION = 200  # person-days: what is live waits for the writing of no more


@dataclass
class Written:
    """What came of a plan."""

    days: int = 0  # that were written
    otherwise: int = 0  # of them, those that came to something else than the plan had shown


def carry_out(
    engine: Engine,
    plan: Plan,
    rules: RulesConfig,
    *,
    actor: str,
    now: Callable[[], datetime],
    pause: Callable[[], None] = let_others_write,
    progress: Callable[[int, int], None] = lambda *_: None,
    most: int = MOST_A_PORTION,
) -> Written:
    """Write what the plan changes, about `most` person-days at a time, and return what came of it.

    Between planning and writing people are seen, and HR goes on working: each portion is computed from the
    facts as they are in the transaction that writes it, so that nothing stale is stored. Each is a short
    transaction, and pause() lets others write in between. Whoever reads meanwhile sees some people's days as
    they were and others' as they will be, but no person half done. Broken off, it can simply be begun again.
    """
    written = Written()
    with UnitOfWork(engine) as work:
        subject = f"{plan.first} {plan.last}"
        note(work, actor, "attendance.recompute", subject, now=now(), days=len(plan.marks), moved=plan.moved)
    done = 0
    for days, moves in portions_of(plan, most):
        pause()
        with UnitOfWork(engine) as work:
            cast = cast_of(work, {employee_id for employee_id, _ in days}, rules)
            for (_, _, day), event_ids in still_moving(work.session, moves, cast.schedules):
                events.move_to_day(work.session, event_ids, day)
            results = recompute_days(work, days, rules, now=now())
        planned = [(each, plan.marks.get((each.employee_id, each.business_date))) for each in results]
        written.days += sum(mark is not None for _, mark in planned)
        written.otherwise += sum(mark is not None and mark != digest(each) for each, mark in planned)
        done += sum(each in plan.marks for each in days)
        progress(done, len(plan.marks))
    return written
