"""`hadir agent …`: what a technician types. Expected failures are one sentence and an exit status."""

import argparse
import contextlib
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from common import VERSION
from common.logs import set_up
from common.settings import SettingsError
from edge_agent.config import EdgeConfig, read_edge_config, secrets_of

if TYPE_CHECKING:
    from edge_agent.agent import Paths
    from edge_agent.finding import Finding

EXIT_FAILED, EXIT_USAGE = 1, 2
DEFAULT_CONFIG = "/etc/hadir/agent.yaml"


def parser() -> argparse.ArgumentParser:
    """Return the whole command line."""
    from edge_agent import calibrate, identify, join_command, models

    top = argparse.ArgumentParser(prog="hadir agent", description="The agent beside the cameras.")
    top.add_argument("--version", action="version", version=f"Hadir {VERSION}")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add(commands, "run", "watch the cameras until stopped", _run)
    join_command.add_arguments(_add(commands, "join", "join a server, with a link or by knocking", _join))
    check = _add(commands, "check", "tell whether everything works", _check)
    check.add_argument("--camera", metavar="ID", help="look through this camera only (all of them)")
    check.add_argument("--seconds", type=float, default=6.0, help="how long to look through each camera (6)")
    check.add_argument("--json", action="store_true", help="one JSON line a finding")
    doctor = _add(commands, "doctor", "find out why this agent cannot connect", _doctor)
    doctor.add_argument("--json", action="store_true", help="one JSON line a finding")
    from edge_agent import discover, live

    live.add_arguments(_add(commands, "live", "show what the running agent does, as it happens", _live))
    found = _add(commands, "discover", "find the cameras of the local network (ONVIF)", _discover)
    discover.add_arguments(found)
    for each in (identify, calibrate, models):
        each.add_parser(commands)
    return top


def _add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]", name: str, about: str, run: object):
    command = commands.add_parser(name, help=about, description=about)
    command.add_argument(
        "--config",
        type=Path,
        default=Path(os.environ.get("HADIR_AGENT_CONFIG", DEFAULT_CONFIG)),
        help=f"the settings (HADIR_AGENT_CONFIG, else {DEFAULT_CONFIG})",
    )
    command.set_defaults(run=run)
    return command


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    args = parser().parse_args(arguments)
    try:
        return int(args.run(args))
    except SettingsError as error:
        return _fail(str(error), EXIT_USAGE)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return EXIT_FAILED


def _fail(words: str, status: int = EXIT_FAILED) -> int:
    print(words, file=sys.stderr)
    return status


def _config(args: argparse.Namespace) -> EdgeConfig:
    return read_edge_config(args.config)


def _run(args: argparse.Namespace) -> int:
    from edge_agent.adapters.identity_file import IdentityError, load_identity
    from edge_agent.adapters.outbox import OutboxError
    from edge_agent.agent import Paths, run_agent
    from edge_agent.engines import NoEngineError, NoLivenessError, choose_engine, choose_liveness

    config = _config(args)
    try:
        identity = load_identity(Paths(config.home).identity)
        _shut(Paths(config.home))
        set_up(config.log_level, secrets=(*identity.secrets(), *secrets_of(config.cameras)))
        analyser = choose_engine(
            config.models,
            allow_dlib=config.allow_dlib,
            allow_download=config.allow_download,
            execution=config.execution,
            say=_say,
        )
        liveness = choose_liveness(config.liveness, say=_say)
        return run_agent(config, identity, analyser, liveness)
    except NoLivenessError as error:
        return _fail(str(error), EXIT_USAGE)
    except (IdentityError, NoEngineError, OutboxError) as error:
        return _fail(str(error))


def _join(args: argparse.Namespace) -> int:
    from edge_agent import join_command

    return join_command.run(args, _config(args))


def _doctor(args: argparse.Namespace) -> int:
    from edge_agent import doctor_command

    return doctor_command.run(args)


def _check(args: argparse.Namespace) -> int:
    from edge_agent.check import findings
    from edge_agent.in_force import in_force

    try:
        config = in_force(_config(args))
    except SettingsError as error:
        if args.json:
            print(json.dumps({"subject": "configuration", "ok": False, "words": str(error)}))
            return EXIT_USAGE
        raise
    cameras = [each for each in config.cameras if args.camera in (None, each.camera_id)]
    if args.camera and not cameras:
        known = ", ".join(each.camera_id for each in config.cameras)
        return _fail(f"There is no camera {args.camera!r} in {args.config}; there are: {known}.", EXIT_USAGE)
    if not 1 <= args.seconds <= 600:
        return _fail("--seconds must be from 1 to 600.", EXIT_USAGE)
    set_up("ERROR", secrets=secrets_of(config.cameras))
    good = True
    for finding in findings(config, _say, cameras=cameras, look_s=args.seconds):
        good = good and finding.is_good
        print(_as_json(finding) if args.json else _as_line(finding), flush=True)
    return 0 if good else EXIT_FAILED


def _discover(args: argparse.Namespace) -> int:
    from edge_agent.discover import run

    set_up("ERROR", secrets=(os.environ.get("HADIR_CAMERA_PASSWORD", ""),))
    return run(args)


def _live(args: argparse.Namespace) -> int:
    from edge_agent.live import live

    return live(args)


def _as_line(finding: "Finding") -> str:
    mark = "->  " if finding.is_advice else "ok  " if finding.is_good else "FAIL"
    return f"{mark}  {finding.subject}: {finding.words}"


def _as_json(finding: "Finding") -> str:
    told: dict[str, object] = {"subject": finding.subject, "ok": finding.is_good, "words": finding.words}
    if finding.is_advice:
        told["is_advice"] = True
    of = "camera" if finding.subject.startswith("camera ") else "numbers"
    return json.dumps(told | ({of: finding.numbers} if finding.numbers else {}))


def _shut(paths: "Paths") -> None:
    """What is kept here is for the agent alone, also in folders that somebody else has made."""
    from edge_agent.adapters.identity_file import shut

    with contextlib.suppress(OSError):
        shut(paths.home)
        if paths.crops.is_dir():
            shut(paths.crops)


def _say(words: str) -> None:
    print(words, file=sys.stderr, flush=True)
