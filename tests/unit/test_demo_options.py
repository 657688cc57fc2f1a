"""What the demo is asked to do, and what keeps two of them apart."""

import socket
from pathlib import Path

import pytest

from deploy.demo.only_one import only_one
from deploy.demo.options import parse
from deploy.demo.stage import free_port


@pytest.fixture(autouse=True)
def kept(monkeypatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("HADIR_DEMO_HOME", str(tmp_path))
    monkeypatch.delenv("HADIR_MODELS", raising=False)
    return tmp_path


def test_each_cast_has_a_home_of_its_own(tmp_path):
    """The demo's own people, one's own people and one's own camera never share a database."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    calls = (
        [],
        ["--once"],
        ["--people", str(tmp_path / "a")],
        ["--people", str(tmp_path / "b")],
        ["--webcam", "0"],
    )
    homes = [parse(list(each)).home for each in calls]
    assert len(set(homes)) == len(calls)
    assert parse(["--people", str(tmp_path / "a"), "--webcam", "0"]).home == homes[2]


def test_a_pack_is_named_or_its_folder_given(tmp_path, capsys):
    """The name of a known pack is enough; any other must be a folder that is there."""
    assert parse(["--models", "buffalo_m"]).models == Path("buffalo_m")
    assert parse(["--models", str(tmp_path)]).models == tmp_path
    with pytest.raises(SystemExit):
        parse(["--models", "buffalo_xl"])
    assert "there is no folder buffalo_xl" in capsys.readouterr().err


@pytest.mark.parametrize("port", ["0", "99999", "-1", "http"])
def test_a_port_that_is_none_is_refused_in_a_sentence(port, capsys):
    """Exit status 2, and the number is named."""
    with pytest.raises(SystemExit) as ended:
        parse(["--port", port])
    assert ended.value.code == 2
    assert "is not a port" in capsys.readouterr().err


def test_a_second_demo_is_kept_out_and_a_later_one_is_let_in(tmp_path):
    """While one holds the folder another is refused in words; afterwards it is free."""
    with only_one(tmp_path / "demo"), pytest.raises(OSError, match="another demo is running"):
        only_one(tmp_path / "demo").__enter__()
    with only_one(tmp_path / "demo"):
        pass


def test_a_port_is_only_replaced_where_nobody_insisted():
    """A taken port gives another one, or an error for who asked for exactly that one."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert free_port(port) != port
        with pytest.raises(OSError, match="is taken"):
            free_port(port, instead=False)
