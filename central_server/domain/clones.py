"""Two live agents with one identity: a copied disk, or a box that was set up from another one's backup."""

from collections.abc import Sequence

MOST_KEPT = 16


def is_old_news(births: Sequence[str], instance: str, sid: str, current_sid: str) -> bool:
    """Tell whether a birth is of a connection that another one has followed, and so a broker's memory.

    A broker gives out what it keeps whenever a server begins to listen, and some messages twice.
    """
    return current_sid not in ("", sid) and _name(instance, sid) in births[:-1]


def born(births: Sequence[str], instance: str, sid: str) -> tuple[tuple[str, ...], bool]:
    """Return the births so far with this one the newest, and whether that proves a clone.

    Each process has a random name that never comes again, and so has each of its connections (sid). A process
    that makes a new connection after another process did, and had made one before, was alive all the while:
    there are two. (A broker lets one client of a name in, so two agents throw each other out in turn, and
    both keep coming back.) A birth that is known came twice, and proves nothing.
    """
    name = _name(instance, sid)
    if not instance or name in births:
        return tuple(births), False
    came_back = any(_process(each) == instance for each in births[:-1])
    is_clone = came_back and _process(births[-1]) != instance
    return (*births, name)[-MOST_KEPT:], is_clone


def _name(instance: str, sid: str) -> str:
    return f"{instance}/{sid}"


def _process(birth: str) -> str:
    return birth.partition("/")[0]
