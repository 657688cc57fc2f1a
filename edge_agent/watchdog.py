"""Feeds systemd's watchdog while everything moves, and keeps the line of `systemctl status` true."""

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from edge_agent.adapters.service_notice import ServiceNotice
from edge_agent.core.pulse import Pulse, hanging

log = logging.getLogger("hadir.agent")

STATUS_EVERY_S = 5.0


@dataclass(slots=True)
class Watchdog:
    """`look` is called by the agent's main loop, a few times a second: if that hangs, nobody feeds either."""

    notice: ServiceNotice
    pulses: Callable[[], Iterable[Pulse]]
    words: Callable[[Sequence[str]], str]  # of the status, given who hangs
    _fed_s: float = field(default=float("-inf"), init=False)
    _told_s: float = field(default=float("-inf"), init=False)
    _hung: list[str] = field(default_factory=list, init=False)

    def look(self, now_s: float) -> None:
        """Feed the watchdog if all parts moved lately; say once who does not."""
        stuck = hanging(self.pulses(), now_s)
        if stuck != self._hung:
            self._complain(stuck)
            self._hung, self._told_s = stuck, float("-inf")
        if now_s - self._told_s >= STATUS_EVERY_S:
            self._told_s = now_s
            self.notice.status(self.words(stuck))
        every_s = self.notice.feed_every_s
        if every_s is not None and not stuck and now_s - self._fed_s >= every_s:
            self._fed_s = now_s
            self.notice.feed_watchdog()

    def _complain(self, stuck: Sequence[str]) -> None:
        if stuck:
            log.error("%s hangs; the watchdog will start the agent again", " and ".join(stuck))
        else:
            log.info("everything moves again")
