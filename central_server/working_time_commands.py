"""`hadir server shift …` and `hadir server holidays …`: when people work, and when nobody has to."""

import argparse

from central_server import commands
from central_server.commands import CommandError
from central_server.config import ServerConfig
from central_server.db.stores.shifts import of_site
from central_server.db.unit_of_work import UnitOfWork
from central_server.services.set_shift import ShiftRefused, set_site_shift
from central_server.services.take_holidays import UnknownYear, take_indonesias

RECOMPUTE = "Days that are closed keep their numbers until you run: hadir server recompute --from … --to …"


def set_shift(config: ServerConfig, given: argparse.Namespace) -> int:
    hours = {
        "shift_id": given.id,
        "name": given.name,
        "starts": given.starts,
        "ends": given.ends,
        "weekdays": given.weekdays,
    }
    early_leave = given.grace_min if given.early_leave_grace_min is None else given.early_leave_grace_min
    for column, minutes in (
        ("late_grace_min", given.grace_min),
        ("early_leave_grace_min", early_leave),
        ("early_in_min", given.early_in),
        ("late_out_min", given.late_out),
    ):
        if minutes is not None:  # else it stays as it is
            hours[column] = str(minutes)
    try:
        with commands._work(config) as work:
            commands._require_site(work, given.site)
            is_new = set_site_shift(work, given.site, hours, now=commands._now(), actor=commands._actor())
            newer = _newer_default(config, work, given.site)
    except ShiftRefused as refused:
        raise CommandError(f"Nothing was changed: {refused}.") from refused
    done = "made" if is_new else "changed"
    print(f"{given.name}: {given.starts} to {given.ends}, {given.weekdays}; {done}.")
    if not is_new:
        print(RECOMPUTE)
    if newer:
        print(f"It does not count today: the site has a newer default, {newer}. See Working time.")
    return 0


def _newer_default(config: ServerConfig, work: UnitOfWork, site_id: str) -> str:
    """Return what the site works today by an assignment that began later; "" if there is none."""
    schedule = of_site(work.session, site_id, config.rules.day_cutoff)
    found = schedule.assignment_on(schedule.business_date(commands._now())) if schedule else None
    if found is None or found.valid_from is None:
        return ""
    source = found.rotation or found.shift
    return f"{source.name} since {found.valid_from}" if source else ""


def take_indonesia(config: ServerConfig, given: argparse.Namespace) -> int:
    with commands._work(config) as work:
        if given.site:
            commands._require_site(work, given.site)
        try:
            done = take_indonesias(
                work,
                given.year,
                site_id=given.site,
                with_collective=not given.no_collective,
                now=commands._now(),
                actor=commands._actor(),
                dry_run=given.dry_run,
            )
        except UnknownYear as error:
            raise CommandError(f"{error}.") from error
    uncertain = 0
    for each in done.differences:
        doubt = "  (check against the decree)" if each.after["is_certain"] == "no" else ""
        uncertain += bool(doubt)
        print(f"{each.after['day']}  {each.after['kind']:<10}  {each.after['name']}{doubt}")
    words = "would be" if given.dry_run else "were"
    print(f"{done.added} {words} added, {done.changed} {words} changed, {done.unchanged} are as they were.")
    if uncertain:
        print(f"{uncertain} of them are foreseen, not announced: check them against the joint decree.")
    if done.differences and not given.dry_run:
        print(RECOMPUTE)
    return 0
