"""deploy/broker: what the scripts make, what they leave alone, and what survives a power cut."""

import hashlib
import os
import re
import shutil
import signal
import ssl
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from central_server.config import read_server_config
from tests.broker_world import (
    ProductionBroker,
    a_production_broker,
    install,
    needs_dynamic_security,
    run_script,
)
from tests.link_world import wait_until

pytestmark = needs_dynamic_security


@pytest.fixture
def broker(tmp_path, free_port) -> Iterator[ProductionBroker]:
    with a_production_broker(tmp_path / "root", free_port) as found:
        yield found


def everything(root: Path) -> dict[str, bytes]:
    """Every file below root, without what the running broker writes."""
    files = (path for path in root.rglob("*") if path.is_file() and path.suffix not in (".log", ".db"))
    return {str(path.relative_to(root)): path.read_bytes() for path in files}


def test_a_second_run_changes_nothing(broker):
    """Whoever runs it again, to be sure, disturbs nobody: no file differs, and the passwords are the same."""
    before = everything(broker.root)
    again = install(broker.root, broker.port, broker.local_port)
    assert again.returncode == 0, again.stderr
    assert everything(broker.root) == before
    assert [line for line in again.stderr.splitlines() if not line.startswith("note: ")] == []


def test_a_rehearsal_changes_nothing_at_all(tmp_path):
    """--dry-run says what would be done, and does none of it."""
    rehearsed = install(tmp_path / "root", 8883, 1883, "--dry-run")
    assert rehearsed.returncode == 0, rehearsed.stderr
    assert "would: make a CA" in rehearsed.stderr
    assert f"would: write {tmp_path}/root/etc/mosquitto/hadir.conf" in rehearsed.stderr
    assert not (tmp_path / "root").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another user")
def test_it_runs_as_a_user_who_may_do_nothing_else(free_port):
    """As in production: root installs, and the broker, as mosquitto, reads its key and writes accounts."""
    root = Path(tempfile.mkdtemp(dir="/var/tmp"))
    root.chmod(0o755)
    try:
        with a_production_broker(root, free_port, "--run-as", "mosquitto") as broker:
            assert broker.process
            assert (root / "var/lib/mosquitto/hadir").owner() == "mosquitto"
            assert Path(f"/proc/{broker.process.pid}").owner() == "mosquitto"
            assert (root / "etc/hadir-tls/broker.key").group() == "mosquitto"
            broker.accounts.put("gate", "of the gate")
            assert broker.client("gate", "of the gate").connects()
            broker.kill()
            (broker.data / "dynamic-security.json").write_bytes(b"")
            broker.start()
            assert "hadir-server" in broker.accounts.names()
            broker.accounts.put("gate", "of the gate")
            assert broker.client("gate", "of the gate").connects()
            broker.stop()
            assert (broker.data / "mosquitto.db").owner() == "mosquitto"
    finally:
        shutil.rmtree(root)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another user")
def test_links_in_the_brokers_own_folder_lead_root_nowhere(free_port):
    """Whoever broke into the broker owns its folder; neither the next start nor the installer serves him."""
    root = Path(tempfile.mkdtemp(dir="/var/tmp"))
    root.chmod(0o755)
    try:
        with a_production_broker(root, free_port, "--run-as", "mosquitto") as broker:
            broker.stop()
            treasure = root / "shadow"
            treasure.write_text("root's own")
            names = ("starting", "dynamic-security.json.new", "dynamic-security.json.kept.new")
            for name in names:
                (broker.data / name).unlink(missing_ok=True)
                (broker.data / name).symlink_to(treasure)
            (broker.data / "dynamic-security.json").write_bytes(b"")
            broker.start()
            broker.stop()
            (broker.data / "dynamic-security.json").unlink()
            for name in names:
                (broker.data / name).unlink(missing_ok=True)
                (broker.data / name).symlink_to(treasure)
            again = install(root, broker.port, broker.local_port, "--run-as", "mosquitto")
            assert again.returncode == 0, again.stderr
            assert "hadir-admin" in (broker.data / "dynamic-security.json").read_text()
            assert (treasure.read_text(), treasure.owner()) == ("root's own", "root")
    finally:
        shutil.rmtree(root)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another user")
def test_the_servers_user_cannot_have_root_give_him_a_file(free_port):
    """The server reads its passwords in a folder of root's, which it cannot change."""
    root = Path(tempfile.mkdtemp(dir="/var/tmp"))
    try:
        assert install(root, free_port(), free_port(), "--server-user", "nobody").returncode == 0
        folder, treasure = root / "etc/hadir", root / "shadow"
        assert folder.owner() == "root" and folder.stat().st_mode & 0o777 == 0o750
        assert (folder / "broker-password").owner() == "nobody"
        treasure.write_text("root's own")
        (folder / "broker-password").unlink()
        (folder / "broker-password").symlink_to(treasure)  # as one could when the folder was the server's
        assert install(root, free_port(), free_port(), "--server-user", "nobody").returncode == 0
        assert treasure.owner() == "root"
    finally:
        shutil.rmtree(root)


def test_what_is_secret_is_for_its_owner_only(broker):
    """Keys, passwords and hashes: 0600 or 0640, and the folder of the accounts is closed."""
    modes = {path.name: path.stat().st_mode & 0o777 for path in broker.root.rglob("*")}
    for name in ("ca.key", "broker-password", "broker-admin-password"):
        assert modes[name] == 0o600
    assert modes["broker.key"] in (0o600, 0o640)
    assert modes["web.key"] in (0o600, 0o640)
    assert broker.data.stat().st_mode & 0o777 == 0o700
    passwords = [broker.password("broker-password"), broker.password("broker-admin-password")]
    assert len(set(passwords)) == 2
    assert all(re.fullmatch("[0-9a-f]{64}", each) for each in passwords)
    for path, content in everything(broker.root).items():
        assert not [each for each in passwords if each.encode() in content] or path.endswith("password")


def test_the_settings_that_it_prints_are_the_servers(broker):
    """What the operator copies into server.env is read without a complaint and leads to the broker."""
    printed = install(broker.root, broker.port, broker.local_port).stdout
    settings = dict(line.split("=", 1) for line in printed.splitlines() if line.startswith("HADIR_"))
    config = read_server_config({"HADIR_HOME": str(broker.root / "server"), **settings})
    assert config.broker == broker.config().broker
    assert config.broker.admin_password and config.broker.password
    https = dict(line[1:].split("=", 1) for line in printed.splitlines() if line.startswith("#HADIR_"))
    config = read_server_config({"HADIR_HOME": str(broker.root / "server"), **settings, **https})
    assert config.base_url.startswith("https://") and config.base_url.endswith(":8443")
    assert {"HADIR_WEB_CERT_FILE", "HADIR_WEB_KEY_FILE", "HADIR_WEB_HOST", "HADIR_WEB_PORT"} < set(https)


def test_the_settings_that_bite_are_set_and_explained(broker):
    """Each one stands there with the value that the measurements asked for, below a comment."""
    lines = broker.conf.read_text().splitlines()
    wanted = {
        "per_listener_settings": "false",
        "allow_anonymous": "false",
        "tls_version": "tlsv1.2",
        "persistence": "true",
        "autosave_interval": "15",
        "max_queued_messages": "1000000",
        "max_inflight_messages": "200",
        "max_packet_size": "262144",
    }
    found = dict(line.split(" ", 1) for line in lines if line and not line.startswith("#"))
    assert wanted.items() <= found.items()
    assert 5 <= int(found["autosave_interval"]) <= 30
    for name in ("per_listener_settings", "persistence", "max_queued_messages", "max_packet_size"):
        assert lines[lines.index(f"{name} {wanted[name]}") - 1].startswith("# ")


def test_uninstalled_it_is_gone_and_what_is_dear_stays(broker):
    """Settings and units go; accounts, passwords and the CA stay, and a new installation uses them."""
    ca, password = broker.ca_file.read_bytes(), broker.password("broker-password")
    broker.stop()
    done = install(broker.root, broker.port, broker.local_port, "--uninstall")
    assert done.returncode == 0, done.stderr
    left = everything(broker.root)
    assert not [name for name in left if name.startswith(("etc/mosquitto", "etc/systemd", "usr"))]
    assert install(broker.root, broker.port, broker.local_port).returncode == 0
    assert (broker.ca_file.read_bytes(), broker.password("broker-password")) == (ca, password)
    broker.start()
    assert "hadir-server" in broker.accounts.names()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "by which name or address"),
        (("--host", "a b"), "is not a host name"),
        (("--host", "x", "--port", "eighty"), "is not a port"),
        (("--host", "x", "--port", "70000"), "is not a port"),
        (("--host",), "--host NAME"),
        (("--colour", "red"), "--host NAME"),
    ],
)
def test_a_wrong_call_is_answered_in_a_sentence(tmp_path, arguments, words):
    """Exit status 2, and what would have been right."""
    done = run_script("install.sh", "--below", tmp_path / "root", *arguments)
    assert done.returncode == 2
    assert words in done.stderr


# -- certificates ------------------------------------------------------------------------------------------


def certificates(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run_script("certificates.sh", "--dir", folder, *arguments)


def test_a_ca_is_never_overwritten(tmp_path):
    """Boxes out there trust it: a second call says so, and touches nothing."""
    assert certificates(tmp_path, "ca").returncode == 0
    before = everything(tmp_path)
    again = certificates(tmp_path, "ca")
    assert again.returncode == 1
    assert "there is a CA" in again.stderr
    assert everything(tmp_path) == before
    (tmp_path / "ca.crt").unlink()
    assert certificates(tmp_path, "ca").returncode == 1, "its key alone is not overwritten either"


def test_the_hash_of_the_ca_is_shown(tmp_path):
    """The one that joining boxes compare: SHA-256 over the certificate itself."""
    made = certificates(tmp_path, "ca").stdout
    der = ssl.PEM_cert_to_DER_cert((tmp_path / "ca.crt").read_text())
    assert hashlib.sha256(der).hexdigest() in made
    assert hashlib.sha256(der).hexdigest() in certificates(tmp_path, "show").stdout


def test_a_certificate_is_for_its_names_and_addresses(tmp_path):
    """Names as names, addresses as addresses, P-256, and strict verifiers are content."""
    certificates(tmp_path, "ca")
    made = certificates(tmp_path, "server", "web", "hadir.example.com", "10.0.0.7", "fd00::7")
    assert made.returncode == 0, made.stderr
    text = openssl("x509", "-in", tmp_path / "web.crt", "-noout", "-text")
    assert "DNS:hadir.example.com, IP Address:10.0.0.7, IP Address:FD00:0:0:0:0:0:0:7" in text
    assert "NIST CURVE: P-256" in text
    assert "TLS Web Server Authentication" in text
    verified = openssl(
        "verify",
        "-x509_strict",
        "-purpose",
        "sslserver",
        "-CAfile",
        tmp_path / "ca.crt",
        tmp_path / "web.crt",
    )
    assert verified.strip().endswith("OK")


def openssl(*arguments: str | Path) -> str:
    return subprocess.run(
        ["openssl", *map(str, arguments)], capture_output=True, text=True, check=True
    ).stdout


def test_renewal_keeps_the_key_the_names_and_the_ca(tmp_path):
    """Only what ends soon is renewed, and boxes notice nothing; what is from elsewhere is left alone."""
    certificates(tmp_path, "ca")
    certificates(tmp_path, "server", "web", "hadir.example.com", "10.0.0.7")
    openssl(
        "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1",
        "-subj", "/CN=elsewhere", "-keyout", tmp_path / "other.key", "-out", tmp_path / "other.crt",
    )  # fmt: skip
    before = everything(tmp_path)
    assert certificates(tmp_path, "renew").stdout == ""
    assert everything(tmp_path) == before
    renewed = certificates(tmp_path, "renew", "--within", "900")
    assert renewed.returncode == 0, renewed.stderr
    after = everything(tmp_path)
    assert {name for name in before if before[name] != after[name]} == {"web.crt"}
    names = openssl("x509", "-in", tmp_path / "web.crt", "-noout", "-ext", "subjectAltName")
    assert "DNS:hadir.example.com, IP Address:10.0.0.7" in names
    assert sorted(after) == sorted(before), "nothing is left lying about"


def test_a_renewed_certificate_counts_without_a_restart(broker):
    """SIGHUP: newcomers see the new one, and whoever is connected stays."""
    broker.accounts.put("gate", "of the gate")
    client = broker.client("gate", "of the gate")
    assert client.connects()
    tls = broker.root / "etc/hadir-tls"
    assert certificates(tls, "renew", "--within", "900").returncode == 0
    assert broker.process
    broker.process.send_signal(signal.SIGHUP)
    new = ssl.PEM_cert_to_DER_cert((tls / "broker.crt").read_text())
    wait_until(lambda: served_by(broker) == new, about="the new certificate is served")
    assert client.is_connected()


def served_by(broker: ProductionBroker) -> bytes:
    return ssl.PEM_cert_to_DER_cert(ssl.get_server_certificate(("127.0.0.1", broker.port)))


# -- after a power cut -------------------------------------------------------------------------------------


def start_as_systemd_does(broker: ProductionBroker) -> int:
    """Start until it runs, as Restart=always does; return how many starts that took."""
    for starts in range(1, 4):
        try:
            broker.start()
        except AssertionError:
            broker.stop()
        else:
            return starts
    raise AssertionError(broker.log())


def test_a_damaged_store_is_set_aside(broker):
    """The first start fails, the second begins empty, with every account; the damaged file is kept."""
    broker.accounts.put("gate", "of the gate")
    broker.stop()
    store = broker.data / "mosquitto.db"
    store.write_bytes(bytes(4000))
    assert start_as_systemd_does(broker) == 2
    (aside,) = broker.data.glob("mosquitto.db.damaged-*")
    assert aside.read_bytes() == bytes(4000)
    assert broker.client("gate", "of the gate").connects()


def test_a_store_that_can_be_read_is_never_set_aside(broker):
    """A start that failed for another reason, or was cut short, costs no message."""
    server = broker.client("hadir-server", broker.password("broker-password"))
    assert server.connects() and server.publishes("hadir/1/srv/state", b"kept", retain=True)
    broker.stop()
    assert broker.guard("before").returncode == 0  # and then the power went
    broker.start()
    assert not list(broker.data.glob("*damaged*"))
    again = broker.client("hadir-server", broker.password("broker-password"))
    assert again.connects() and again.subscribes("hadir/1/srv/state")
    again.listen(until=lambda: again.heard)
    assert again.heard == [("hadir/1/srv/state", b"kept")]


@pytest.mark.parametrize("damage", [b"", b"\0" * 900, b'{"clients":[', b'{"clients":[],"roles":[]}', None])
def test_damaged_accounts_are_those_of_the_last_good_start(broker, damage):
    """Whatever is left of the file: the broker starts, and knows whom it knew when it last started."""
    broker.accounts.put("gate", "of the gate")
    broker.stop()
    broker.start()
    broker.kill()
    accounts = broker.data / "dynamic-security.json"
    accounts.unlink() if damage is None else accounts.write_bytes(damage)
    broker.start()
    assert broker.client("gate", "of the gate").connects()
    assert "hadir-server" in broker.accounts.names()
    assert len(list(broker.data.glob("dynamic-security.json.damaged-*"))) == (damage is not None)


def test_the_guard_leaves_nothing_behind(broker):
    """Its trials are in a folder of their own, which is gone afterwards; no second broker lives on."""
    broker.stop()
    for _ in range(3):
        assert broker.guard("before").returncode == 0
    assert sorted(path.name for path in broker.data.iterdir()) == [
        "dynamic-security.json",
        "dynamic-security.json.kept",
        "mosquitto.db",
        "starting",
    ]
    running = subprocess.run(["pgrep", "-f", str(broker.data)], capture_output=True, text=True, check=False)
    assert running.stdout == ""
