"""A PostgreSQL server of our own for the tests that want one, on loopback and gone afterwards."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PASSWORD = "only-for-tests"


def binaries() -> Path | None:
    """Return the folder of the newest PostgreSQL server on this machine, or None."""
    found = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[4]), reverse=True
    )
    return found[0].parent if found else None


@contextmanager
def postgres_server(port: int) -> Iterator[str]:
    """Start a fresh server on port and give the URL of its empty database."""
    folder = binaries()
    if folder is None:
        raise RuntimeError("no PostgreSQL server is installed")
    as_owner = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []  # it refuses to run as root
    home = Path(tempfile.mkdtemp(prefix="hadir-postgres-"))
    (home / "password").write_text(PASSWORD)
    if as_owner:
        for path in (home, home / "password"):
            shutil.chown(path, "postgres")
    data = home / "data"
    control = [*as_owner, str(folder / "pg_ctl"), "-D", str(data)]
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={home} -c fsync=off"
    make = ["-U", "hadir", "--auth=scram-sha-256", f"--pwfile={home / 'password'}", "-E", "UTF8"]
    try:
        _run([*as_owner, str(folder / "initdb"), "-D", str(data), *make, "--locale=C.UTF-8"])
        _run([*control, "-w", "-l", str(home / "log"), "-o", options, "start"])
        try:
            yield f"postgresql+psycopg://hadir:{PASSWORD}@127.0.0.1:{port}/postgres"
        finally:
            _run([*control, "-m", "immediate", "stop"])
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _run(command: list[str]) -> None:
    subprocess.run(command, check=True, cwd="/", stdout=subprocess.DEVNULL, timeout=60)
