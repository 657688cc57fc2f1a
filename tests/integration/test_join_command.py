"""`hadir agent join` as a technician types it, and the server's side of it as an operator does."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from central_server.db import models
from central_server.db.migrate import upgrade
from central_server.db.unit_of_work import UnitOfWork
from central_server.services.join_agent import make_join_code
from common.join_link import BadJoinLink, JoinLink, read_link
from edge_agent.adapters.central_api import CentralAPI
from edge_agent.adapters.identity_file import load_identity, shut, write_private
from edge_agent.adapters.outbox import Outbox
from edge_agent.cli import main
from tests.agent_world import AgentWorld, an_agent_world
from tests.link_world import ROOT, wait_until
from tests.test_architecture import modules
from tests.tls_world import a_ca

HASH = "2LO6G3GJX32X4YFJ26YN5YN4XM"
root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")


@pytest.fixture
def world(engine, tmp_path) -> Iterator[AgentWorld]:
    with an_agent_world(engine, tmp_path / "server") as found:
        yield found


@pytest.fixture
def joined(tmp_path, capsys) -> Callable[..., tuple[int, str, str]]:
    """Return a function that joins with the home `box`; it returns the status and both outputs."""
    config = tmp_path / "agent.yaml"
    config.write_text(
        f"home: {tmp_path / 'box'}\ncameras:\n  - {{camera_id: c, zone: z, url: 'rtsp://h/'}}\n"
    )

    def run(*arguments: str) -> tuple[int, str, str]:
        status = main(["join", *arguments, "--config", str(config)])
        told = capsys.readouterr()
        return status, told.out, told.err

    return run


@pytest.fixture
def systemctl(tmp_path, monkeypatch) -> Callable[[str], Path]:
    """Return a function that puts a systemctl with this behaviour first on the path; the log of its calls."""
    folder, log = tmp_path / "bin", tmp_path / "systemctl.log"

    def install(behaviour: str) -> Path:
        folder.mkdir()
        (folder / "systemctl").write_text(f'#!/bin/sh\necho "$@" >> {log}\n{behaviour}\n')
        (folder / "systemctl").chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
        return log

    return install


@pytest.mark.parametrize(
    ("text", "link"),
    [
        ("https://h.example/7K3M-9QXB", JoinLink("https://h.example", "7K3M-9QXB")),
        (f" https://h.test:84/7k3m9qxb#{HASH.lower()}\n", JoinLink("https://h.test:84", "7k3m9qxb", HASH)),
        (f"hadir://h.example/7K3M-9QXB#{HASH}", JoinLink("https://h.example", "7K3M-9QXB", HASH)),
        ("hadir+http://127.0.0.1:8080/7K3M-9QXB", JoinLink("http://127.0.0.1:8080", "7K3M-9QXB")),
        (f"https://[2001:db8::1]:9/#{HASH}", JoinLink("https://[2001:db8::1]:9", "", HASH)),
        ("https://h.example", JoinLink("https://h.example")),
    ],
)  # fmt: skip
def test_a_link_is_read_as_it_is_written(text, link):
    """With and without code, port and hash; what is scanned says the same as what is typed."""
    assert read_link(text) == link
    assert read_link(str(link)) == read_link(link.to_scan) == link


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("h.example/7K3M-9QXB", "is not a join link"),
        ("ftp://h.example/7K3M-9QXB", "is not a join link"),
        ("https://admin:secret@h.example/7K3M-9QXB", "is not a join link"),
        ("https://h.example:port/7K3M-9QXB", "no proper port"),
        ("https://h.example/7K3M-9QX", "is not a join code"),
        ("https://h.example/cameras/7K3M-9QXB", "is not a join code"),
        ("https://h.example/7K3M-9QXB#2LO6G3GJX", "is not whole"),
        (f"http://h.example/7K3M-9QXB#{HASH}", "begins with https"),
    ],
)
def test_what_is_no_link_is_told(text, words, joined):
    """A slip of the pen is found before anything is asked, with exit status 2."""
    with pytest.raises(BadJoinLink, match=words):
        read_link(text)
    status, _, told = joined(text)
    assert status == 2 and words in told


def test_who_joined_is_told_what_comes_next(world, joined, tmp_path):
    """Who it is, where, that the broker cannot be reached and what that means, and the next command."""
    status, told, _ = joined(f"{world.url}/{world.code()}", "--name", "Gate box")
    assert status == 0
    assert f"Joined Plant One as gate-box at {world.url}" in told
    assert "Next: hadir agent check" in told
    assert (tmp_path / "box").stat().st_mode & 0o777 == 0o700


def test_an_identity_is_not_thrown_away_by_accident(world, joined, tmp_path):
    """A second join says which agent this is already; --again makes it the same agent anew."""
    joined(f"{world.url}/{world.code()}", "--name", "Gate box")
    first = load_identity(tmp_path / "box" / "identity.json")
    code = world.code()
    status, _, told = joined(f"{world.url}/{code}")
    assert status == 2
    assert "already agent gate-box of Plant One" in told and "--again" in told
    assert load_identity(tmp_path / "box" / "identity.json") == first

    assert joined(f"{world.url}/{code}", "--again")[0] == 0
    again = load_identity(tmp_path / "box" / "identity.json")
    assert (again.agent_id, again.token == first.token) == ("gate-box", False)
    assert CentralAPI.of(again).manifest()


def test_a_join_that_fails_leaves_the_old_identity(world, joined, tmp_path):
    """--again with a code that is worth nothing changes nothing on this box."""
    joined(f"{world.url}/{world.code()}")
    before = load_identity(tmp_path / "box" / "identity.json")
    status, _, told = joined(f"{world.url}/0000-0000", "--again")
    assert status == 1 and "is not known" in told
    assert load_identity(tmp_path / "box" / "identity.json") == before
    assert CentralAPI.of(before).manifest()


def test_what_was_not_sent_stays_with_the_old_agent(world, joined, tmp_path):
    """Another site's agent begins with an empty spool; the same agent joined anew goes on with its own."""
    box = tmp_path / "box"
    joined(f"{world.url}/{world.code()}")
    Outbox(box / "spool.db", load_identity(box / "identity.json").agent_id).close()
    joined(f"{world.url}/{world.code()}", "--again")
    assert (box / "spool.db").exists()
    with UnitOfWork(world.web.engine) as work:
        work.session.add(models.Site(site_id="depot", name="Depot", timezone="Asia/Jakarta"))
        work.session.flush()
        depot = make_join_code(work, "depot", by="admin", secret_key=world.secret_key, now=datetime.now(UTC))
    assert joined(f"{world.url}/{depot}", "--again")[0] == 0
    assert not (box / "spool.db").exists()
    assert list(box.glob("spool.db.of-*"))


def test_the_service_is_started_when_asked(world, joined, systemctl):
    """--start enables it and starts it anew, so that a service with an old identity takes the new one."""
    log = systemctl("exit 0")
    status, told, _ = joined(f"{world.url}/{world.code()}", "--start")
    assert status == 0 and "The service hadir-agent runs" in told
    assert log.read_text().splitlines() == [
        "cat hadir-agent.service",
        "enable hadir-agent.service",
        "restart hadir-agent.service",
    ]


def test_a_service_that_does_not_start_is_told(world, joined, systemctl):
    """The join itself stands; systemd's words are repeated."""
    systemctl('[ "$1" = restart ] && { echo "Job failed: no space" >&2; exit 1; }; exit 0')
    status, told, error = joined(f"{world.url}/{world.code()}", "--start")
    assert status == 1
    assert "Joined Plant One" in told
    assert "the service did not start: Job failed: no space" in error


def test_without_the_service_nothing_is_started(world, joined, systemctl):
    """Where no unit is installed, --start says so; the box has joined all the same."""
    systemctl("exit 1")
    status, told, error = joined(f"{world.url}/{world.code()}", "--start")
    assert status == 1
    assert "Joined Plant One" in told and "no service hadir-agent" in error


def test_a_crowd_at_the_door_is_told_of(world, joined):
    """A box that may not even wait says why, instead of showing a code that nobody sees."""
    api = CentralAPI(world.url)
    full = dict.fromkeys(("token_sha256", "promise", "nonce"), f"{9:064x}")
    for number in range(3):
        api.knock(full | {"token_sha256": f"{number:064x}", "hardware_id": "h", "name": "n"})
    status, _, told = joined(world.url, "--no-qr")
    assert status == 1 and "Too many boxes of this address" in told


# -- files ---------------------------------------------------------------------------------------------------


@root_only
def test_what_root_writes_belongs_to_the_owner_of_the_home(tmp_path):
    """The service's own user can read what root joined, down to new folders, and nobody else can."""
    home = tmp_path / "home"
    home.mkdir()
    os.chown(home, 65534, 65534)
    write_private(home / "crops" / "a.jpg", b"x")
    for path in (home / "crops", home / "crops" / "a.jpg"):
        assert (path.stat().st_uid, path.stat().st_gid) == (65534, 65534)
    assert (home / "crops").stat().st_mode & 0o777 == 0o700
    assert (home / "crops" / "a.jpg").stat().st_mode & 0o777 == 0o600


def test_a_home_is_shut_but_not_what_is_shared(tmp_path):
    """An agent's folder is for the agent alone; a shared one, like /tmp, is left alone."""
    (tmp_path / "home").mkdir(mode=0o755)
    shut(tmp_path / "home")
    assert (tmp_path / "home").stat().st_mode & 0o777 == 0o700
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared").chmod(0o1777)
    shut(tmp_path / "shared")
    assert (tmp_path / "shared").stat().st_mode & 0o7777 == 0o1777


def test_no_request_of_an_agent_goes_around_its_own_ca():
    """An agent's client is made from its identity, which carries the CA; without one only to join."""
    bare = [
        str(path.relative_to(ROOT))
        for path in modules("edge_agent")
        if "CentralAPI(" in path.read_text().replace("CentralAPI.of(", "")
    ]
    assert sorted(bare) == ["edge_agent/join.py", "edge_agent/knocking.py"]


# -- the server's side ---------------------------------------------------------------------------------------


@pytest.fixture
def server(tmp_path, free_port) -> Iterator[tuple[dict[str, str], str]]:
    """`hadir server web` with a certificate of the company's own CA; its environment and address."""
    ca, port = a_ca(tmp_path / "ca"), free_port()
    certificate, key = ca.server()
    url = f"https://127.0.0.1:{port}"
    home = tmp_path / "server"
    environment = {
        **os.environ, "HADIR_HOME": str(home), "HADIR_BASE_URL": url, "HADIR_WEB_PORT": str(port),
        "HADIR_WEB_CERT_FILE": certificate, "HADIR_WEB_KEY_FILE": key, "HADIR_BROKER_CA_FILE": str(ca.file),
    }  # fmt: skip
    home.mkdir()
    upgrade(f"sqlite:///{home / 'hadir.db'}")
    subprocess.run(
        [sys.executable, "-m", "central_server", "site", "add", "plant", "Plant One"],
        cwd=ROOT, env=environment, check=True, capture_output=True,
    )  # fmt: skip
    log = (home / "log").open("w")
    process = subprocess.Popen(
        [sys.executable, "-m", "central_server", "web"], cwd=ROOT, env=environment, stdout=log, stderr=log
    )
    try:
        wait_until(lambda: "Listening at: https://" in (home / "log").read_text(), 30, about="it listens")
        yield environment, url
    finally:
        process.terminate()
        process.wait(15)


def test_an_operators_link_leads_in_over_https(server, joined, tmp_path):
    """From `hadir server join-code` on a server with its own CA to a joined box, without a proxy."""
    environment, url = server
    made = subprocess.run(
        [sys.executable, "-m", "central_server", "join-code", "--site", "plant", "--agent-name", "Lobby"],
        cwd=ROOT, env=environment | {"PYTHONIOENCODING": "utf-8"}, check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    link = made.split()[-1]
    assert link.startswith(f"{url}/") and "█" in made
    assert read_link(link).ca_hash
    status, told, error = joined(link)
    assert (status, error) == (0, "")
    assert "Joined Plant One as lobby" in told
    assert CentralAPI.of(load_identity(tmp_path / "box" / "identity.json")).manifest()
    bare = subprocess.run(
        [sys.executable, "-m", "central_server", "join-code", "--site", "plant", "--no-qr"],
        cwd=ROOT, env=environment, check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert len(bare.stdout.splitlines()) == 2
