"""What is wrong with a TLS connection, looked at closely: libraries say "certificate verify failed"."""

import contextlib
import socket
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from edge_agent.adapters.trust import trusting_anybody

PATIENCE_S = 6.0
_NO_CHECK_TIME = 0x200000  # X509_V_FLAG_NO_CHECK_TIME
_NOT_YET, _EXPIRED = 9, 10  # X509_V_ERR_...
_UNKNOWN_CA = {2, 18, 19, 20, 21}
_WRONG_NAME = {62, 64}


class Trouble(StrEnum):
    EXPIRED = "expired"
    NOT_YET = "not yet valid"
    WRONG_NAME = "wrong name"
    UNKNOWN_CA = "unknown CA"
    BAD = "bad certificate"
    NO_TLS = "no TLS"
    SILENT = "silent"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Certificate:
    """What a server's certificate says of itself; nobody need have vouched for it."""

    names: tuple[str, ...]
    issuer: str
    begins: datetime
    ends: datetime


class TLSFault(Exception):
    """A TLS connection could not be made; says which kind of trouble, and what the certificate says."""

    def __init__(self, trouble: Trouble, certificate: Certificate | None = None, detail: str = "") -> None:
        self.trouble, self.certificate, self.detail = trouble, certificate, detail
        super().__init__(detail or trouble.value)

    def words(self, host: str, now: datetime) -> str:
        """Return a sentence that a technician can act on. now is this box's own clock."""
        seen, clock = self.certificate, f"this box's clock says {_day(now)}"
        match self.trouble:
            case Trouble.EXPIRED if seen:
                return (
                    f"the certificate of {host} expired on {_day(seen.ends)} ({clock}). If the clock is "
                    "right, the server's administrator has to renew it"
                )
            case Trouble.NOT_YET if seen:
                return (
                    f"the certificate of {host} is valid from {_day(seen.begins)} only, and {clock}: set the "
                    "clock (timedatectl set-ntp true)"
                )
            case Trouble.WRONG_NAME if seen:
                names = ", ".join(seen.names) or "no name at all"
                return (
                    f"the certificate is made for {names}, not for {host}: use one of its names in the link"
                )
            case Trouble.UNKNOWN_CA:
                by = f" by {seen.issuer!r}" if seen else ""
                return (
                    f"the certificate of {host} is signed{by}, whom this box does not trust. If the "
                    "server has a CA of its own, use the whole link with what stands behind the '#'; if not, "
                    "a proxy looks into the traffic, or somebody is in between"
                )
            case Trouble.NO_TLS:
                return f"{host} answers on this port, but does not speak TLS"
            case Trouble.SILENT:
                return f"{host} takes the connection and then says nothing (a firewall, or another service)"
            case Trouble.CLOSED:
                return f"{host} closes the connection as soon as TLS begins (a firewall, or another service)"
        return f"the certificate of {host} is not acceptable ({self.detail})"


def shake_hands(host: str, port: int, context: ssl.SSLContext, patience_s: float = PATIENCE_S) -> Certificate:
    """Open and close a TLS connection; return what the certificate says. Raises TLSFault and OSError."""
    try:
        with _connected(host, port, context, patience_s) as stream:
            return _read(stream.getpeercert() or {})
    except ssl.SSLCertVerificationError as error:
        raise TLSFault(kind_of(error), certificate_of(host, port), error.verify_message) from error
    except TimeoutError as error:
        raise TLSFault(Trouble.SILENT) from error
    except (ssl.SSLEOFError, ConnectionResetError, BrokenPipeError) as error:
        raise TLSFault(Trouble.CLOSED) from error
    except ssl.SSLError as error:
        raise TLSFault(_protocol_kind(error), detail=_plain(error)) from error


def speaks_tls(host: str, port: int, patience_s: float = PATIENCE_S) -> bool:
    """Tell whether the port answers to TLS, whatever certificate it shows."""
    try:
        with _connected(host, port, trusting_anybody(), patience_s):
            return True
    except OSError:
        return False


def certificate_of(host: str, port: int, patience_s: float = PATIENCE_S) -> Certificate | None:
    """Return what the server's certificate says, whoever signed it; None when it does not show one.

    Python takes only a trusted certificate apart: so for a second look this very one is trusted, at any time.
    """
    with contextlib.suppress(OSError, ValueError):
        with _connected(host, port, trusting_anybody(), patience_s) as stream:
            der = stream.getpeercert(binary_form=True) or b""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN | _NO_CHECK_TIME
        context.load_verify_locations(cadata=der)
        with _connected(host, port, context, patience_s) as stream:
            return _read(stream.getpeercert() or {})
    return None


@contextlib.contextmanager
def _connected(host: str, port: int, context: ssl.SSLContext, patience_s: float) -> Iterator[ssl.SSLSocket]:
    with (
        socket.create_connection((host, port), patience_s) as plain,
        context.wrap_socket(plain, server_hostname=host) as stream,
    ):
        yield stream


def _read(told: Mapping[str, Any]) -> Certificate:
    names = tuple(value for kind, value in told.get("subjectAltName", ()) if kind in ("DNS", "IP Address"))
    issuer = {key: value for part in told.get("issuer", ()) for key, value in part}
    return Certificate(
        names,
        issuer.get("commonName") or issuer.get("organizationName") or "somebody without a name",
        _moment(told["notBefore"]),
        _moment(told["notAfter"]),
    )


def kind_of(error: ssl.SSLCertVerificationError) -> Trouble:
    """Return why a certificate was not accepted."""
    kinds = {_NOT_YET: Trouble.NOT_YET, _EXPIRED: Trouble.EXPIRED}
    kinds |= dict.fromkeys(_UNKNOWN_CA, Trouble.UNKNOWN_CA) | dict.fromkeys(_WRONG_NAME, Trouble.WRONG_NAME)
    return kinds.get(error.verify_code, Trouble.BAD)


def _protocol_kind(error: ssl.SSLError) -> Trouble:
    reason = str(error.reason)
    if reason in ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE"):
        return Trouble.NO_TLS
    return Trouble.CLOSED if "EOF" in reason else Trouble.BAD


def _plain(error: ssl.SSLError) -> str:
    return str(error.reason or error).lower().replace("_", " ")


def _moment(text: str) -> datetime:
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(text), UTC)


def _day(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
