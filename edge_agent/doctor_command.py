"""`hadir agent doctor`, on the screen."""

import argparse
import json
import sys

from common.settings import SettingsError
from edge_agent.config import read_edge_config
from edge_agent.diagnosis import Finding, bad
from edge_agent.doctor import findings

EXIT_FAILED, EXIT_USAGE = 1, 2


def run(args: argparse.Namespace) -> int:
    """Print what was found, a line a thing; return 0 when all is well, 1 when not, 2 for wrong settings."""
    from edge_agent.agent import Paths  # late: it loads everything

    try:
        config = read_edge_config(args.config)
    except SettingsError as error:
        _show(bad("settings", str(error), f"Mend {args.config}."), as_json=args.json)
        return EXIT_USAGE
    failed = []
    for finding in findings(Paths(config.home).identity):
        _show(finding, as_json=args.json)
        failed += [] if finding.is_good else [finding]
    if failed and not args.json:
        print(f"\nBegin with: {failed[0].subject}. What comes after it may follow from it.", file=sys.stderr)
    return EXIT_FAILED if failed else 0


def _show(finding: Finding, *, as_json: bool) -> None:
    if as_json:
        told = {"subject": finding.subject, "ok": finding.is_good, "words": finding.words}
        print(json.dumps(told | ({"do": finding.advice} if finding.advice else {})), flush=True)
        return
    print(f"{'ok  ' if finding.is_good else 'FAIL'}  {finding.subject}: {finding.words}", flush=True)
    if finding.advice:
        print(f"      -> {finding.advice}", flush=True)
