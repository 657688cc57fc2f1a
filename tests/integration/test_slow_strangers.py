"""Strangers who connect and then dawdle: the web server does not wait for them for ever."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest
import requests

from central_server.config import read_server_config
from central_server.db.migrate import upgrade
from tests.broker_world import needs_dynamic_security, run_script
from tests.link_world import wait_until

PATIENCE_S = 1.0
_SERVE = """
import os, sys
from central_server import processes
from central_server.adapters import web_worker
from central_server.config import read_server_config
web_worker.PATIENCE_S, web_worker.MOST_OF_ONE, processes.WEB_THREADS = float(sys.argv[1]), 4, 8
processes.web(read_server_config(os.environ), None)
"""


@contextmanager
def a_web_server(home, port: int, patience_s: float = PATIENCE_S, **settings: str) -> Iterator[None]:
    """The web process with 8 threads, of which one address gets 4, and little patience."""
    environment = os.environ | {"HADIR_HOME": str(home), "HADIR_WEB_PORT": str(port)} | settings
    upgrade(read_server_config(environment).database_url)
    process = subprocess.Popen([sys.executable, "-c", _SERVE, str(patience_s)], env=environment)
    try:
        yield
    finally:
        process.terminate()
        process.wait(15)


def answers(url: str, within_s: float = 5.0) -> bool:
    try:
        return requests.get(f"{url}/health/live", timeout=within_s, verify=False).ok
    except requests.RequestException:
        return False


@pytest.mark.parametrize(
    "words",
    [
        b"G",
        b"GET / HTTP/1.1\r\n",
        b"POST /agent/v1/join HTTP/1.1\r\nHost: x\r\nContent-Length: 9999\r\n\r\n{",
        b"POST /agent/v1/join HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
    ],
    ids=["a letter", "half a head", "half a body", "chunks that never come"],
)
def test_who_says_half_a_request_is_hung_up_on(tmp_path, free_port, words):
    """Twenty connections that go on no further hold eight threads for a few seconds, not for good."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with a_web_server(tmp_path, port):
        wait_until(lambda: answers(url), 20)
        dawdlers = [socket.create_connection(("127.0.0.1", port)) for _ in range(20)]
        for each in dawdlers:
            each.sendall(words)
        wait_until(lambda: answers(url), 30, about="others are served again")
        for each in dawdlers:
            each.close()


def test_who_keeps_an_answered_connection_open_keeps_nobody_waiting(tmp_path, free_port):
    """The farewell to one, who does not hang up, is not waited for by everybody else."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with a_web_server(tmp_path, port):
        wait_until(lambda: answers(url), 20)
        dawdlers = [socket.create_connection(("127.0.0.1", port)) for _ in range(16)]
        for each in dawdlers:
            each.sendall(b"GET /health/live HTTP/1.0\r\n\r\n")
        began = time.monotonic()
        wait_until(lambda: answers(url), 30, about="others are served")
        assert time.monotonic() - began < 10
        for each in dawdlers:
            each.close()


def test_a_letter_now_and_then_buys_no_time(tmp_path, free_port):
    """The patience is for the whole request, not for each part of it."""
    port = free_port()
    with a_web_server(tmp_path, port):
        wait_until(lambda: answers(f"http://127.0.0.1:{port}"), 20)
        with closing(socket.create_connection(("127.0.0.1", port))) as dawdler:
            dawdler.sendall(b"GET / HTTP/1.1\r\nX: ")
            dawdler.settimeout(0.2)
            began = time.monotonic()
            wait_until(lambda: has_ended(dawdler), 15, about="the connection is ended")
        assert time.monotonic() - began < 4 * PATIENCE_S


def has_ended(dawdler: socket.socket) -> bool:
    """Send one letter more, and tell whether the other end is gone."""
    try:
        dawdler.sendall(b"x")
        return dawdler.recv(1) == b""
    except TimeoutError:
        return False
    except OSError:
        return True


@needs_dynamic_security  # for openssl
@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
def test_one_address_does_not_hold_every_thread(tmp_path, free_port):
    """With TLS of our own nobody stands before us: who opens too many is hung up on at once."""
    tls, port = tmp_path / "tls", free_port()
    for words in (["ca"], ["server", "web", "localhost"]):
        assert run_script("certificates.sh", "--dir", tls, *words).returncode == 0
    settings = {
        "HADIR_BASE_URL": f"https://localhost:{port}",
        "HADIR_WEB_CERT_FILE": str(tls / "web.crt"),
        "HADIR_WEB_KEY_FILE": str(tls / "web.key"),
    }
    with a_web_server(tmp_path, port, 600.0, **settings):
        wait_until(lambda: answers(f"https://localhost:{port}"), 20)
        dawdlers = [socket.create_connection(("127.0.0.1", port), 5, ("127.0.0.2", 0)) for _ in range(20)]
        for each in dawdlers:
            each.sendall(b"\x16")
        wait_until(lambda: answers(f"https://localhost:{port}"), 30, about="others are served again")
        for each in dawdlers:
            each.close()
