"""`hadir agent models`: the model packs of this machine listed, installed and verified."""

import argparse
import json
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from edge_agent.adapters.model_packs import BASE_URL, PackError
from edge_agent.core.packs import CATALOGUE, PRODUCTION, Catalogue
from edge_agent.install_pack import RefusalError, install_pack
from edge_agent.list_packs import list_packs
from edge_agent.verify_pack import verify_pack

EXIT_FAILED, EXIT_USAGE = 1, 2


def add_parser(subparsers: Any, catalogue: Catalogue = CATALOGUE) -> None:
    """Add the command to an argparse parser's sub-parsers."""
    models = subparsers.add_parser("models", help="list, install and verify model packs")
    actions = models.add_subparsers(dest="action", required=True, metavar="ACTION")
    listing = _action(actions, "list", "the known packs, and what is installed", list_packs, catalogue)
    listing.add_argument("--in", dest="folder", type=Path, metavar="DIR", help="look there for packs")
    install = _action(actions, "install", "download a pack, or copy it from a stick", install_pack, catalogue)
    install.add_argument("what", metavar="NAME|PATH", help=f"a pack such as {PRODUCTION}, or a zip or folder")
    install.add_argument("--accept-licence", action="store_true", help="accept the licence without asking")
    install.add_argument("--accept-unpinned", action="store_true", help="trust a pack that nobody knows")
    install.add_argument("--to", dest="folder", type=Path, metavar="DIR", help="keep packs there")
    install.add_argument("--from", dest="source", type=Path, metavar="PATH", help="copy from a zip or folder")
    install.add_argument("--base-url", default=BASE_URL, help="download from a mirror")
    install.add_argument("--replace", action="store_true", help="put it in place of what is there")
    verify = _action(actions, "verify", "check a pack's files, and try it once", verify_pack, catalogue)
    verify.add_argument("what", metavar="NAME|PATH", help="an installed pack, or a pack's folder")


def _action(
    actions: Any, name: str, about: str, run: Callable[..., dict[str, Any]], catalogue: Catalogue
) -> argparse.ArgumentParser:
    action = actions.add_parser(name, help=about, description=about)
    action.add_argument("--json", action="store_true", help="print one JSON line last")
    action.set_defaults(run=partial(_answer, run, catalogue))
    return action


def _answer(
    run: Callable[[argparse.Namespace, Catalogue], dict[str, Any]],
    catalogue: Catalogue,
    args: argparse.Namespace,
) -> int:
    """Run an action; return the exit status. Its facts, or why there are none, are the JSON line."""
    try:
        facts, status = run(args, catalogue), 0
    except (RefusalError, PackError) as error:
        print(error, file=sys.stderr, flush=True)
        facts = {"ok": False, "error": str(error)}
        status = EXIT_USAGE if isinstance(error, RefusalError) else EXIT_FAILED
    if args.json:
        print(json.dumps(facts, ensure_ascii=False), flush=True)
    return status or (0 if facts["ok"] else EXIT_FAILED)
