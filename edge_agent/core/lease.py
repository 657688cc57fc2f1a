"""For how long a gallery is lent to this box: counted by whichever clock can be believed.

While the machine runs, its uptime counts: nobody can set it. Over a restart only the wall clock can tell how
long it was off, and that clock may have stood still, or be put right minutes later; what it says is believed
where it makes the time longer.
"""

from dataclasses import dataclass, replace

BEHIND_S = 300.0  # our clock may be so much behind the server's


@dataclass(frozen=True, slots=True)
class Reading:
    """The clocks at one moment. Two readings of one boot have the same boot_id."""

    wall_s: float  # since 1970, as far as the clock is right
    up_s: float  # since the machine was started, sleep included
    boot_id: str


@dataclass(frozen=True, slots=True)
class Lease:
    """What was lent for lease_s, of which spent_s were over at the reading `at`.

    off_since_s and off_s: when the lease was last looked at before this boot, by the wall clock, and the part
    of spent_s that the machine is thought to have been off since then.
    """

    lease_s: float
    spent_s: float
    at: Reading
    off_since_s: float | None = None
    off_s: float = 0.0

    def now(self, now: Reading) -> "Lease":
        """Return the lease as it stands now. It is never younger than before."""
        if now.boot_id != self.at.boot_id:
            return Lease(
                self.lease_s, self.spent_s, Reading(self.at.wall_s, 0.0, now.boot_id), self.at.wall_s
            ).now(now)
        ran = max(0.0, now.up_s - self.at.up_s)
        off = self.off_s
        if self.off_since_s is not None:
            off = max(off, now.wall_s - now.up_s - self.off_since_s)
        return replace(self, spent_s=self.spent_s + (ran + (off - self.off_s)), at=now, off_s=off)

    def left_s(self, now: Reading) -> float:
        """Return the seconds that are left; 0 when it is over."""
        return max(0.0, self.lease_s - self.now(now).spent_s)


def lent_now(lease_s: float, now: Reading) -> Lease:
    """Return the lease of a manifest that the server has just given us."""
    return Lease(lease_s, 0.0, now)


def lent_at(lease_s: float, issued_s: float, now: Reading) -> Lease | None:
    """Return the lease of a manifest that was waiting for us, counted from when it was issued.

    None when that cannot be told: by our clock it lies in the future, or so far back that it is over.
    """
    age = now.wall_s - issued_s
    if not -BEHIND_S <= age < lease_s:
        return None
    return Lease(lease_s, max(0.0, age), now)
