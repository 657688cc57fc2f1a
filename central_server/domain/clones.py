"""Two live agents with one identity: a copied disk, or a box that was set up from another one's backup."""

from collections.abc import Sequence

MOST_KEPT = 8


def born(instances: Sequence[str], instance: str) -> tuple[tuple[str, ...], bool]:
    """Return the processes born so far with this one the newest, and whether that proves a clone.

    Each process has a random name that never comes again. One that says hello after another did, and has
    said so before, was alive all the while: there are two. (A broker lets one client of a name in, so two
    agents throw each other out in turn, and both keep coming back.)
    """
    if not instance:
        return tuple(instances), False
    is_clone = instance in instances[:-1]
    rest = [each for each in instances if each != instance]
    return (*rest, instance)[-MOST_KEPT:], is_clone
