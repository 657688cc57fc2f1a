"""`hadir agent live`: what the agent on this box is doing right now."""

import argparse
import json
import sys
import time
from pathlib import Path

from edge_agent.adapters.live_socket import NotRunningError, read_live
from edge_agent.config import HOME
from edge_agent.core.live import Wellness, worse
from edge_agent.live_words import as_text
from edge_agent.yaml_settings import open_yaml

EXIT_FAILED, EXIT_USAGE = 1, 2
ASK_EVERY_S = 1.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--once", action="store_true", help="print one look as text and end")
    parser.add_argument("--json", action="store_true", help="print one look as JSON and end")
    parser.add_argument(
        "--as-well-as",
        type=Path,
        metavar="FILE",
        help="wait until what worked in FILE, an earlier --json, works again; status 1 if it does not",
    )
    parser.add_argument(
        "--within", type=float, default=90.0, metavar="S", help="how long --as-well-as waits, in seconds (90)"
    )


def live(args: argparse.Namespace) -> int:
    """Show the agent that runs with these settings. Returns the exit status; raises SettingsError.

    Only `home` is read: the view works without the cameras' passwords, and while a key is being edited.
    """
    home = open_yaml(args.config).path("home", default=HOME) or HOME
    if args.as_well_as:
        return _wait_until_as_well(args.as_well_as, home, args.within)
    try:
        snapshot = read_live(home)
        if args.json:
            print(json.dumps(snapshot))
        elif args.once or not sys.stdout.isatty():
            print("\n".join(as_text(snapshot)))
        else:
            from edge_agent.adapters.live_screen import show

            show(lambda: read_live(home), NotRunningError)
    except NotRunningError as error:
        if args.json:
            print(json.dumps({"running": False, "words": str(error)}))
        else:
            print(error, file=sys.stderr)
        return EXIT_FAILED
    return 0


def _wait_until_as_well(path: Path, home: Path, within_s: float) -> int:
    try:
        before = Wellness.of(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, AttributeError, TypeError, KeyError):
        print(f"{path} is not what `hadir agent live --json` printed.", file=sys.stderr)
        return EXIT_USAGE
    until, lacks = time.monotonic() + within_s, "the agent does not run"
    while time.monotonic() < until:
        try:
            if not (lost := worse(before, Wellness.of(read_live(home)))):
                print("The agent is as well as it was.")
                return 0
            lacks = f"{', '.join(lost)} worked before, and does not now"
        except NotRunningError as error:
            lacks = str(error)
        time.sleep(ASK_EVERY_S)
    print(f"Not as well as before within {within_s:g} s: {lacks}.", file=sys.stderr)
    return EXIT_FAILED
