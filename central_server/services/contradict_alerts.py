"""Take back what late news contradict: an alert about somebody who, it turns out, was there."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from central_server.config import RulesConfig
from central_server.db.stores import alerts, coverage
from central_server.db.unit_of_work import UnitOfWork
from central_server.domain.alerts import PastAlert, contradiction
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
    earliest = min(each.seen_at for each in sightings)
    past = alerts.out_of_area_since(work.session, seen_at.keys(), earliest)
    bounds = _bounds(work, past, rules)
    taken_back = set()
    for alert in past:
        against = contradiction(alert, seen_at[alert.employee_id], unseen_after=bounds[alert.alert_id])
        if against is None or against == alert.contradicted_by:
            continue
        if alerts.note_contradiction(work.session, alert.alert_id, against, now):
            taken_back.add(alert.employee_id)
    return taken_back


def _bounds(work: UnitOfWork, past: Sequence[PastAlert], rules: RulesConfig) -> dict[int, timedelta]:
    """Return, by alert, how long the person could be unseen: as the zone or the role says, the longer."""
    if not past:  # as with nearly everything that is seen now
        return {}
    zones, roles = coverage.thresholds(work.session), coverage.role_thresholds(work.session)
    found = {}
    for alert in past:
        said = (zones.get(alert.zone_id or ""), roles.get(alert.role.strip().casefold()))
        found[alert.alert_id] = max((each for each in said if each), default=rules.unseen_after)
    return found
