"""`hadir agent doctor`: why this agent cannot connect, each thing in one line and the cause in words."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from common import wire
from common.events import Clock, Manifest
from common.signing import is_genuine
from edge_agent.adapters import machine
from edge_agent.adapters.identity_file import Identity, IdentityError, load_identity
from edge_agent.adapters.mqtt_link import LinkError, reach
from edge_agent.adapters.trust import context_for
from edge_agent.adapters.web_probe import NoAnswer, Reply, ask, proxy_for
from edge_agent.broker_doctor import broker_findings, certificate_finding
from edge_agent.diagnosis import Finding, bad, good
from edge_agent.preflight import address_of, clock_fault, server_date


def findings(identity_path: Path) -> Iterator[Finding]:
    """Yield what was found, as it is found, and go on as far as that makes sense."""
    try:
        identity = load_identity(identity_path)
    except IdentityError as error:
        is_anothers = isinstance(error.__cause__, PermissionError)
        advice = "Run this as the agent's user, or as root." if is_anothers else "Ask for a join link."
        yield bad("identity", str(error), advice)
        return
    yield good("identity", f"{identity.agent_id} of {identity.site_name}, at {identity.server_url}")
    yield _clock(server_date(identity.server_url))
    accepted: bool | None = None
    for finding in _web(identity):
        yield finding
        if finding.subject == "token":
            accepted = finding.is_good if finding.is_certain else None
    yield from broker_findings(identity, identity_path.parent, token_accepted=accepted)


def _clock(theirs: datetime | None) -> Finding:
    if fault := clock_fault(theirs):
        return bad("clock", fault.partition(": set")[0], "Set it: timedatectl set-ntp true")
    by = {Clock.NTP: "kept right by NTP", Clock.RTC: "not kept right by NTP"}.get(
        machine.clock_now(), "unsure"
    )
    off = f", {abs(time.time() - theirs.timestamp()):.0f} s from the server's" if theirs else ""
    return good("clock", f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC{off}, {by}")


def _web(identity: Identity) -> Iterator[Finding]:
    """The server's web side: name, port, certificate, and what it says to the token."""
    url, where = identity.server_url, address_of(identity.server_url)
    if proxy := proxy_for(url):
        yield good("proxy", f"requests go through {proxy.rpartition('@')[2]}, as the environment says")
    else:
        try:
            reach(where.host, where.port)
        except LinkError as error:
            yield bad("server", f"{error}", "Check the cable, DNS and the firewall; is the server running?")
            return
        yield good("server", f"{where.host} takes connections on port {where.port}")
        if url.startswith("https://"):
            found = certificate_finding("certificate", where.host, where.port, identity.server_ca_pem)
            yield found
            if not found.is_good:
                return
    yield _token(identity)


def _token(identity: Identity) -> Finding:
    context = context_for(identity.server_ca_pem)
    try:
        reply = ask(f"{identity.server_url}/agent/v1/manifest", context=context, token=identity.token)
    except NoAnswer as error:
        return bad("token", f"the server could not be asked ({error})", is_certain=False)
    return _read_answer(identity, reply)


def _read_answer(identity: Identity, reply: Reply) -> Finding:
    """Tell a server's yes and no from whatever else may answer in its place."""
    is_json = reply.mime == "application/json"
    if reply.status == 401 and is_json:
        return bad(
            "token",
            "the server does not accept this agent's token: it was revoked, or has joined anew elsewhere",
            "Ask for a new join link, then: hadir agent join LINK --again",
        )
    if 300 <= reply.status < 400:
        words = f"the request is sent on to {reply.location[:100]}"
        return bad("token", words, _PORTAL, is_certain=False)
    if reply.mime == "text/html":
        return bad("token", f"a web page answers ({reply.status}), not Hadir", _PORTAL, is_certain=False)
    if reply.status != 200:
        return bad("token", f"the server answers {reply.status}", "Tell its administrator.", is_certain=False)
    try:
        manifest = wire.decode(Manifest, reply.body)
    except wire.MalformedMessage as error:
        return bad(
            "token", f"something else answers in the server's place ({error})", _PORTAL, is_certain=False
        )
    if not is_genuine(manifest, bytes.fromhex(identity.manifest_key)):
        return bad("token", "the server signs with a key of another join", "Join again with --again.")
    return good("token", "the server knows this agent")


_PORTAL = "The network wants a login (captive portal), a proxy is in the way, or the address is another's."
