"""Whose certificates are trusted: the server's own CA and nothing else, or whom this system trusts."""

import ssl
from typing import Any

import certifi
import requests
from requests.adapters import HTTPAdapter


def context_for(ca_pem: str = "") -> ssl.SSLContext:
    """Return a TLS context that trusts the CA in ca_pem alone; without one, what this system trusts."""
    if ca_pem:
        return ssl.create_default_context(cadata=ca_pem)
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())  # for boxes without ca-certificates
    return context


def trusting_anybody() -> ssl.SSLContext:
    """Return a context for looking only: nothing secret may be sent over what it opens."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def session_with(context: ssl.SSLContext) -> requests.Session:
    """Return an HTTP session whose TLS is the context's, whatever requests would add to it."""
    session = requests.Session()
    session.mount("https://", _WithContext(context))
    return session


class _WithContext(HTTPAdapter):
    """requests trusts certifi's list, or REQUESTS_CA_BUNDLE, beside any context: this one does not."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, ssl_context=self._context, **kwargs)

    def proxy_manager_for(self, proxy: Any, **kwargs: Any) -> Any:
        return super().proxy_manager_for(proxy, ssl_context=self._context, **kwargs)

    def build_connection_pool_key_attributes(
        self, request: Any, verify: Any, cert: Any = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        host, _ = super().build_connection_pool_key_attributes(request, True, cert)
        return host, {"ssl_context": self._context, "cert_reqs": self._context.verify_mode}

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        conn.cert_reqs = self._context.verify_mode
        conn.ca_certs = conn.ca_cert_dir = None
