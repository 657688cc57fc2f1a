"""How often an address may try something: enough for people, too little for guessing."""

import threading
from collections import deque
from dataclasses import dataclass, field
from ipaddress import IPv6Address, ip_address

MOST_ADDRESSES = 10_000


@dataclass
class Throttle:
    """Counts tries by address, in one process. A try that turns out well is given back."""

    most: int
    window_s: float
    tries: dict[str, deque[float]] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def admits(self, address: str, now: float) -> bool:
        """Count a try; tell whether it may go on. Asking and counting are one step, so none slips through."""
        with self.lock:
            if len(self.tries) >= MOST_ADDRESSES:
                self._forget(now)
            tries = self.tries.setdefault(_asker(address), deque(maxlen=self.most))
            while tries and now - tries[0] > self.window_s:
                tries.popleft()
            if len(tries) >= self.most:
                return False
            tries.append(now)
            return True

    def give_back(self, address: str) -> None:
        with self.lock:
            if tries := self.tries.get(_asker(address)):
                tries.pop()

    def _forget(self, now: float) -> None:
        """Drop who has not tried lately; when too many have, those who tried longest ago."""
        lately = [(tries[-1], who) for who, tries in self.tries.items() if tries]
        newest = sorted((at, who) for at, who in lately if now - at <= self.window_s)[-MOST_ADDRESSES // 2 :]
        self.tries = {who: self.tries[who] for _, who in newest}


def _asker(address: str) -> str:
    """Return who counts as one: an IPv4 address, or the 64 bits of IPv6 that one line is given."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address):
        return str(parsed.ipv4_mapped or (int(parsed) >> 64))
    return str(parsed)
