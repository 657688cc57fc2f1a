"""Which boxes may still hold a face: by what they were given and confirmed, and for how long it is lent.

Nobody can look into a box. So whatever it may hold is taken to be there, until its word or time rules it out.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

LEASE = timedelta(days=7)  # a box that hears nothing for so long forgets everybody


@dataclass(frozen=True, slots=True)
class Lent:
    """One template, as the log of changes tells its life."""

    model_id: str
    added_gen: int  # 0: before the log begins
    deleted_gen: int | None = None  # None: it is enrolled


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """What the server knows of an agent that is, or was, of the person's site."""

    agent_id: str
    model_id: str
    applied_gen: int  # the generation that it last said it holds; 0: nobody
    given_gen: int = 0  # the newest that it was given since, confirmed or not
    is_well: bool = False  # it is heard of now
    is_revoked: bool = False
    lease_ends_at: datetime | None = None  # when it forgets everybody, if it hears nothing till then


class Hold(StrEnum):
    """How a face is held."""

    ENROLLED = "enrolled"  # as it should be
    TOLD = "told"  # erased; the box is connected and about to forget it
    AWAY = "away"  # erased; the box has not been heard of since
    REVOKED = "revoked"  # erased or not: the box may not connect any more, and should hold nobody
    LAPSED = "lapsed"  # erased or not: its lease is over: it has wiped itself, or will when it is switched on


def may_hold(box: Box, template: Lent) -> bool:
    """Tell whether the box may hold a template: nothing that it said rules it out."""
    newest = max(box.applied_gen, box.given_gen)
    if box.model_id != template.model_id or newest == 0 or newest < template.added_gen:
        return False
    return template.deleted_gen is None or box.applied_gen < template.deleted_gen


def hold_of(box: Box, templates: Iterable[Lent], now: datetime) -> Hold | None:
    """Return how a box holds a person's face, if it does. What is not in order goes before what is."""
    held = [each for each in templates if may_hold(box, each)]
    if not held:
        return None
    if box.lease_ends_at is not None and box.lease_ends_at <= now:
        return Hold.LAPSED
    if box.is_revoked:
        return Hold.REVOKED
    if all(each.deleted_gen is None for each in held):
        return Hold.ENROLLED
    return Hold.TOLD if box.is_well else Hold.AWAY
