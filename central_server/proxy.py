"""What a reverse proxy says about a request is believed only when a trusted proxy says it.

Otherwise whoever reaches the web process directly could write any address into X-Forwarded-For, and with a
new one for each try no limit would ever stop him.
"""

from collections.abc import Callable, Iterable
from ipaddress import ip_address, ip_network
from typing import Any

from werkzeug.middleware.proxy_fix import ProxyFix

LOOPBACK = ("127.0.0.0/8", "::1/128")


class BehindProxy:
    """WSGI middleware: the last X-Forwarded-For, -Proto and -Host of loopback and of `networks` count."""

    def __init__(self, app: Callable[..., Iterable[bytes]], networks: Iterable[str] = ()) -> None:
        self._direct = app
        self._proxied = ProxyFix(app, x_for=1, x_proto=1, x_host=1)
        self._trusted = [ip_network(each) for each in (*LOOPBACK, *networks)]

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        app = self._proxied if self._trusts(environ.get("REMOTE_ADDR", "")) else self._direct
        return app(environ, start_response)

    def _trusts(self, peer: str) -> bool:
        """Tell whether peer is a trusted proxy; a Unix socket has no address, and only ours reach it."""
        if not peer:
            return True
        try:
            address = ip_address(peer)
        except ValueError:
            return False
        address = getattr(address, "ipv4_mapped", None) or address
        return any(address in network for network in self._trusted)
