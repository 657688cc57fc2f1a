"""The road beside MQTT: the same messages by HTTPS, while the broker cannot be reached.

Some sites let nothing but HTTPS out, and a broker may be down for an hour. Everything that MQTT would carry
goes this way then, and what it would bring down is the answer. The first connection to the broker ends it;
whatever went both ways by then is recorded once.
"""

import logging
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from random import random

from common import wire
from common.backoff import delay_s
from common.events import AgentState, Command, CommandResult, LinkState
from common.letters import Letter
from common.topics import AgentTopics
from edge_agent.adapters.central_api import CentralAPI, CentralError
from edge_agent.adapters.outbox import Outbox, OutboxError
from edge_agent.core.pulse import Pulse
from edge_agent.drain import Drain
from edge_agent.hearing import AgentVoice, Told, hear

log = logging.getLogger("hadir.road")

TURN_S = 0.5
MOST_WAIT_S = 30.0
LONGEST_ROUND_S = 120.0  # a wait, and a request that nobody answers


@dataclass
class _Session:
    """What was said on this road since it was last opened."""

    drain: Drain
    sid: str = field(default_factory=lambda: secrets.token_hex(8))
    is_introduced: bool = False
    told: Told = field(default_factory=Told)
    heartbeat_due: float = 0.0
    obeyed: set[str] = field(default_factory=set)  # commands come again until they are finished


class HTTPRoad:
    """Start it once. `is_needed` is asked twice a second; `is_open` tells whether this road is in use."""

    def __init__(
        self,
        api: CentralAPI,
        topics: AgentTopics,
        outbox: Outbox,
        voice: AgentVoice,
        is_needed: Callable[[], bool],
        *,
        heartbeat_s: float = 15.0,
        turn_s: float = TURN_S,
        closed: Callable[[], None] = lambda: None,
    ) -> None:
        """closed: told when this road was in use and is no longer, for the other to have the last word."""
        self._closed = closed
        self._api, self._topics, self._outbox, self._voice = api, topics, outbox, voice
        self._is_needed, self._heartbeat_s, self._turn_s = is_needed, heartbeat_s, turn_s
        self._session: _Session | None = None
        self._results: list[CommandResult] = []
        self._lock, self._stopping = threading.Lock(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="road", daemon=True)
        self._last_words = ""
        self.is_open, self._moved_s = False, time.monotonic()

    def start(self) -> None:
        self._thread.start()

    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def pulse(self) -> Pulse:
        return Pulse("the road beside MQTT", self._moved_s, LONGEST_ROUND_S)

    def stop(self) -> None:
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(2)  # it may hang in a request; nothing is lost with it

    def introduce_again(self) -> None:
        """Say once more who this agent is, because that has changed; from any thread."""
        if (session := self._session) is not None:
            session.is_introduced = False

    def speak_soon(self) -> None:
        """Send a heartbeat with the next turn; from any thread."""
        if (session := self._session) is not None:
            session.heartbeat_due = 0.0

    def send_result(self, result: CommandResult) -> None:
        """Take a command's result, if this road is in use; from any thread."""
        with self._lock:
            self._results.append(result)

    def _run(self) -> None:
        failures = 0
        while not self._stopping.wait(self._pause(failures)):
            self._moved_s = time.monotonic()
            if not self._is_needed():
                self._close()
                failures = 0
                continue
            try:
                self._turn()
                failures, self._last_words = 0, ""
            except (CentralError, OutboxError) as error:
                failures += 1
                self._complain(str(error))
            except Exception:
                failures += 1
                log.exception("the road beside MQTT failed unexpectedly; it begins again")
                self._session = None
        if self.is_open:
            self._say_goodbye()

    def _pause(self, failures: int) -> float:
        return delay_s(failures, chance=random(), most_s=MOST_WAIT_S) if failures else self._turn_s

    def _complain(self, words: str) -> None:
        self.is_open = False
        level = logging.DEBUG if words == self._last_words else logging.WARNING
        self._last_words = words
        log.log(level, "HTTPS does not get through either (%s); events wait in the spool", words)

    def _close(self) -> None:
        if self._session is not None:
            log.info("the broker is back: messages go by MQTT again")
            self._closed()  # a hello of ours may have come after the other road's
        self._session, self.is_open = None, False

    def _turn(self) -> None:
        session = self._session = self._session or _Session(Drain(self._outbox))
        now = time.monotonic()
        results = self._take_results()
        if letters := [*self._introduction(session), *self._news(session, now), *map(self._letter, results)]:
            for topic, message in self._post(letters, session, results):
                hear(topic, message, self._topics, self._deaf_to_repetitions(session), session.drain, now)
            if not self.is_open:
                log.info("messages go by HTTPS, as the broker cannot be reached")
            self.is_open = True
        while self._goes_on() and (batch := session.drain.next(time.monotonic())):
            self._moved_s = time.monotonic()
            session.drain.acknowledge(self._api.post_events(batch.payload), time.monotonic())

    def _goes_on(self) -> bool:
        """Tell whether a backlog is still this road's affair."""
        return self._is_needed() and not self._stopping.is_set()

    def _post(self, letters: list[Letter], session: _Session, results: list[CommandResult]) -> list[Letter]:
        """Bring the letters; what did not get through is to be told again."""
        try:
            return self._api.post_messages(letters)
        except CentralError:
            session.is_introduced = False
            with self._lock:
                self._results = [*results, *self._results]
            raise

    def _take_results(self) -> list[CommandResult]:
        with self._lock:
            results, self._results = self._results, []
        return results

    def _letter(self, result: CommandResult) -> Letter:
        return self._topics.result(result.command_id), wire.encode(result)

    def _introduction(self, session: _Session) -> list[Letter]:
        if session.is_introduced:
            return []
        session.is_introduced = True  # first: what changes from here on is told again
        session.drain.rewind()
        session.told.forget()
        session.heartbeat_due = 0.0
        state = AgentState(state=LinkState.ONLINE, sid=session.sid, ts=_now_ms())
        return [
            (self._topics.state, wire.encode(state)),
            (self._topics.birth, wire.encode(self._voice.birth(session.sid))),
        ]

    def _news(self, session: _Session, now: float) -> list[Letter]:
        news = [
            (self._topics.camera(status.camera_id), wire.encode(status))
            for status in session.told.changed(self._voice.cameras())
        ]
        if now >= session.heartbeat_due:
            session.heartbeat_due = now + self._heartbeat_s
            news.append((self._topics.heartbeat, wire.encode(self._voice.heartbeat(session.sid))))
        return news

    def _deaf_to_repetitions(self, session: _Session) -> AgentVoice:
        def obey(command: Command) -> None:
            if command.command_id not in session.obeyed:
                session.obeyed.add(command.command_id)
                self._voice.on_command(command)

        return replace(self._voice, on_command=obey)

    def _say_goodbye(self) -> None:
        session = self._session or _Session(Drain(self._outbox))
        state = AgentState(state=LinkState.STOPPED, sid=session.sid, ts=_now_ms())
        try:
            self._api.post_messages([(self._topics.state, wire.encode(state))])
        except CentralError as error:
            log.debug("the goodbye was not heard: %s", error)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
