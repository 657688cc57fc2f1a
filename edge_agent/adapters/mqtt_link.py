"""The agent's end of the MQTT wire: one thread that connects, sends, listens, and never gives up.

paho's own network thread is not used: it dies of an exception in a callback and still says "connected", and
it sends what was published while offline in one burst. Here one thread runs everything, a new client is made
for each connection, nothing is published while there is none, and what is unsent waits in the outbox.
"""

import logging
import secrets
import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from enum import StrEnum
from random import random
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from common import topics, wire
from common.backoff import delay_s
from common.events import AgentState, CommandResult, LinkState, ServerState
from edge_agent.adapters.identity_file import BrokerAccess, Identity
from edge_agent.adapters.outbox import Outbox, OutboxError
from edge_agent.core.pulse import Pulse
from edge_agent.drain import Drain
from edge_agent.hearing import AgentVoice, Told, hear

log = logging.getLogger("hadir.link")

KEEPALIVE_S = 15
ANSWER_PATIENCE_S = 6.0  # for the broker's answer to CONNECT
BRISK_S, BRISK_WAIT_S = 30.0, 2.0  # a broker that restarts is back within seconds: no long waits at first
LAST_WORDS_S = 2.0  # for what is unsent at a clean stop
WILL_DELAY_S = 10
TURN_S = 0.05
MOST_IN_PAHO = 64
REFUSALS = 3  # of our credentials, in a row, before they are renewed
STRANGER = (0x86, 0x87)  # bad user name or password, not authorised
LONGEST_ROUND_S = 120.0  # one connection attempt behind a dead DNS


class LinkError(Exception):
    """The connection could not be made, or is gone; says why."""


class LinkPhase(StrEnum):
    WAITING = "waiting"
    CONNECTING = "connecting"
    ONLINE = "online"
    STOPPED = "stopped"


class MQTTLink:
    """Start it once. `phase` says what it is doing; `is_alive()` must stay true until stop()."""

    def __init__(
        self,
        identity: Identity,
        outbox: Outbox,
        voice: AgentVoice,
        *,
        heartbeat_s: float = 15.0,
        most_wait_s: float = 30.0,
        renew_account: Callable[[], BrokerAccess | None] | None = None,  # None from it: not now
    ) -> None:
        self.identity, self.outbox, self.voice = identity, outbox, voice
        self.heartbeat_s, self.most_wait_s, self.renew_account = heartbeat_s, most_wait_s, renew_account
        self.phase, self._offline_since = LinkPhase.WAITING, time.monotonic()
        self._topics = topics.AgentTopics(identity.agent_id)
        self._protocol = identity.broker.protocol
        self._results: deque[CommandResult] = deque()
        self._stopping, self._heartbeat_wanted = threading.Event(), threading.Event()
        self._has_changed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="link", daemon=True)
        self._last_words = ""
        self.moved_s = time.monotonic()  # when the thread last went round
        self.server_online = True

    def start(self) -> None:
        self._thread.start()

    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def offline_s(self) -> float:
        """Return for how many seconds there has been no connection to the broker; 0 while there is one."""
        return 0.0 if self.phase is LinkPhase.ONLINE else time.monotonic() - self._offline_since

    def pulse(self) -> Pulse:
        return Pulse("the link", self.moved_s, LONGEST_ROUND_S)

    @property
    def trouble(self) -> str:
        """What is wrong, in words; empty while there is a connection."""
        return "" if self.phase is LinkPhase.ONLINE else self._last_words

    def introduce_again(self) -> None:
        """Say once more what this agent is, and how its cameras are, because that has changed; any thread."""
        self._has_changed.set()

    def send_result(self, result: CommandResult) -> None:
        """Queue a command's result; from any thread."""
        self._results.append(result)

    def speak_soon(self) -> None:
        """Send the next heartbeat now; from any thread."""
        self._heartbeat_wanted.set()

    def stop(self) -> None:
        """Send what is left, say goodbye, and end; within a few seconds."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(LAST_WORDS_S + ANSWER_PATIENCE_S)

    # -- the thread ------------------------------------------------------------------------------------------

    def _run(self) -> None:
        failures = refusals = 0
        while not self._stopping.is_set():
            self.moved_s = time.monotonic()
            session = _Session(self)
            try:
                session.run()
            except (LinkError, OSError, OutboxError) as error:
                self._complain(str(error) or type(error).__name__)
            except Exception:
                log.exception("the link failed unexpectedly; it begins again")
            finally:
                session.close()
            if session.was_online:
                failures = refusals = 0
                self._last_words, self._offline_since = "", time.monotonic()
            elif session.protocol_refused:
                self._protocol = "311" if self._protocol == "5" else "5"
            failures, refusals = failures + 1, refusals + session.is_stranger
            self.moved_s = time.monotonic()  # a dead DNS may have taken a minute, and may take another
            if refusals >= REFUSALS and self._renew_account():
                failures = refusals = 0
            self.phase, self.moved_s = LinkPhase.WAITING, time.monotonic()
            most_s = min(self.most_wait_s, BRISK_WAIT_S) if self.offline_s() < BRISK_S else self.most_wait_s
            self._stopping.wait(delay_s(failures, chance=random(), most_s=most_s))
        self.phase = LinkPhase.STOPPED

    def _complain(self, words: str) -> None:
        """Say it once aloud; the same again, only to those who listen closely."""
        level = logging.DEBUG if words == self._last_words else logging.WARNING
        self._last_words = words
        log.log(level, "%s; events wait in the spool", words.rstrip("."))

    def _renew_account(self) -> bool:
        """Have the broker know us again, or us the broker. Tells whether there is anything new to try."""
        try:
            access = self.renew_account() if self.renew_account else None
        except Exception:
            log.exception("the account could not be renewed")
            return False
        if access is not None:
            self.identity, self._protocol = replace(self.identity, broker=access), access.protocol
        return access is not None


class _Session:
    """One connection, from CONNECT to the end. Everything happens on the link's thread."""

    def __init__(self, link: MQTTLink) -> None:
        self.link, self.topics = link, link._topics
        self.sid = secrets.token_hex(8)
        self.drain = Drain(link.outbox)
        self.inbox: deque[mqtt.MQTTMessage] = deque()
        self.answer: Any = None  # the reason code of CONNACK
        self.granted: Any = None  # the reason codes of SUBACK
        self.was_online = self.protocol_refused = False
        self.is_stranger = False  # the broker does not know us, or we do not know it
        self.server_online, self.server_instance = True, ""
        self.heartbeat_due = self.cameras_due = 0.0
        self.told = Told()
        self.refused_before = False
        self.client = self._new_client()

    def _new_client(self) -> mqtt.Client:
        broker, v5 = self.link.identity.broker, self.link._protocol == "5"
        client = mqtt.Client(
            mqtt.CallbackAPIVersion.VERSION2,
            client_id=self.link.identity.agent_id,
            protocol=mqtt.MQTTv5 if v5 else mqtt.MQTTv311,
            clean_session=None if v5 else True,
            reconnect_on_failure=False,
        )
        client.username_pw_set(broker.username, broker.password)
        if broker.ca_pem:
            client.tls_set_context(ssl.create_default_context(cadata=broker.ca_pem))
        client.connect_timeout = 5.0
        client.max_inflight_messages_set(MOST_IN_PAHO)
        will = AgentState(state=LinkState.OFFLINE, sid=self.sid, ts=_now_ms())
        delay = None
        if v5:
            delay = Properties(PacketTypes.WILLMESSAGE)
            delay.WillDelayInterval = WILL_DELAY_S
        client.will_set(self.topics.state, wire.encode(will), qos=1, retain=True, properties=delay)
        client.on_connect = lambda _c, _u, _f, code, _p: setattr(self, "answer", code)
        client.on_subscribe = lambda _c, _u, _m, codes, _p: setattr(self, "granted", codes)
        client.on_message = lambda _c, _u, message: self.inbox.append(message)
        client.on_publish = lambda _c, _u, _mid, code, _p: self._published(code)
        return client

    def run(self) -> None:
        """Stay connected until stop() or a LinkError."""
        link = self.link
        link.phase = LinkPhase.CONNECTING
        self._connect()
        self.was_online, link.phase = True, LinkPhase.ONLINE
        log.info("connected to the broker at %s:%d", link.identity.broker.host, link.identity.broker.port)
        self._introduce()
        while not link._stopping.is_set():
            self._turn()
        until = time.monotonic() + LAST_WORDS_S
        while link.outbox.state().depth and self.server_online and time.monotonic() < until:
            self._turn()
        self._publish(self.topics.state, self._state(LinkState.STOPPED), retain=True)
        self._flush(until=time.monotonic() + LAST_WORDS_S)
        self.client.disconnect()

    def close(self) -> None:
        """Drop the socket without a word, if it is still there: the broker then publishes the will."""
        self.client.on_connect = self.client.on_subscribe = None  # no cycle is left
        self.client.on_message = self.client.on_publish = None
        if (sock := self.client.socket()) is not None:
            sock.close()

    def _connect(self) -> None:
        broker = self.link.identity.broker
        where = f"the broker at {broker.host}:{broker.port}"
        try:
            options = {"clean_start": True} if self.link._protocol == "5" else {}
            self.client.connect(broker.host, broker.port, keepalive=KEEPALIVE_S, **options)
        except (OSError, ValueError) as error:
            self.is_stranger = isinstance(error, ssl.SSLCertVerificationError)
            raise LinkError(f"{where} is not reachable ({error})") from error
        until = time.monotonic() + ANSWER_PATIENCE_S
        while self.answer is None:
            if self.client.loop(TURN_S) != mqtt.MQTT_ERR_SUCCESS or time.monotonic() > until:
                self.protocol_refused = self.answer is None
                break
            if self.link._stopping.is_set():
                raise LinkError("stopped while connecting")
        if self.answer is None:
            raise LinkError(f"{where} does not answer to MQTT {self.link._protocol}")
        if self.answer.is_failure:
            self.protocol_refused = "protocol" in str(self.answer).lower()
            self.is_stranger = self.answer.value in STRANGER
            raise LinkError(f"{where} refused {broker.username!r}: {self.answer}")
        self._subscribe(where)

    def _subscribe(self, where: str) -> None:
        """Without these topics no acknowledgement would come: nothing begins before they are granted."""
        self.client.subscribe([(self.topics.everything_down, 1), (topics.SERVER_STATE, 1)])
        until = time.monotonic() + ANSWER_PATIENCE_S
        while self.granted is None and time.monotonic() < until and not self.link._stopping.is_set():
            self._loop()
        if self.granted is None or any(code.is_failure for code in self.granted):
            raise LinkError(f"{where} does not let {self.link.identity.broker.username!r} listen")

    def _introduce(self) -> None:
        """Say who we are and how the cameras are, and begin again with the first unacknowledged event."""
        self._tell_birth()
        self.drain.rewind()

    def _tell_birth(self) -> None:
        self.link._has_changed.clear()  # first: what changes from here on is told again
        self._publish(self.topics.state, self._state(LinkState.ONLINE), retain=True)
        self._publish(self.topics.birth, self.link.voice.birth(self.sid), retain=True)
        self.told.forget()
        self.heartbeat_due = self.cameras_due = 0.0

    def _turn(self) -> None:
        self._loop()
        while self.inbox:
            self._hear(self.inbox.popleft())
        if self.link._has_changed.is_set():
            self._tell_birth()
        now = time.monotonic()
        if now >= self.cameras_due:
            self.cameras_due = now + min(1.0, self.link.heartbeat_s)
            self._tell_cameras()
        if now >= self.heartbeat_due or self.link._heartbeat_wanted.is_set():
            self.link._heartbeat_wanted.clear()
            self.heartbeat_due = now + self.link.heartbeat_s * (0.95 + 0.1 * random())
            self._publish(self.topics.heartbeat, self.link.voice.heartbeat(self.sid), qos=0)
        while self.link._results:
            result = self.link._results.popleft()
            self._publish(self.topics.result(result.command_id), result)
        while self.server_online and (batch := self.drain.next(now)):
            self._publish(self.topics.events, batch.payload)

    def _loop(self) -> None:
        self.link.moved_s = time.monotonic()
        code = self.client.loop(TURN_S)
        if code != mqtt.MQTT_ERR_SUCCESS:
            raise LinkError(f"the connection to the broker is gone ({mqtt.error_string(code).rstrip('.')})")

    def _tell_cameras(self) -> None:
        for status in self.told.changed(self.link.voice.cameras()):
            self._publish(self.topics.camera(status.camera_id), status, retain=True)

    def _hear(self, message: mqtt.MQTTMessage) -> None:
        if message.topic != topics.SERVER_STATE:
            hear(message.topic, message.payload, self.topics, self.link.voice, self.drain, time.monotonic())
            return
        try:
            self._hear_server(wire.decode(ServerState, message.payload), retained=message.retain)
        except wire.MalformedMessage as error:
            log.warning("a message on %s cannot be read: %s", message.topic, error)

    def _hear_server(self, server: ServerState, *, retained: bool) -> None:
        came_back = server.online and (not self.server_online or server.instance != self.server_instance)
        first = not self.server_instance
        if server.online != self.server_online:
            log.info("the server is %s", "back" if server.online else "away; events wait in the spool")
        self.server_online = self.link.server_online = server.online
        self.server_instance = server.instance or self.server_instance
        if came_back and not (first and retained):
            self._introduce()

    def _state(self, state: LinkState) -> AgentState:
        return AgentState(state=state, sid=self.sid, ts=_now_ms())

    def _publish(self, topic: str, value: Any, *, qos: int = 1, retain: bool = False) -> None:
        payload = value if isinstance(value, bytes) else wire.encode(value)
        info = self.client.publish(topic, payload, qos=qos, retain=retain)
        if info.rc != mqtt.MQTT_ERR_SUCCESS:
            raise LinkError(f"publishing failed ({mqtt.error_string(info.rc).rstrip('.')})")

    def _published(self, code: Any) -> None:
        """A PUBACK is no delivery, but a refusal tells of a fault in the broker's access rules."""
        if code.is_failure and not self.refused_before:
            self.refused_before = True
            log.error("the broker refuses what this agent publishes: %s", code)

    def _flush(self, until: float) -> None:
        while self.client.want_write() or self.client._out_messages:
            if time.monotonic() > until or self.client.loop(TURN_S) != mqtt.MQTT_ERR_SUCCESS:
                return


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def reach(host: str, port: int, timeout_s: float = 5.0) -> None:
    """Open and close a TCP connection. Raises LinkError in a technician's words."""
    try:
        socket.create_connection((host, port), timeout_s).close()
    except socket.gaierror as error:
        raise LinkError(f"the name {host} is not known to DNS") from error
    except TimeoutError as error:
        raise LinkError(f"{host} does not answer on port {port} (switched off, or a firewall)") from error
    except OSError as error:
        raise LinkError(f"{host} refuses connections on port {port} ({error.strerror or error})") from error
