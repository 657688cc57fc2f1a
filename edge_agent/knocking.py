"""`hadir agent join` without a code: the box knocks and shows a code, and an administrator lets it in."""

import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common.join_link import JoinLink
from common.pairing import certificate_in, pairing_code, pem_of, promise_of
from edge_agent.adapters.central_api import CentralAPI, CentralError
from edge_agent.adapters.identity_file import Identity
from edge_agent.adapters.joining_file import Made, forget
from edge_agent.adapters.machine import hardware_id
from edge_agent.adapters.tls_probe import Trouble, kind_of
from edge_agent.adapters.trust import context_for
from edge_agent.adapters.web_probe import NoAnswer, ask
from edge_agent.join import DRAFT, about_this_box, insist, keep, secrets_for
from edge_agent.preflight import JoinError, check_certificate, check_clock, check_way, fetch_ca, preflight

WAIT_S = 15 * 60.0
MOST_FAILURES_S = 120.0  # without an answer, before the box gives up waiting


@dataclass(frozen=True, slots=True)
class Screen:
    """The technician at the box: what he is shown, and asked."""

    show_code: Callable[[str], None]  # the pairing code
    confirms: Callable[[str], bool] | None  # has the administrator compared this code? None: nobody is there


def knock(
    link: JoinLink, identity_path: Path, screen: Screen, *, name: str, insecure_http: bool = False,
    wait_s: float = WAIT_S,
) -> Identity:  # fmt: skip
    """Ask to be let in, wait for the answer, and keep the identity. Raises JoinError.

    Nobody has told this box who the server is, unless a public CA or the link does. So nothing secret leaves
    it before the technician confirms that the administrator, who looks at the real server, sees its code.
    """
    ca_pem, is_proven = _trust(link, insecure_http)
    if not is_proven and screen.confirms is None:
        raise JoinError(
            "Nobody is at this screen to confirm who the server is. Give the whole address that the "
            "dashboard shows, with what stands behind the '#'."
        )
    ca_der = certificate_in(ca_pem) if ca_pem else b""
    home, draft = identity_path.parent, identity_path.with_name(DRAFT)
    made = secrets_for(link, identity_path, ca_pem)
    promise = promise_of(made.manifest_key, made.broker_password)
    api = CentralAPI(link.server_url, ca_pem=ca_pem)
    request_id = _ask_in(api, made, promise, about_this_box(home, name), sees_our_ca=bool(ca_der))
    code = pairing_code(
        ca_der, nonce=made.nonce, hardware_id=hardware_id(home), token_hash=made.token_hash, promise=promise
    )
    screen.show_code(code)
    try:
        _wait(api, request_id, wait_s)
    except _SentAway as away:
        forget(draft)
        raise JoinError(str(away)) from away
    if not is_proven and not (screen.confirms and screen.confirms(code)):
        forget(draft)
        raise JoinError(
            "Not confirmed, so nothing secret was sent. If the administrator saw another code, or none, "
            "then somebody is in between: tell them. Otherwise use the whole address that the dashboard "
            "shows, with the '#'."
        )
    secrets = {"manifest_key": made.manifest_key, "broker_password": made.broker_password}
    try:
        answer = insist(lambda: api.claim({"request_id": request_id} | secrets))
    except CentralError as error:
        if error.permanent:
            forget(draft)
        raise JoinError(str(error)) from error
    return keep(answer, link, made, ca_pem, identity_path)


def _trust(link: JoinLink, insecure_http: bool) -> tuple[str, bool]:
    """Return the CA that this box is shown, in PEM, empty when the system knows it; and if that is proven.

    Raises JoinError.
    """
    if link.ca_hash or not link.is_encrypted or _system_trusts(link.server_url):
        return preflight(link, insecure_http=insecure_http), True
    check_way(link.server_url)
    check_clock(link.server_url)
    der = fetch_ca(link.server_url)
    ca_pem = pem_of(der) if der else ""
    check_certificate(link.server_url, ca_pem)
    return ca_pem, False


def _system_trusts(server_url: str) -> bool:
    """Tell whether this box knows who vouches for the server; every other fault is told later."""
    try:
        ask(f"{server_url}/health/live", context=context_for())
    except NoAnswer as error:
        cause = error.__cause__
        unknown = isinstance(cause, ssl.SSLCertVerificationError) and kind_of(cause) is Trouble.UNKNOWN_CA
        return not unknown
    return True


def _ask_in(api: CentralAPI, made: Made, promise: str, about: dict[str, Any], *, sees_our_ca: bool) -> str:
    """Knock, and return the id of the request. Raises JoinError."""
    request = about | {
        "token_sha256": made.token_hash,
        "promise": promise,
        "nonce": made.nonce,
        "sees_our_ca": sees_our_ca,
    }
    try:
        answer = insist(lambda: api.knock(request))
    except CentralError as error:
        raise JoinError(str(error)) from error
    return str(answer.get("request_id", ""))


class _SentAway(Exception):
    """The administrator said no, or nobody said anything in time."""


def _wait(api: CentralAPI, request_id: str, wait_s: float, every_s: float = 2.0) -> None:
    """Return when the box is let in. Raises _SentAway, and JoinError when the server is gone for long."""
    until = time.monotonic() + wait_s
    heard = time.monotonic()
    while time.monotonic() < until:
        try:
            state = api.knock_state(request_id)
            heard = time.monotonic()
        except CentralError as error:
            if error.permanent or time.monotonic() - heard > MOST_FAILURES_S:
                raise JoinError(f"{error}. Run the same command again to go on waiting.") from error
            state = "open"
        if state == "approved":
            return
        if state == "refused":
            raise _SentAway("The administrator has sent this box away. Ask them, then join again.")
        if state != "open":
            break
        time.sleep(every_s)
    raise _SentAway(f"Nobody let this box in within {wait_s / 60:.0f} min. Join again.")
