"""The production broker's accounts: mosquitto's dynamic-security plugin, spoken to over MQTT.

Each agent gets an account and a role of its own, since the plugin knows no "%u" before mosquitto 2.1. The
account is bound to the agent's client id, so that no other session can be taken over with it. What changes an
account ends its open session at once, and needs no restart.
"""

import json
import logging
import secrets
import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import paho.mqtt.client as mqtt

from central_server.config import BrokerConfig
from central_server.ports import AccountsError
from common.ids import AgentId
from common.topics import SERVER_STATE, AgentTopics

log = logging.getLogger("hadir.broker")

CONTROL = "$CONTROL/dynamic-security/v1"
PATIENCE_S = 5.0  # for everything that one call asks of the broker
CONNECT_S = 3.0
EVERYTHING = ("#", "$SYS/#", "$CONTROL/#")  # "#" alone does not mean the topics that begin with "$"

Command = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class DynamicSecurity:
    """Connects for each call: calls are rare, and the broker may be another one by then. Thread-safe."""

    broker: BrokerConfig

    def put(self, agent_id: str, password: str) -> None:
        """Make the account and its role, or bring both up to date; also a disabled one works again."""
        account = {
            "username": agent_id,
            "password": password,
            "clientid": agent_id,
            "roles": [{"rolename": role_of(agent_id)}],
        }
        rules = {"rolename": role_of(agent_id), "acls": access_rules(agent_id)}
        with self._ask() as ask:
            if ask({"command": "createRole", **rules}) == "Role already exists":
                _expect(ask({"command": "modifyRole", **rules}))
            if ask({"command": "createClient", **account}) == "Client already exists":
                _expect(ask({"command": "modifyClient", **account}))
                _expect(ask({"command": "enableClient", "username": agent_id}))

    def remove(self, agent_id: str) -> None:
        """Disable the account, which ends its session, and then delete it with its role."""
        with self._ask() as ask:
            for command in (
                {"command": "disableClient", "username": agent_id},
                {"command": "deleteClient", "username": agent_id},
                {"command": "deleteRole", "rolename": role_of(agent_id)},
            ):
                if (words := ask(command)) not in ("", "Client not found", "Role not found"):
                    _expect(words)

    def names(self) -> frozenset[str]:
        with self._ask() as ask:
            _expect(ask({"command": "listClients", "verbose": False, "count": -1, "offset": 0}))
            return frozenset(map(str, ask.data.get("clients", ())))

    @contextmanager
    def _ask(self) -> Iterator["_Conversation"]:
        conversation = _Conversation(self.broker)
        try:
            conversation.begin()
            yield conversation
        except (OSError, ValueError) as error:
            raise AccountsError(f"{conversation.where} is not reachable ({error})") from error
        finally:
            conversation.end()


def role_of(agent_id: str) -> str:
    return f"agent-{agent_id}"


def access_rules(agent_id: str) -> list[dict[str, Any]]:
    """Return what an agent may do: write what carries its name upwards, hear what carries it downwards.

    Everything else is forbidden by name, so that a broker with careless defaults lets nothing through either.
    """
    topics = AgentTopics(AgentId(agent_id))
    allowed = [
        ("publishClientSend", topics.everything_up),
        ("publishClientReceive", topics.everything_down),
        ("publishClientReceive", SERVER_STATE),
        ("subscribePattern", topics.everything_down),
        ("subscribeLiteral", SERVER_STATE),
    ]
    kinds = ("publishClientSend", "publishClientReceive", "subscribePattern")
    forbidden = [(kind, topic) for kind in kinds for topic in EVERYTHING]
    return [
        {"acltype": kind, "topic": topic, "priority": priority, "allow": allow}
        for rules, priority, allow in ((allowed, 10, True), (forbidden, 1, False))
        for kind, topic in rules
    ]


def _expect(words: str) -> None:
    if words:
        raise AccountsError(f"the broker did not change its accounts: {words}")


class _Conversation:
    """One connection as the administrator of the accounts: commands go out, and each waits for its answer."""

    def __init__(self, broker: BrokerConfig) -> None:
        self.broker = broker
        self.where = f"the broker at {broker.host}:{broker.port}"
        self.data: dict[str, Any] = {}  # of the last answer
        self._until = time.monotonic() + PATIENCE_S
        self._answers: list[dict[str, Any]] = []
        self._connected: Any = None
        self._granted: Any = None
        self._client = self._new_client()

    def _new_client(self) -> mqtt.Client:
        client = mqtt.Client(
            mqtt.CallbackAPIVersion.VERSION2,
            client_id=f"{self.broker.admin_username}-{secrets.token_hex(8)}",  # several may speak at once
            protocol=mqtt.MQTTv5,
            reconnect_on_failure=False,
        )
        client.username_pw_set(self.broker.admin_username, self.broker.admin_password)
        if self.broker.ca_file:
            client.tls_set_context(ssl.create_default_context(cafile=self.broker.ca_file))
        client.connect_timeout = CONNECT_S
        client.on_connect = lambda _c, _u, _f, code, _p: setattr(self, "_connected", code)
        client.on_subscribe = lambda _c, _u, _m, codes, _p: setattr(self, "_granted", codes)
        client.on_message = lambda _c, _u, message: self._hear(message)
        return client

    def begin(self) -> None:
        self._client.connect(self.broker.host, self.broker.port)
        self._wait(lambda: self._connected is not None)
        if self._connected.is_failure:
            raise AccountsError(f"{self.where} refused {self.broker.admin_username!r}: {self._connected}")
        self._client.subscribe(f"{CONTROL}/response", 1)
        self._wait(lambda: self._granted is not None)
        if any(code.is_failure for code in self._granted):
            raise AccountsError(f"{self.where} does not let {self.broker.admin_username!r} change accounts")

    def __call__(self, command: Command) -> str:
        """Return the plugin's complaint, or "" when it obeyed."""
        self._answers.clear()
        self._client.publish(CONTROL, json.dumps({"commands": [command]}), qos=1)
        self._wait(lambda: self._answers)
        answer = self._answers[0]
        self.data = answer.get("data") or {}
        return str(answer.get("error", ""))

    def end(self) -> None:
        self._client.disconnect()
        self._client.on_connect = self._client.on_subscribe = None  # no cycle is left
        self._client.on_message = None
        if (sock := self._client.socket()) is not None:
            sock.close()

    def _hear(self, message: mqtt.MQTTMessage) -> None:
        try:
            self._answers += json.loads(message.payload)["responses"]
        except (ValueError, KeyError, TypeError):
            log.warning("the broker's answer about its accounts cannot be read")

    def _wait(self, is_there: Any) -> None:
        while not is_there():
            if time.monotonic() > self._until:
                raise AccountsError(f"{self.where} does not answer about its accounts")
            if self._client.loop(0.05) != mqtt.MQTT_ERR_SUCCESS and not is_there():
                raise AccountsError(f"{self.where} ended the connection of {self.broker.admin_username!r}")
