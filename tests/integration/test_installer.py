"""deploy/edge/install.sh on a root folder of its own, with small releases and a systemctl that keeps notes.

The code that is installed here is a stand-in, so that no packages are fetched; what is tested is what the
installer does with it: where things go, who may read them, when it switches and when it goes back.
"""

import os
import pwd
import shutil
import stat
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.link_world import ROOT

SYSTEMCTL = """#!/bin/bash
echo "$*" >>"$STATE/calls"
current=$(readlink -f "$HADIR_ROOT/opt/hadir")
case $1 in
    is-active) [ -e "$STATE/active" ] ;;
    restart | start)
        [ ! -e "$current/docs/does-not-start" ] || { rm -f "$STATE/active"; exit 1; }
        case "$*" in *.path) ;; *) touch "$STATE/active"; echo "$current" >"$STATE/runs" ;; esac ;;
    stop) rm -f "$STATE/active" ;;
    show) n=$(cat "$STATE/restarts" 2>/dev/null || echo 0)
          [ ! -e "$current/docs/keeps-dying" ] || echo $((n + 1)) >"$STATE/restarts"; echo "$n" ;;
esac
"""
HADIR = f"""#!/bin/bash
here=$(dirname "$(readlink -f "$0")")
case $1 in
    packages)
        mkdir -p "$HADIR_VENV/bin"
        printf '#!/bin/sh\\nexec {sys.executable} "$@"\\n' >"$HADIR_VENV/bin/python"
        chmod +x "$HADIR_VENV/bin/python"
        [ ! -e "$here/docs/no-packages" ] ;;
    agent)
        case "$*" in
            *--as-well-as*) echo asked >>"$STATE/asked"; [ ! -e "$here/docs/sees-nothing" ] ;;
            *--json*) echo '{{"link": {{"phase": "online"}}}}' ;;
        esac ;;
esac
"""


@dataclass
class Box:
    """A root folder, and the folder that the technician unpacked."""

    root: Path
    source: Path
    state: Path

    def unpack(self, word: str, *flags: str) -> None:
        """Put a release there; flags say how it behaves."""
        shutil.rmtree(self.source, ignore_errors=True)
        for name in ("common", "edge_agent", "docs"):
            (self.source / name).mkdir(parents=True)
        shutil.copytree(ROOT / "deploy" / "edge", self.source / "deploy" / "edge")
        (self.source / "common" / "__init__.py").write_text(f'VERSION = "{word}"\n')
        names = "requirements-edge.txt requirements-dlib.txt pyproject.toml README.md CHANGELOG.md LICENSE"
        for name in names.split():
            (self.source / name).write_text("")
        for flag in flags:
            (self.source / "docs" / flag).write_text("")
        (self.source / "hadir").write_text(HADIR)
        (self.source / "hadir").chmod(0o755)

    def run(self, *arguments: str, answer: str = "", expect: int = 0, **variables: str) -> str:
        environment = {
            **os.environ,
            "HADIR_ROOT": str(self.root), "STATE": str(self.state), "HADIR_PYTHON": sys.executable,
            "HADIR_SETTLE_S": "0", "PATH": f"{self.state}:{os.environ['PATH']}", **variables,
        }  # fmt: skip
        done = subprocess.run(
            ["bash", str(self.source / "deploy" / "edge" / "install.sh"), *arguments],
            env=environment, input=answer, capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        assert done.returncode == expect, done.stderr
        return done.stderr

    @property
    def version(self) -> str:
        code = (self.root / "opt" / "hadir" / "common" / "__init__.py").read_text()
        return code.split('"')[1]

    @property
    def releases(self) -> list[str]:
        folder = self.root / "opt" / "hadir-releases"
        return sorted(each.name.split("-")[0] for each in folder.iterdir()) if folder.exists() else []

    @property
    def calls(self) -> list[str]:
        return (self.state / "calls").read_text().splitlines()

    def joined(self) -> None:
        (self.root / "var/lib/hadir-agent/identity.json").write_text("{}")


@pytest.fixture
def box(tmp_path: Path) -> Box:
    state = tmp_path / "state"
    state.mkdir()
    (state / "systemctl").write_text(SYSTEMCTL)
    (state / "systemctl").chmod(0o755)
    box = Box(tmp_path / "root", tmp_path / "source", state)
    box.root.mkdir()
    box.unpack("1")
    return box


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_fresh_box_is_installed_and_waits_for_its_join(box):
    """Everything in its place, private what is private, enabled, and not started before it has joined."""
    said = box.run()
    assert "hadir agent join --start LINK" in said and box.version == "1"
    assert (box.root / "opt/hadir").is_symlink()
    assert mode(box.root / "etc/hadir") == 0o750 and mode(box.root / "var/lib/hadir-agent") == 0o700
    assert mode(box.root / "etc/hadir/agent.yaml") == mode(box.root / "etc/hadir/agent.env") == 0o640
    assert (box.root / "etc/systemd/system/hadir-agent.service").read_text().startswith("[Unit]")
    assert os.access(box.root / "usr/local/bin/hadir", os.X_OK)
    assert "enable hadir-agent.service hadir-agent.path" in box.calls
    assert "start hadir-agent" not in box.calls
    loose = [each for each in (box.root / "opt").rglob("*") if not each.is_symlink() and mode(each) & 0o022]
    assert loose == []


def test_the_first_settings_name_no_camera_yet(box):
    """The example's camera is a comment: whoever forgets it has no false one."""
    box.run()
    text = (box.root / "etc/hadir/agent.yaml").read_text()
    assert "\n#cameras:\n" in text and "\ncameras:" not in text and "\nhome: /var/lib/hadir-agent" in text


def test_a_second_time_changes_nothing(box):
    """Same code: no new release, no restart, and the technician's settings stay."""
    box.run()
    box.joined()
    box.run()
    (box.root / "etc/hadir/agent.yaml").write_text("mine")
    before = len([each for each in box.calls if each.startswith("restart")])
    assert "here already" in box.run()
    assert (box.root / "etc/hadir/agent.yaml").read_text() == "mine"
    assert len(box.releases) == 1
    assert len([each for each in box.calls if each.startswith("restart")]) == before == 0


def test_a_dry_run_does_nothing(box):
    """It only says."""
    said = box.run("--dry-run")
    assert "would: mv -T" in said
    assert [each for each in box.root.rglob("*") if each.is_file()] == []
    assert not (box.state / "calls").exists()


def test_an_old_python_that_comes_first_hides_no_newer_one(box):
    """pyenv's may come first in PATH; the system's own is found all the same."""
    old = box.state / "python3"
    old.write_text('#!/bin/sh\n[ "$1" != --version ] || echo Python 3.9.1\nexit 1\n')
    old.chmod(0o755)
    system = shutil.which("python3", path="/usr/bin")
    new_enough = [system or "false", "-c", "import sys; sys.exit(sys.version_info < (3, 11))"]
    if subprocess.run(new_enough, check=False).returncode:
        pytest.skip("this system has no Python of its own that is new enough")
    path = f"{box.state}:/usr/bin:/bin"
    assert "install the packages with /usr/bin/python3" in box.run("--dry-run", HADIR_PYTHON="", PATH=path)


def running(box: Box) -> None:
    box.run()
    box.joined()
    box.run()
    assert "start hadir-agent" in box.calls and (box.state / "active").exists()


def test_an_upgrade_switches_when_the_agent_is_as_well_as_before(box):
    """The new code beside the old one, then the switch, then the look."""
    running(box)
    box.unpack("2")
    box.run("upgrade")
    assert (box.version, box.releases) == ("2", ["1", "2"])
    assert (box.state / "asked").exists()
    assert (box.state / "runs").read_text().strip().endswith(str((box.root / "opt/hadir").readlink()))


@pytest.mark.parametrize("fault", ["does-not-start", "sees-nothing", "keeps-dying"])
def test_an_upgrade_that_makes_it_worse_goes_back(box, fault):
    """The old code runs again, and the bad release is gone."""
    running(box)
    box.unpack("2", fault)
    said = box.run("upgrade", expect=1)
    assert "going back to" in said and "runs as before" in said
    assert (box.version, box.releases) == ("1", ["1"])
    assert "/1-" in (box.state / "runs").read_text() and (box.state / "active").exists()


def test_packages_that_cannot_be_had_stop_an_upgrade_before_anything_is_switched(box):
    """The agent does not even notice."""
    running(box)
    box.unpack("2", "no-packages")
    box.run("upgrade", expect=1)
    assert box.version == "1" and not (box.state / "asked").exists()
    box.unpack("2")
    box.run("upgrade")
    assert box.version == "2"


def test_going_back_by_hand_and_forgetting_the_oldest(box):
    """Two releases are kept; rollback takes the one before."""
    running(box)
    for word in ("2", "3"):
        box.unpack(word)
        box.run("upgrade")
    assert box.releases == ["2", "3"]
    box.run("rollback")
    assert box.version == "2"


def test_nothing_to_upgrade_is_said(box):
    """And nothing is made."""
    assert "nothing to upgrade" in box.run("upgrade", expect=1)
    assert box.releases == []


def test_a_clone_of_the_old_way_is_taken_over_with_its_models(box):
    """It was made by hand at /opt/hadir; its packs outlive it."""
    old = box.root / "opt" / "hadir"
    shutil.copytree(box.source, old)
    (old / "models" / "buffalo_m").mkdir(parents=True)
    (old / "models" / "buffalo_m" / "w600k_r50.onnx").write_text("x")
    box.unpack("2")
    box.run()
    assert box.version == "2"
    assert (box.root / "opt/hadir/models/buffalo_m/w600k_r50.onnx").read_text() == "x"


def test_removing_keeps_what_the_box_knows_unless_told_otherwise(box):
    """And even then it asks."""
    running(box)
    box.run("uninstall")
    assert not (box.root / "opt/hadir").exists() and (box.root / "var/lib/hadir-agent/identity.json").exists()
    assert "nothing was removed" in box.run("uninstall", "--purge", answer="n\n", expect=1)
    assert (box.root / "etc/hadir/agent.yaml").exists()
    box.run("uninstall", "--purge", answer="yes\n")
    assert not (box.root / "etc/hadir").exists() and not (box.root / "var/lib/hadir-agent").exists()


def test_a_word_that_it_does_not_know_is_answered_with_those_it_does(box):
    """A typing error does not install."""
    assert "what is 'unistall'" in box.run("unistall", expect=1)
    assert box.releases == []


@pytest.fixture
def command(tmp_path: Path) -> Path:
    """The `hadir` of an installed box, at another place, in front of a program that shows its variables."""
    shown = tmp_path / "shown"
    shown.write_text("#!/bin/bash\nenv\n")
    shown.chmod(0o755)
    text = (ROOT / "deploy" / "edge" / "hadir-command.sh").read_text()
    text = text.replace("/opt/hadir/hadir", str(shown)).replace("/etc/hadir/agent.env", str(tmp_path / "env"))
    path = tmp_path / "hadir"
    path.write_text(text)
    path.chmod(0o755)
    return path


def test_the_command_reads_passwords_and_runs_nothing_of_them(command, tmp_path):
    """As systemd reads the same file: a `$` or a `;` in a password is a character."""
    (tmp_path / "env").write_text(
        "# a comment\nPLAIN=a b\nQUOTED=\"x y\"\nSINGLE='z'\nEVIL=$(touch hacked);`id`\nLD_PRELOAD=/x\n"
        "not a line\nLAST=end"
    )
    done = subprocess.run(
        [str(command), "agent", "discover"], capture_output=True, text=True, cwd=tmp_path, timeout=20
    )
    lines = done.stdout.splitlines()
    for line in ("PLAIN=a b", "QUOTED=x y", "SINGLE=z", "EVIL=$(touch hacked);`id`", "LAST=end"):
        assert line in lines
    assert "LD_PRELOAD=/x" not in lines and not (tmp_path / "hacked").exists()


def test_the_servers_command_brings_its_settings(tmp_path):
    """It loads the settings as systemd does, runs nothing of them, and hides the files that come of it."""
    shown = tmp_path / "shown"
    shown.write_text('#!/bin/bash\necho "arguments: $*"; umask; env\n')
    shown.chmod(0o755)
    text = (ROOT / "deploy" / "server" / "hadir-server-command.sh").read_text()
    for real, here in (("/opt/hadir/hadir", shown), ("/etc/hadir/server.env", tmp_path / "env")):
        text = text.replace(real, str(here))
    owner = pwd.getpwuid(os.getuid()).pw_name
    (tmp_path / "command").write_text(text.replace("OWNER=hadir", f"OWNER={owner}"))
    command = ["bash", str(tmp_path / "command"), "agent", "list"]
    missing = subprocess.run(command, capture_output=True, text=True, check=False)
    assert missing.returncode == 2 and "as root" in missing.stderr
    (tmp_path / "env").write_text("HADIR_TIMEZONE=Asia/Jakarta\nEVIL=$(touch hacked)\nPYTHONPATH=/x\n")
    lines = subprocess.run(
        command, capture_output=True, text=True, cwd=tmp_path, check=True
    ).stdout.splitlines()
    assert lines[:2] == ["arguments: server agent list", "0077"]
    assert "HADIR_TIMEZONE=Asia/Jakarta" in lines and "EVIL=$(touch hacked)" in lines
    assert "PYTHONPATH=/x" not in lines and not (tmp_path / "hacked").exists()


def test_looking_around_needs_no_packages(tmp_path):
    """`hadir agent` and `hadir bench` alone say what there is, at once, and make no environment."""
    from deploy.bench.__main__ import parser as whole_bench_parser
    from edge_agent.bench.__main__ import parser as bench_parser
    from edge_agent.cli import parser as agent_parser
    from tests.unit.test_docs import commands

    benches = commands(bench_parser()) | commands(whole_bench_parser())
    for name, known in (("agent", commands(agent_parser())), ("bench", benches)):
        environment = {**os.environ, "HADIR_VENV": str(tmp_path / "venv")}
        done = subprocess.run(
            [str(ROOT / "hadir"), name], env=environment, capture_output=True, text=True, timeout=20
        )
        told = {line.split()[2] for line in done.stdout.splitlines() if f"hadir {name} " in line}
        assert (done.returncode, told) == (2, known)
    assert not (tmp_path / "venv").exists()
