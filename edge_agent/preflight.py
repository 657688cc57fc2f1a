"""Before a secret leaves this box: is the server there, is the clock right, and is it really that server?"""

import hmac
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import ip_address
from urllib.parse import urlsplit

from common.join_link import JoinLink
from common.pairing import ca_hash, certificate_in, pem_of
from edge_agent.adapters.machine import EARLIEST_SANE_S
from edge_agent.adapters.mqtt_link import LinkError, reach
from edge_agent.adapters.tls_probe import TLSFault, Trouble, shake_hands
from edge_agent.adapters.trust import context_for
from edge_agent.adapters.web_probe import NoAnswer, ask, proxy_for

CLOCK_MOST_OFF_S = 300  # more than this, and what the agent reports would be of another time
CA_PATH = "/agent/v1/ca"


class JoinError(Exception):
    """This machine did not join; says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Address:
    host: str
    port: int


def address_of(url: str) -> Address:
    parts = urlsplit(url)
    return Address(str(parts.hostname), parts.port or (443 if parts.scheme == "https" else 80))


def preflight(link: JoinLink, *, insecure_http: bool = False) -> str:
    """Check the way to the server; return the CA (PEM) that vouches for it, empty for the system's trust.

    Nothing that matters is sent: not the code, nor anything of this box. Raises JoinError.
    """
    if not (link.is_encrypted or insecure_http or is_loopback(address_of(link.server_url).host)):
        raise JoinError(
            "The link begins with http://: whoever listens on the way would read the code and everything "
            "after it. Ask for an https:// link. On a cable that is yours alone, --insecure-http goes on."
        )
    check_way(link.server_url)
    check_clock(link.server_url)
    ca_pem = _named_ca(link) if link.ca_hash else ""
    check_certificate(link.server_url, ca_pem)
    return ca_pem


def is_loopback(host: str) -> bool:
    """Tell whether host is this very machine, so that nobody is on the way."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def check_way(server_url: str) -> None:
    """Name and port. Behind a proxy neither need be reachable from here. Raises JoinError."""
    where = address_of(server_url)
    if proxy_for(server_url):
        return
    try:
        reach(where.host, where.port)
    except LinkError as error:
        raise JoinError(f"The server cannot be reached: {error}.") from error


def check_clock(server_url: str) -> None:
    """Compare the clocks before a certificate is judged by ours. Raises JoinError."""
    if (words := clock_fault(server_date(server_url))) is not None:
        raise JoinError(words)


def server_date(server_url: str) -> datetime | None:
    """Return the time by the server's clock, only for words; None when it does not say."""
    try:
        return ask(f"{server_url}/health/live").date
    except NoAnswer:
        return None


def clock_fault(theirs: datetime | None, now_s: float | None = None) -> str | None:
    """Say what is wrong with this box's clock, given the server's; None when nothing is."""
    now_s = time.time() if now_s is None else now_s
    off_s = now_s - theirs.timestamp() if theirs else 0.0
    if abs(off_s) <= CLOCK_MOST_OFF_S and now_s >= EARLIEST_SANE_S:
        return None
    ours = f"This box's clock says {datetime.fromtimestamp(now_s, UTC):%Y-%m-%d %H:%M} UTC"
    server = f", the server's {theirs:%Y-%m-%d %H:%M}" if theirs else ", which cannot be"
    return f"{ours}{server}: set the clock (timedatectl set-ntp true), and try again."


def check_certificate(server_url: str, ca_pem: str) -> None:
    """Open a connection that is checked, and close it. Raises JoinError."""
    if not server_url.startswith("https://") or proxy_for(server_url):
        return
    where = address_of(server_url)
    try:
        shake_hands(where.host, where.port, context_for(ca_pem))
    except TLSFault as fault:
        raise JoinError(_tls_words(fault, where, ca_pem)) from fault
    except OSError as error:
        raise JoinError(f"{where.host} cannot be talked to ({error.strerror or error}).") from error


def _tls_words(fault: TLSFault, where: Address, ca_pem: str) -> str:
    if ca_pem and fault.trouble is Trouble.UNKNOWN_CA:
        return (
            f"The certificate of {where.host} is not signed by the server's own CA: the server's "
            "administrator has to mend that, or somebody is in between. Nothing was sent."
        )
    words = fault.words(where.host, datetime.now(UTC))
    return f"{words[0].upper()}{words[1:]}. Nothing was sent."


def _named_ca(link: JoinLink) -> str:
    """Fetch the server's CA, unproven as yet, and check it by the link. Raises JoinError."""
    der = fetch_ca(link.server_url)
    if not der:
        raise JoinError(
            f"{link.server_url} has no CA of its own, but the link names one: it is of another server, or "
            "old. Ask for a new link."
        )
    if not hmac.compare_digest(ca_hash(der), link.ca_hash):
        raise JoinError(
            "The server shows another CA than the link names. Somebody may be in between, or the link is of "
            "another server. Nothing was sent: ask for a new link, and tell the administrator."
        )
    return pem_of(der)


def fetch_ca(server_url: str) -> bytes:
    """Return the CA certificate that the server shows, in DER; empty when it has none. It proves nothing yet.

    Raises JoinError.
    """
    where = address_of(server_url)
    try:
        reply = ask(server_url + CA_PATH)
    except NoAnswer as error:
        raise JoinError(_no_answer(where, error)) from error
    if reply.status == 404 and reply.mime == "application/json":
        return b""
    try:
        if reply.status != 200:
            raise ValueError(f"it answered {reply.status}")
        return certificate_in(reply.body.decode("ascii"))
    except ValueError as error:
        raise JoinError(f"{server_url} does not answer as a Hadir server does ({error}).") from error


def _no_answer(where: Address, error: NoAnswer) -> str:
    try:
        shake_hands(where.host, where.port, context_for())
    except TLSFault as fault:
        if fault.trouble in (Trouble.NO_TLS, Trouble.SILENT, Trouble.CLOSED):
            words = fault.words(f"{where.host}:{where.port}", datetime.now(UTC))
            return f"{words[0].upper()}{words[1:]}."
    except OSError:
        pass
    return f"{where.host} does not answer ({error})."
