"""What is wrong between this agent and the broker: the way, the certificate, the login, the rights."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from common import topics, wire
from common.events import ServerState
from edge_agent.adapters.identity_file import Identity
from edge_agent.adapters.live_socket import NotRunningError, read_live
from edge_agent.adapters.mqtt_link import LinkError, reach
from edge_agent.adapters.mqtt_probe import NO_SUBSCRIBERS, REASONS, Heard, Login, Speaks, converse
from edge_agent.adapters.tls_probe import TLSFault, shake_hands, speaks_tls
from edge_agent.adapters.trust import context_for
from edge_agent.diagnosis import Finding, bad, good

SOON_S = 14 * 86_400  # a certificate that ends so soon is worth a word
_REFUSED = 0x80
_OTHER_VERSION = (0x01, 0x84)
_CLIENT_ID = (0x02, 0x85)
_TAKEN_OVER = 0x8E
_HTTP_ROAD = "Meanwhile events go by HTTP, if the server above is well."
_TRY_IT = (
    "To try the login itself: systemctl stop hadir-agent; hadir agent doctor; systemctl start hadir-agent"
)
_WORKER = "Tell the server's administrator; events wait here until then."
_REJOIN = "Ask for a new join link, then: hadir agent join LINK --again"


def broker_findings(identity: Identity, home: Path, *, token_accepted: bool | None) -> Iterator[Finding]:
    """Yield what was found. What the server said to the token tells a revoked agent from a wrong password.

    A second login would end the session of an agent that runs at home: it is asked for its link instead.
    """
    broker = identity.broker
    try:
        reach(broker.host, broker.port)
    except LinkError as error:
        yield bad("broker", str(error), f"Open port {broker.port} in the firewall. {_HTTP_ROAD}")
        return
    yield good("broker", f"{broker.host} takes connections on port {broker.port}")
    if broker.ca_pem:
        found = certificate_finding("broker certificate", broker.host, broker.port, broker.ca_pem)
        if not found.is_good and _speaks_plain(identity):
            words = f"the broker on port {broker.port} speaks MQTT without TLS, and this agent expects TLS"
            found = bad("broker certificate", words, "The broker's TLS port is usually 8883; join again.")
        yield found
        if not found.is_good:
            return
    try:
        link = read_live(home)["link"]
    except NotRunningError:
        yield from _tried_login(identity, token_accepted)
    else:
        yield _running(link)
        if link["phase"] == "online":
            yield _listens(is_online=bool(link["server_online"]))


def _running(link: Mapping[str, Any]) -> Finding:
    """Say how the link of the running agent is: its phase, the road that events take, and its trouble."""
    if link["phase"] == "online":
        words = "the running agent is logged in; it was asked, and not disturbed"
        return Finding("login", is_good=True, words=words, advice=_TRY_IT)
    trouble = link["trouble"].rstrip(".") or "it is connecting"
    road = "its events go by HTTPS" if link["road"] else "its events wait in the spool"
    return bad("login", f"the running agent is not logged in ({trouble}); {road}", _TRY_IT)


def _listens(*, is_online: bool) -> Finding:
    if not is_online:
        return bad("worker", "the server's worker is away", _WORKER)
    return good("worker", "the server's worker is connected to the broker")


def _tried_login(identity: Identity, token_accepted: bool | None) -> Iterator[Finding]:
    heard, version = _log_in(identity)
    login = _login_finding(identity, heard, version, token_accepted)
    yield login
    if login.is_good and heard.ended != _TAKEN_OVER:
        yield from _rights(heard)


def certificate_finding(subject: str, host: str, port: int, ca_pem: str) -> Finding:
    """Look at what a server shows, as the agent does."""
    now = datetime.now(UTC)
    try:
        seen = shake_hands(host, port, context_for(ca_pem))
    except TLSFault as fault:
        return bad(subject, fault.words(host, now))
    except OSError as error:
        return bad(subject, f"{host}:{port} cannot be talked to ({error.strerror or error})")
    words = f"for {', '.join(seen.names)}, by {seen.issuer!r}, until {seen.ends:%Y-%m-%d}"
    if seen.ends.timestamp() - now.timestamp() < SOON_S:
        return good(subject, f"{words}: that is soon, tell the server's administrator")
    return good(subject, words)


def _log_in(identity: Identity) -> tuple[Heard, str]:
    """Try MQTT 5, then 3.1.1; return the better answer and its version."""
    fifth = _converse(identity, is_v5=True)
    if fifth.speaks is Speaks.MQTT and fifth.connect not in _OTHER_VERSION:
        return fifth, "5"  # who knows only 3.1.1 hangs up, says so, or says nothing at all
    older = _converse(identity, is_v5=False)
    return (older, "3.1.1") if older.speaks is Speaks.MQTT else (fifth, "5")


def _converse(identity: Identity, *, is_v5: bool, client_id: str = "") -> Heard:
    broker, mine = identity.broker, topics.AgentTopics(identity.agent_id)
    login = Login(client_id or identity.agent_id, broker.username, broker.password, is_v5)
    wanted = (mine.everything_down, topics.SERVER_STATE)
    context = context_for(broker.ca_pem) if broker.ca_pem else None
    try:
        return converse(broker.host, broker.port, login, topics=wanted, trial=mine.trial, context=context)
    except OSError:
        return Heard(Speaks.CLOSED)


def _speaks_plain(identity: Identity) -> bool:
    """Tell whether the port answers to MQTT without TLS; with nobody's account, for it is not encrypted."""
    broker = identity.broker
    try:
        nobody = Login("doctor", "doctor", "doctor")
        return converse(broker.host, broker.port, nobody).speaks is Speaks.MQTT
    except OSError:
        return False


def _login_finding(identity: Identity, heard: Heard, version: str, token_accepted: bool | None) -> Finding:
    broker = identity.broker
    where = f"{broker.host}:{broker.port}"
    if heard.speaks is not Speaks.MQTT:
        return _stranger(identity, heard, where)
    code = heard.connect or 0
    if not code and heard.ended == _TAKEN_OVER:
        return good(
            "login", "accepted, and taken over at once: the agent is running. Stop it to try its rights"
        )
    if not code:
        only = "" if version == "5" else "; the broker speaks MQTT 3.1.1 only, which works"
        return good("login", f"the broker accepts {broker.username!r}{only}")
    why = REASONS.get(code, f"reason {code:#04x}")
    if code in _CLIENT_ID or _another_id_works(identity, version):
        words = f"the broker wants another client id than {identity.agent_id!r} ({why})"
        return bad("login", words, f"The identity was changed by hand. {_REJOIN}")
    if code in (0x03, 0x88, 0x89, 0x97, 0x9F):
        return bad("login", f"the broker is there, but takes nobody now ({why})", f"Wait. {_HTTP_ROAD}")
    refused = f"the broker refuses {broker.username!r} ({why})"
    if token_accepted is False:
        return bad("login", f"{refused}: this agent was revoked", _REJOIN)
    if token_accepted:
        words = f"{refused}: wrong password, or the account is switched off at the broker alone"
        return bad("login", words, f"{_REJOIN}. {_HTTP_ROAD}")
    return bad("login", f"{refused}: wrong password, or this agent was revoked", _REJOIN)


def _another_id_works(identity: Identity, version: str) -> bool:
    name = identity.broker.username
    if name == identity.agent_id:
        return False
    return _converse(identity, is_v5=version == "5", client_id=name).connect == 0


def _stranger(identity: Identity, heard: Heard, where: str) -> Finding:
    """Something is on the port that does not answer as a broker does."""
    advice = "Tell the server's administrator which port the broker has, and join again."
    if not identity.broker.ca_pem and speaks_tls(identity.broker.host, identity.broker.port):
        words = f"the broker at {where} wants TLS, and this agent was told that it has none"
        return bad("login", words, advice)
    words = {
        Speaks.OTHER: f"what answers at {where} is not an MQTT broker",
        Speaks.CLOSED: f"{where} hangs up as soon as MQTT begins: not a broker, or a firewall",
        Speaks.NOTHING: f"{where} takes the connection and stays silent: not a broker, or a firewall",
    }
    return bad("login", words.get(heard.speaks, words[Speaks.OTHER]), f"{advice} {_HTTP_ROAD}")


def _rights(heard: Heard) -> Iterator[Finding]:
    """May it listen and speak where it must, and is the server on the other side?"""
    advice = "The broker's access rules are wrong: tell the server's administrator."
    refused = [code for code in heard.subscribe if code >= _REFUSED]
    if refused or not heard.subscribe:
        why = REASONS.get(refused[0], f"reason {refused[0]:#04x}") if refused else "no answer"
        yield bad("subscribe", f"the broker does not let this agent listen to its own topics ({why})", advice)
        return
    yield good("subscribe", "this agent may listen to its own topics")
    if heard.publish is None or heard.publish >= _REFUSED:
        why = "no answer" if heard.publish is None else REASONS.get(heard.publish, f"{heard.publish:#04x}")
        yield bad("publish", f"the broker does not take what this agent publishes ({why})", advice)
        return
    yield good("publish", "this agent may publish")
    yield _worker(heard)


def _worker(heard: Heard) -> Finding:
    """The server's worker has to be on the other side, or nothing is ever acknowledged."""
    told = [payload for topic, payload in heard.retained if topic == topics.SERVER_STATE]
    if not told:
        words = "the server's worker was never connected to this broker"
        return bad("worker", words, _WORKER)
    try:
        is_online = wire.decode(ServerState, told[-1]).online
    except wire.MalformedMessage as error:
        return bad("worker", f"what the server's worker says cannot be read ({error})", _WORKER)
    if is_online and heard.publish == NO_SUBSCRIBERS:
        return bad("worker", "nobody on the other side listens to this agent", _WORKER)
    return _listens(is_online=is_online)
