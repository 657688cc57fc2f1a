"""The web process speaks HTTPS by itself, with a certificate of our own CA."""

import os
import signal
import ssl
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from central_server.config import read_server_config
from central_server.db.migrate import upgrade
from common.settings import SettingsError
from tests.broker_world import needs_dynamic_security, run_script
from tests.link_world import wait_until

pytestmark = needs_dynamic_security  # for openssl


@dataclass
class Server:
    url: str
    port: int
    tls: Path
    home: Path
    process: subprocess.Popen[bytes]

    def get(self, path: str, **more: object) -> requests.Response:
        return requests.get(f"{self.url}{path}", verify=str(self.tls / "ca.crt"), timeout=10, **more)  # type: ignore[arg-type]

    def is_up(self) -> bool:
        assert self.process.poll() is None, (self.home / "web.log").read_text()
        try:
            return self.get("/health/live").ok
        except requests.ConnectionError:
            return False


@pytest.fixture
def server(tmp_path, free_port) -> Iterator[Server]:
    tls, port = tmp_path / "tls", free_port()
    assert run_script("certificates.sh", "--dir", tls, "ca").returncode == 0
    assert run_script("certificates.sh", "--dir", tls, "server", "web", "localhost").returncode == 0
    environment = os.environ | {
        "HADIR_HOME": str(tmp_path / "home"),
        "HADIR_WEB_PORT": str(port),
        "HADIR_BASE_URL": f"https://localhost:{port}",
        "HADIR_WEB_CERT_FILE": str(tls / "web.crt"),
        "HADIR_WEB_KEY_FILE": str(tls / "web.key"),
    }
    upgrade(read_server_config(environment).database_url)
    with (tmp_path / "home" / "web.log").open("wb") as log:
        command = [sys.executable, "-m", "central_server", "web"]
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    found = Server(f"https://localhost:{port}", port, tls, tmp_path / "home", process)
    try:
        wait_until(found.is_up, 30, about="the web process answers")
        yield found
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)


def test_it_speaks_https_and_nothing_else(server):
    """Whoever trusts the CA gets the page, with strict transport security; plain HTTP gets nothing."""
    reply = server.get("/login")
    assert reply.ok
    assert "max-age=" in reply.headers["Strict-Transport-Security"]
    with pytest.raises(requests.ConnectionError):
        requests.get(f"http://localhost:{server.port}/health/live", timeout=10)
    with pytest.raises(requests.exceptions.SSLError):
        requests.get(f"{server.url}/health/live", timeout=10)
    assert server.is_up(), "the attempts did no harm"


def test_a_caller_cannot_pretend_to_be_another_address(server):
    """Without a proxy in front, X-Forwarded-For is only what anybody can write: the limit of tries holds."""
    body = {"code": "0000-0000", "hardware_id": "guesser"}
    answers = [
        requests.post(
            f"{server.url}/agent/v1/join",
            json=body,
            headers={"X-Forwarded-For": f"10.0.0.{each}"},
            verify=str(server.tls / "ca.crt"),
            timeout=10,
        ).status_code
        for each in range(14)
    ]
    assert answers[0] == 403
    assert answers[-1] == 429


def test_a_renewed_certificate_counts_without_a_restart(server):
    """The next connection sees it."""
    assert run_script("certificates.sh", "--dir", server.tls, "renew", "--within", "900").returncode == 0
    new = ssl.PEM_cert_to_DER_cert((server.tls / "web.crt").read_text())
    served = ssl.PEM_cert_to_DER_cert(ssl.get_server_certificate(("localhost", server.port)))
    assert served == new
    assert server.is_up()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"HADIR_WEB_CERT_FILE": "{cert}"}, "belong together"),
        ({"HADIR_WEB_KEY_FILE": "{cert}"}, "belong together"),
        ({"HADIR_WEB_CERT_FILE": "{cert}", "HADIR_WEB_KEY_FILE": "/nowhere"}, "/nowhere cannot be read"),
        ({"HADIR_WEB_CERT_FILE": "{cert}", "HADIR_WEB_KEY_FILE": "{cert}"}, "must begin with https://"),
        (
            {"HADIR_BROKER_ACCOUNTS_DIR": "{home}", "HADIR_BROKER_ADMIN_PASSWORD": "x"},
            "set only one of them",
        ),
    ],
)
def test_settings_that_contradict_each_other_are_told(tmp_path, settings, words):
    """Before anything starts, in a sentence that names them."""
    (tmp_path / "cert.pem").touch()
    facts = {"cert": tmp_path / "cert.pem", "home": tmp_path}
    given = {name: value.format(**facts) for name, value in settings.items()}
    with pytest.raises(SettingsError, match=words):
        read_server_config({"HADIR_HOME": str(tmp_path), **given})
