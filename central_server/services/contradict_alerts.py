"""Take back what late news contradict: an alert about somebody who, it turns out, was there."""

from collections.abc import Sequence
from datetime import datetime

from central_server.config import RulesConfig
from central_server.db.stores import alerts, coverage
from central_server.db.unit_of_work import UnitOfWork
from central_server.domain.alerts import contradiction
from central_server.domain.presence import Sighting


def contradict_alerts(
    work: UnitOfWork, sightings: Sequence[Sighting], rules: RulesConfig, *, now: datetime
) -> set[str]:
    """Close the alerts that these sightings show to be wrong, and say so on those closed before.

    Returns the people about whom one was open. Nothing is opened, and nobody is told anew.
    """
    if not sightings:
        return set()
    seen_at: dict[str, list[datetime]] = {}
    for each in sightings:
        seen_at.setdefault(each.employee_id, []).append(each.seen_at)
    past = alerts.out_of_area_since(
        work.session,
        seen_at.keys(),
        min(each.seen_at for each in sightings),
        by_zone=coverage.thresholds(work.session),
        by_role=coverage.role_thresholds(work.session),
        unseen_after=rules.unseen_after,
    )
    taken_back = set()
    for alert in past:
        against = contradiction(alert, seen_at[alert.employee_id])
        if against is None or against == alert.contradicted_by:
            continue
        if alerts.note_contradiction(work.session, alert.alert_id, against, now):
            taken_back.add(alert.employee_id)
    return taken_back
