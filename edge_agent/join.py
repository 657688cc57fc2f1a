"""`hadir agent join` with a one-time code: to an identity on this machine, with words for what goes wrong."""

import logging
import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from common import VERSION
from common.join_link import JoinLink
from edge_agent.adapters.central_api import CentralAPI, CentralError
from edge_agent.adapters.identity_file import (
    Identity,
    IdentityError,
    identity_from,
    load_identity,
    save_identity,
    shut,
)
from edge_agent.adapters.joining_file import Made, forget, made_for
from edge_agent.adapters.machine import hardware_id
from edge_agent.adapters.mqtt_link import LinkError, reach
from edge_agent.adapters.tls_probe import TLSFault, shake_hands
from edge_agent.adapters.trust import context_for
from edge_agent.preflight import JoinError, preflight

TRIES = 3
DRAFT, SPOOL = "joining.json", "spool.db"  # beside the identity

log = logging.getLogger("hadir.join")


def join(link: JoinLink, identity_path: Path, *, name: str, insecure_http: bool = False) -> Identity:
    """Join the server and keep the identity. Safe to repeat when an answer was lost. Raises JoinError.

    The secrets are made here and are on the disk before any of them is told, over a checked connection.
    """
    ca_pem = preflight(link, insecure_http=insecure_http)
    made = secrets_for(link, identity_path, ca_pem)
    request = about_this_box(identity_path.parent, name) | {
        "code": link.code,
        "token_sha256": made.token_hash,
        "broker_password": made.broker_password,
        "manifest_key": made.manifest_key,
    }
    api = CentralAPI(link.server_url, ca_pem=ca_pem)
    try:
        answer = insist(lambda: api.join(request))
    except CentralError as error:
        if error.permanent:
            forget(identity_path.with_name(DRAFT))
        raise JoinError(str(error)) from error
    return keep(answer, link, made, ca_pem, identity_path)


def secrets_for(link: JoinLink, identity_path: Path, ca_pem: str) -> Made:
    """Return this box's secrets for that server under that CA. Raises JoinError."""
    try:
        shut(identity_path.parent)
        return made_for(identity_path.with_name(DRAFT), f"{link.server_url} {ca_pem}")
    except OSError as error:
        raise JoinError(
            f"{identity_path.parent} cannot be written ({error.strerror}). Nothing was sent."
        ) from error


def about_this_box(home: Path, name: str) -> dict[str, Any]:
    return {"hardware_id": hardware_id(home), "name": name, "version": VERSION}


def insist(question: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Ask again, a few times, when the network or the server stumbled. Raises CentralError."""
    for left in reversed(range(TRIES)):
        try:
            return question()
        except CentralError as error:
            if error.permanent or not left:
                raise
            time.sleep(1)
    raise AssertionError("unreachable")


def keep(answer: dict[str, Any], link: JoinLink, made: Made, ca_pem: str, path: Path) -> Identity:
    """Write the identity: what the server answered, and the secrets it was never told. Raises JoinError."""
    try:
        told = answer | {
            "token": made.token,
            "manifest_key": made.manifest_key,
            "server_ca_pem": ca_pem,
            "broker": dict(answer["broker"]) | {"password": made.broker_password},
        }
        identity = identity_from(told, link.server_url)
    except (IdentityError, KeyError, TypeError, ValueError) as error:
        raise JoinError(f"{link.server_url} did not answer as a Hadir server does: {error}") from error
    try:
        _leave_behind(path, identity)
        save_identity(path, identity)
    except OSError as error:
        raise JoinError(f"{path} cannot be written ({error.strerror}); join again within 10 min") from error
    forget(path.with_name(DRAFT))
    return identity


def _leave_behind(path: Path, now: Identity) -> None:
    """Set aside what this box had not sent as another agent: it is no business of another server."""
    try:
        was = load_identity(path)
    except IdentityError:
        return
    spool = path.with_name(SPOOL)
    if (was.agent_id, was.server_url) == (now.agent_id, now.server_url) or not spool.exists():
        return
    aside = f"{SPOOL}.of-{was.agent_id}-{time.time_ns()}"
    for suffix in ("", "-wal", "-shm"):
        if (part := path.with_name(SPOOL + suffix)).exists():
            part.rename(path.with_name(aside + suffix))
    log.warning("what %s had not sent to %s is kept in %s", was.agent_id, was.server_url, aside)


def broker_fault(identity: Identity) -> str:
    """Say why the broker cannot be reached from here, and what happens then; nothing when it can."""
    broker = identity.broker
    try:
        reach(broker.host, broker.port)
        if broker.ca_pem:
            shake_hands(broker.host, broker.port, context_for(broker.ca_pem))
        return ""
    except (LinkError, TLSFault, OSError) as error:
        return (
            f"The broker at {broker.host}:{broker.port} cannot be used from here ({error}). Events go to the "
            f"server by {identity.server_url.partition(':')[0].upper()} instead, a little later. Better open "
            f"port {broker.port} in the firewall; `hadir agent doctor` tells more."
        )


def default_name() -> str:
    return platform.node().split(".")[0] or "agent"
