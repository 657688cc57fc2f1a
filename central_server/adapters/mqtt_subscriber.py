"""The server's end of the MQTT wire: what arrives is committed, then acknowledged, in that order.

One thread does everything, as at the agent's end. The session is persistent and acks are ours to give, so
what was not committed comes again. After the commit the agent is told how far it may forget.
"""

import logging
import secrets
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from random import random
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from sqlalchemy import Engine
from sqlalchemy.exc import InterfaceError, OperationalError, TimeoutError

from central_server.adapters.agent_accounts import agent_accounts
from central_server.adapters.broker_accounts import password_of_server, protocol_of
from central_server.adapters.command_post import CommandPost
from central_server.adapters.message_intake import Acks, record_messages, record_stubborn_message
from central_server.config import ServerConfig
from central_server.db.unit_of_work import UnitOfWork
from common import topics, wire
from common.backoff import delay_s
from common.events import ServerState

log = logging.getLogger("hadir.subscriber")

CLIENT_ID = "hadir-server"  # always the same: a second server takes the session over, which is the fence
KEEPALIVE_S = 20
ANSWER_PATIENCE_S = 6.0
TURN_S = 0.05
MOST_AT_ONCE = 200  # messages of one transaction
MOST_IN_FLIGHT = 500
POST_EVERY_S = 1.0
AGAIN_S = 300.0  # between two warnings of the same trouble
NEVER_EXPIRES = 0xFFFFFFFF
DATABASE_TROUBLE = (OperationalError, InterfaceError, TimeoutError)


class SubscriberError(Exception):
    """The connection could not be made, or is gone; says why."""


class Subscriber:
    """Start it once, in the worker. It never gives up; `is_alive()` must stay true until stop()."""

    def __init__(
        self,
        config: ServerConfig,
        engine: Engine,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        most_wait_s: float = 3.0,  # there is one server, and everybody waits for it
    ) -> None:
        self.config, self.engine, self.now, self.most_wait_s = config, engine, now, most_wait_s
        self.accounts = agent_accounts(config.broker)
        self.is_online = False
        self.instance = secrets.token_hex(4)
        self._protocol = protocol_of(config.broker)
        self._stopping, self._nudged = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="subscriber", daemon=True)
        self._last_words, self._told_s = "", float("-inf")

    def start(self) -> None:
        self._thread.start()

    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def stop(self) -> None:
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(ANSWER_PATIENCE_S)

    def publish_manifest(self) -> None:
        """Look at once for galleries that changed, rather than within a second; from any thread."""
        self._nudged.set()

    def publish_command(self) -> None:
        """Look at once for commands that are due, rather than within a second; from any thread."""
        self._nudged.set()

    def _run(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            session = _Session(self)
            try:
                session.run()
            except (SubscriberError, OSError) as error:
                self._complain(str(error) or type(error).__name__)
            except DATABASE_TROUBLE as error:
                self._complain(
                    f"the database cannot be used ({error.orig or error}); nothing is acknowledged"
                )
            except Exception:
                log.exception("the subscriber failed unexpectedly; it begins again")
            finally:
                session.close()
                self.is_online = False
            if session.was_online:
                failures, self._last_words = 0, ""
            elif session.protocol_refused:
                self._protocol = "311" if self._protocol == "5" else "5"
            failures += 1
            self._stopping.wait(delay_s(failures, chance=random(), most_s=self.most_wait_s))

    def _complain(self, words: str) -> None:
        """Say it aloud, and the same again now and then: it may be a wrong password in the settings."""
        is_news = words != self._last_words or time.monotonic() - self._told_s > AGAIN_S
        if is_news:
            self._last_words, self._told_s = words, time.monotonic()
        log.log(logging.WARNING if is_news else logging.DEBUG, "%s", words)


class _Session:
    """One connection, from CONNECT to the end."""

    def __init__(self, subscriber: Subscriber) -> None:
        self.subscriber, self.engine = subscriber, subscriber.engine
        self.inbox: deque[mqtt.MQTTMessage] = deque()
        self.answer: Any = None
        self.granted: Any = None  # the reason codes of SUBACK
        self.was_online = self.protocol_refused = False
        self.post_due = 0.0
        self.client = self._new_client()
        self.post = CommandPost(subscriber.config, self.engine, self._publish, subscriber.accounts)

    def _new_client(self) -> mqtt.Client:
        broker, v5 = self.subscriber.config.broker, self.subscriber._protocol == "5"
        client = mqtt.Client(
            mqtt.CallbackAPIVersion.VERSION2,
            client_id=CLIENT_ID,
            protocol=mqtt.MQTTv5 if v5 else mqtt.MQTTv311,
            clean_session=None if v5 else False,
            manual_ack=True,
            reconnect_on_failure=False,
        )
        client.username_pw_set(broker.username, password_of_server(broker))
        if broker.ca_file:
            client.tls_set_context(ssl.create_default_context(cafile=broker.ca_file))
        client.connect_timeout = 5.0
        client.max_inflight_messages_set(MOST_IN_FLIGHT)
        client.will_set(topics.SERVER_STATE, wire.encode(self._state(False)), qos=1, retain=True)
        client.on_connect = lambda _c, _u, _f, code, _p: setattr(self, "answer", code)
        client.on_subscribe = lambda _c, _u, _m, codes, _p: setattr(self, "granted", codes)
        client.on_message = lambda _c, _u, message: self.inbox.append(message)
        return client

    def run(self) -> None:
        """Stay connected until stop(), a SubscriberError, or trouble with the database."""
        self._connect()
        self.was_online = self.subscriber.is_online = True
        broker = self.subscriber.config.broker
        log.info("listening to the broker at %s:%d", broker.host, broker.port)
        self._publish(topics.SERVER_STATE, wire.encode(self._state(True)), retain=True)
        while not self.subscriber._stopping.is_set():
            self._turn()
        self._publish(topics.SERVER_STATE, wire.encode(self._state(False)), retain=True)
        until = time.monotonic() + 2.0
        while self.client._out_messages and time.monotonic() < until:
            self._listen()
        self.client.disconnect()

    def close(self) -> None:
        """Drop the socket, if it is still there: the broker then says that the server is away."""
        self.client.on_connect = self.client.on_subscribe = self.client.on_message = None
        if (sock := self.client.socket()) is not None:
            sock.close()

    def _connect(self) -> None:
        broker, protocol = self.subscriber.config.broker, self.subscriber._protocol
        where = f"the broker at {broker.host}:{broker.port}"
        options: dict[str, Any] = {}
        if protocol == "5":
            options = {"clean_start": False, "properties": Properties(PacketTypes.CONNECT)}
            options["properties"].SessionExpiryInterval = NEVER_EXPIRES
            options["properties"].ReceiveMaximum = MOST_IN_FLIGHT
        try:
            self.client.connect(broker.host, broker.port, keepalive=KEEPALIVE_S, **options)
        except (OSError, ValueError) as error:
            raise SubscriberError(f"{where} is not reachable ({error})") from error
        until = time.monotonic() + ANSWER_PATIENCE_S
        while self.answer is None:
            if self.client.loop(TURN_S) != mqtt.MQTT_ERR_SUCCESS or time.monotonic() > until:
                break
        if self.answer is None:
            self.protocol_refused = True
            raise SubscriberError(f"{where} does not answer to MQTT {protocol}")
        if self.answer.is_failure:
            self.protocol_refused = "protocol" in str(self.answer).lower()
            raise SubscriberError(
                f"{where} refused {broker.username!r}: {self.answer}; "
                "look at HADIR_BROKER_USER and HADIR_BROKER_PASSWORD"
            )
        self._subscribe(where)

    def _subscribe(self, where: str) -> None:
        self.client.subscribe(topics.EVERYTHING_UP, 1)
        until = time.monotonic() + ANSWER_PATIENCE_S
        while self.granted is None and time.monotonic() < until:
            self._listen()
        if self.granted is None or any(code.is_failure for code in self.granted):
            raise SubscriberError(f"{where} does not let {self.subscriber.config.broker.username!r} listen")

    def _turn(self) -> None:
        self._listen()
        while len(self.inbox) < MOST_AT_ONCE:
            before = len(self.inbox)
            self._listen(0.0)
            if len(self.inbox) == before:
                break
        if self.inbox:
            self._settle()
        if time.monotonic() >= self.post_due or self.subscriber._nudged.is_set():
            self.subscriber._nudged.clear()
            self.post_due = time.monotonic() + POST_EVERY_S
            self.post.send_what_is_due(self.subscriber.now())

    def _listen(self, timeout_s: float = TURN_S) -> None:
        code = self.client.loop(timeout_s)
        if code != mqtt.MQTT_ERR_SUCCESS:
            raise SubscriberError(f"the connection to the broker is gone ({mqtt.error_string(code)})")

    def _settle(self) -> None:
        """Commit what has come in; then acknowledge it to the broker and to the agents."""
        batch = list(self.inbox)
        self.inbox.clear()
        try:
            with UnitOfWork(self.engine) as work:
                letters = [(each.topic, each.payload) for each in batch]
                acks = record_messages(letters, work, *self._given())
        except DATABASE_TROUBLE:
            raise
        except Exception:
            log.exception("a message could not be recorded; each of them on its own now")
            acks = self._settle_apart(batch)
        for message in batch:
            self.client.ack(message.mid, message.qos)
        for agent_id, ack in acks.items():
            self._publish(topics.AgentTopics(agent_id).ack, wire.encode(ack))  # type: ignore[arg-type]

    def _settle_apart(self, batch: list[mqtt.MQTTMessage]) -> Acks:
        acks: Acks = {}
        for message in batch:
            letter = (message.topic, message.payload)
            try:
                with UnitOfWork(self.engine) as work:
                    acks |= record_messages([letter], work, *self._given())
            except DATABASE_TROUBLE:
                raise
            except Exception as error:
                reason = f"could not be recorded: {type(error).__name__}: {error}"
                acks |= record_stubborn_message(letter, self.engine, *self._given(), reason)
        return acks

    def _given(self) -> tuple[Any, datetime]:
        return self.subscriber.config.rules, self.subscriber.now()

    def _state(self, online: bool) -> ServerState:
        return ServerState(online=online, ts=time.time_ns() // 1_000_000, instance=self.subscriber.instance)

    def _publish(
        self, topic: str, payload: bytes, *, retain: bool = False, expires_s: int | None = None
    ) -> None:
        properties = None
        if expires_s and self.subscriber._protocol == "5":
            properties = Properties(PacketTypes.PUBLISH)
            properties.MessageExpiryInterval = expires_s
        info = self.client.publish(topic, payload, qos=1, retain=retain, properties=properties)
        if info.rc != mqtt.MQTT_ERR_SUCCESS:
            raise SubscriberError(f"publishing failed ({mqtt.error_string(info.rc)})")
