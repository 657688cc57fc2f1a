"""`hadir agent discover`: find the cameras of the local network, and fill their addresses in."""

import argparse
import getpass
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from urllib.parse import quote

from edge_agent.adapters.onvif_cameras import CLOCK_OFF_S, DiscoveryError, Login, Place, ask_all, discover
from edge_agent.adapters.settings_file import SettingsFileError, add_cameras, add_variables
from edge_agent.core.onvif import Camera, camera_lines, chosen, shown

EXIT_FAILED, EXIT_USAGE = 1, 2
USER, PASSWORD = "CAMERA_USER", "CAMERA_PASSWORD"  # the names in agent.env
LOGIN = f"${{{USER}}}:${{{PASSWORD}}}"
NOBODY = """No camera answered. What to look at:
  - Is ONVIF switched on in the camera's own settings? Often it is off, or wants an ONVIF user made first.
  - The question goes by multicast, which does not leave the network: is this box in the cameras' own VLAN?
  - Does a switch or a firewall hold back multicast (239.255.255.250, UDP 3702)?
A camera whose address you know can be asked directly: hadir agent discover --host 192.168.1.20"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--user",
        default=os.environ.get("HADIR_CAMERA_USER", ""),
        help="of the cameras (HADIR_CAMERA_USER); their password: HADIR_CAMERA_PASSWORD, or you are asked",
    )
    parser.add_argument(
        "--host",
        action="append",
        default=[],
        metavar="ADDRESS[:PORT]",
        help="ask this camera instead of the whole network; may be given again",
    )
    parser.add_argument("--seconds", type=float, default=4.0, help="how long to wait for answers (4)")
    parser.add_argument(
        "--write",
        action="store_true",
        help="write the cameras into the settings, if there are none yet, and the login into agent.env",
    )
    parser.add_argument("--json", action="store_true", help="one JSON line a camera")


def run(args: argparse.Namespace) -> int:
    """Find, ask and print. Returns the exit status."""
    if not 1 <= args.seconds <= 60:
        return _fail("--seconds must be from 1 to 60.", EXIT_USAGE)
    try:
        places = [_given(each) for each in args.host] or _found(args.seconds)
    except ValueError as error:
        return _fail(str(error), EXIT_USAGE)
    except DiscoveryError as error:
        return _fail(f"{error}. A camera can be asked directly with --host ADDRESS.")
    if not places:
        return _fail(NOBODY)
    login = _login(args.user)
    cameras = ask_all(places, login, lambda camera: _say(f"  {_line(camera)}"))
    if args.json:
        for camera in cameras:
            print(json.dumps(asdict(camera)))
    elif args.write:
        return _write(args.config, cameras, login)
    elif any(chosen(each.profiles) for each in cameras):
        _print(cameras, login)
    return 0 if any(chosen(each.profiles) for each in cameras) else EXIT_FAILED


def _found(seconds: float) -> list[Place]:
    _say(f"Asking the network for cameras, {seconds:g} s …")
    places = discover(seconds)
    if places:
        _say(f"{len(places)} answered: {', '.join(each.address for each in places)}")
    return places


def _given(text: str) -> Place:
    """Return the place that was typed. Raises ValueError."""
    host, colon, port = text.rpartition(":") if text.count(":") == 1 else (text, "", "")
    if not host or (colon and not (port.isdigit() and 0 < int(port) < 65_536)) or "/" in text or "@" in text:
        raise ValueError(f"--host wants an address like 192.168.1.20 or 192.168.1.20:8080, not {text!r}.")
    return Place(host, int(port) if colon else 80)


def _login(user: str) -> Login | None:
    """Return the cameras' login: a password is never taken from the command line, which others can read."""
    password = os.environ.get("HADIR_CAMERA_PASSWORD", "")
    if not user and not password and sys.stdin.isatty():
        _say("The cameras' login (leave the user empty to ask without one):")
        print("  user: ", end="", file=sys.stderr, flush=True)
        user = sys.stdin.readline().strip()
    if user and not password and sys.stdin.isatty():
        password = getpass.getpass("  password: ")
    return Login(user, password) if user else None


def _line(camera: Camera) -> str:
    streams, about = chosen(camera.profiles), f"{camera.address} {shown(camera.model or camera.name)}".strip()
    off_s = camera.clock_off_s
    clock = (
        f"; its clock is {abs(off_s):.0f} s off" if off_s is not None and abs(off_s) >= CLOCK_OFF_S else ""
    )
    if streams is None:
        return f"{about}: {shown(camera.trouble or 'no H.264 or H.265 stream', 300)}"
    sub = f" and {streams.sub.width}x{streams.sub.height}" if streams.sub else ""
    return f"{about}: {streams.main.width}x{streams.main.height}{sub}{clock}"


def _print(cameras: Sequence[Camera], login: Login | None) -> None:
    print("\n".join(["cameras:", *camera_lines(cameras, LOGIN if login else "")]))
    if login:
        _say(
            f"Put the login into agent.env beside the settings, {USER}=… and {PASSWORD}=… "
            "(in it, write @ as %40, : as %3A and / as %2F), or let --write do both."
        )


def _write(config: Path, cameras: Sequence[Camera], login: Login | None) -> int:
    usable = [each for each in cameras if chosen(each.profiles)]
    if not usable:
        return _fail("No camera told its streams; nothing was written.")
    environment = config.with_name("agent.env")
    try:
        if login:
            values = {USER: quote(login.user, safe=""), PASSWORD: quote(login.password, safe="")}
            add_variables(environment, values, like=config)
        add_cameras(config, camera_lines(usable, LOGIN if login else ""))
    except SettingsFileError as error:
        return _fail(f"{error}.")
    where = f", their login in {environment}" if login else ""
    _say(f"{len(usable)} cameras are in {config}{where}. Give each its zone, then: hadir agent check")
    return 0


def _say(words: str) -> None:
    print(words, file=sys.stderr, flush=True)


def _fail(words: str, status: int = EXIT_FAILED) -> int:
    _say(words)
    return status
