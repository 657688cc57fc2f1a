"""How far the record of a site is complete, and which box it waits for.

A day is provisional until its shift window has closed and every box has sent what it saw. A box that is
switched off holds the days open for a day at most: then they close without it, and what it still has to tell
makes a new revision.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from central_server.domain.coverage import AgentFacts

MOST_WAITING = timedelta(days=1)


def complete_to(agents: Iterable[AgentFacts], now: datetime) -> datetime:
    """Return up to where everything is recorded: as far as the box that is furthest behind has reported.

    agents: of one site, without the revoked; one that has never reported is not waited for. Without any, as
    at a site with nothing but a kiosk, nothing is on its way: that is now.
    """
    reported = [min(each.reported_to, now) for each in agents if each.reported_to]
    return max(min(reported, default=now), now - MOST_WAITING)


def waited_for(agents: Iterable[AgentFacts], until: datetime, now: datetime) -> list[AgentFacts]:
    """Return the boxes that have not yet reported everything up to an instant, the furthest behind first.

    Nobody is waited for in what is still to come, nor for longer than MOST_WAITING.
    """
    if until > now or until <= now - MOST_WAITING:
        return []
    behind = [(each.reported_to, each) for each in agents if each.reported_to and each.reported_to < until]
    return [each for _, each in sorted(behind, key=lambda one: (one[0], one[1].agent_id))]
