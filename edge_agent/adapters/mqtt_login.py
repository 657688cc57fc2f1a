"""One login at the broker, as the agent would do it, for `hadir agent check`; nothing is published."""

import ssl
import time
from typing import Any

import paho.mqtt.client as mqtt

from common import topics, wire
from common.events import ServerState
from edge_agent.adapters.identity_file import Identity
from edge_agent.adapters.mqtt_link import LinkError

ANSWER_S = 6.0
SERVER_STATE_S = 2.0  # for the retained message that tells whether the server listens
TURN_S = 0.05


def log_in(identity: Identity) -> bool | None:
    """Log in and subscribe, then leave; return whether the server listens, None when nothing tells.

    Raises LinkError in a technician's words. Must not be done while the agent runs: the broker lets in only
    one of a name, and would throw the agent out.
    """
    broker = identity.broker
    protocols = ("5", "311") if broker.protocol == "5" else ("311", "5")
    try:
        return _Login(identity, protocols[0]).run()
    except _UnknownProtocol:
        return _Login(identity, protocols[1]).run()


class _UnknownProtocol(LinkError):
    """The broker does not answer to this version of MQTT."""


class _Login:
    def __init__(self, identity: Identity, protocol: str) -> None:
        self._identity, self._is_5 = identity, protocol == "5"
        self._where = f"the broker at {identity.broker.host}:{identity.broker.port}"
        self._answer: Any = None
        self._granted: Any = None
        self._server: ServerState | None = None
        self._topics = topics.AgentTopics(identity.agent_id)

    def run(self) -> bool | None:
        client = self._client()
        try:
            self._connect(client)
            client.subscribe([(self._topics.everything_down, 0), (topics.SERVER_STATE, 0)])
            self._wait(client, lambda: self._granted is not None, ANSWER_S)
            if self._granted is None or any(code.is_failure for code in self._granted):
                raise LinkError(f"{self._where} knows this agent, but does not let it listen")
            self._wait(client, lambda: self._server is not None, SERVER_STATE_S)
            client.disconnect()
            return None if self._server is None else self._server.online
        finally:
            client.on_connect = client.on_subscribe = client.on_message = None
            if (sock := client.socket()) is not None:
                sock.close()

    def _client(self) -> mqtt.Client:
        broker = self._identity.broker
        client = mqtt.Client(
            mqtt.CallbackAPIVersion.VERSION2,
            client_id=self._identity.agent_id,
            protocol=mqtt.MQTTv5 if self._is_5 else mqtt.MQTTv311,
            clean_session=None if self._is_5 else True,
            reconnect_on_failure=False,
        )
        client.username_pw_set(broker.username, broker.password)
        if broker.ca_pem:
            client.tls_set_context(ssl.create_default_context(cadata=broker.ca_pem))
        client.connect_timeout = ANSWER_S
        client.on_connect = lambda _c, _u, _f, code, _p: setattr(self, "_answer", code)
        client.on_subscribe = lambda _c, _u, _m, codes, _p: setattr(self, "_granted", codes)
        client.on_message = lambda _c, _u, message: self._hear(message)
        return client

    def _connect(self, client: mqtt.Client) -> None:
        broker = self._identity.broker
        try:
            client.connect(broker.host, broker.port, **({"clean_start": True} if self._is_5 else {}))
        except (OSError, ValueError) as error:
            raise LinkError(f"{self._where} is there, but no connection can be made ({error})") from error
        self._wait(client, lambda: self._answer is not None, ANSWER_S)
        if self._answer is None or "protocol" in str(self._answer).lower():
            raise _UnknownProtocol(f"{self._where} does not answer to MQTT")
        if self._answer.is_failure:
            raise LinkError(
                f"{self._where} refuses this agent ({self._answer}): it was removed or its password changed; "
                "join again"
            )

    def _wait(self, client: mqtt.Client, is_there: Any, most_s: float) -> None:
        until = time.monotonic() + most_s
        while not is_there() and time.monotonic() < until:
            if client.loop(TURN_S) != mqtt.MQTT_ERR_SUCCESS:
                return

    def _hear(self, message: mqtt.MQTTMessage) -> None:
        if message.topic == topics.SERVER_STATE:
            try:
                self._server = wire.decode(ServerState, message.payload)
            except wire.MalformedMessage:
                return
