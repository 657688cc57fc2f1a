"""What a running agent shows of itself, as values; and whether it is as well as it was before a change."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

ONLINE = "online"


@dataclass(frozen=True, slots=True)
class Wellness:
    """What an upgrade must not make worse."""

    link: bool
    cameras: frozenset[str]  # the ids of those that see

    @classmethod
    def of(cls, snapshot: Mapping[str, Any]) -> "Wellness":
        """Read it from a snapshot; what is missing counts as not well."""
        cameras = snapshot.get("cameras", [])
        link = snapshot.get("link", {})
        seeing = (each["camera_id"] for each in cameras if each.get("state") == ONLINE)
        return cls(link.get("phase") == ONLINE, frozenset(seeing))


def worse(before: Wellness, now: Wellness) -> Sequence[str]:
    """Return what worked before and does not now, in words; empty when nothing got worse."""
    lost = [f"camera {each}" for each in sorted(before.cameras - now.cameras)]
    return [*(["the link"] if before.link and not now.link else []), *lost]


def ago(seconds: float | None) -> str:
    """Return a span in the shortest words: `3 s`, `4 min`, `2 h`, `5 d`; a dash for none."""
    if seconds is None:
        return "-"
    for limit, unit, size in ((100, "s", 1), (6000, "min", 60), (172_800, "h", 3600)):
        if seconds < limit:
            return f"{max(0, seconds) / size:.0f} {unit}"
    return f"{seconds / 86_400:.0f} d"
