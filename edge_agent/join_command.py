"""`hadir agent join`: what the technician is asked, told and shown."""

import argparse
import sys
from pathlib import Path

from common.join_link import EXAMPLE, BadJoinLink, JoinLink, read_link
from common.logs import set_up
from edge_agent.adapters import qr_code, service_unit
from edge_agent.adapters.identity_file import Identity, IdentityError, load_identity
from edge_agent.config import EdgeConfig
from edge_agent.join import broker_fault, default_name, join
from edge_agent.knocking import Screen, knock
from edge_agent.preflight import JoinError

EXIT_FAILED, EXIT_USAGE = 1, 2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command understands."""
    parser.add_argument(
        "link",
        help=f"the link from the server's administrator, like {EXAMPLE}; or only the server's address, and "
        "the administrator lets this box in on the dashboard",
    )
    parser.add_argument(
        "--name",
        default="",
        help="what this box is called, unless the administrator named it (its host name)",
    )
    parser.add_argument("--again", action="store_true", help="join although this box is an agent already")
    parser.add_argument("--start", action="store_true", help="then start the service hadir-agent")
    parser.add_argument("--no-qr", action="store_true", help="show no code to scan")
    parser.add_argument(
        "--insecure-http", action="store_true", help="allow http:// to another machine: anybody may listen"
    )


def run(args: argparse.Namespace, config: EdgeConfig) -> int:
    """Join; return the exit status: 2 for a link that is none, or an identity that is there already."""
    from edge_agent.agent import Paths  # late: it loads everything

    path = Paths(config.home).identity
    try:
        link = read_link(args.link)
    except BadJoinLink as error:
        return _fail(str(error), EXIT_USAGE)
    if not args.again and (present := _present(path)):
        return _fail(present, EXIT_USAGE)
    set_up(config.log_level)
    name = args.name.strip() or default_name()
    try:
        if link.code:
            identity = join(link, path, name=name, insecure_http=args.insecure_http)
        else:
            screen = _screen(link, with_qr=not args.no_qr)
            identity = knock(link, path, screen, name=name, insecure_http=args.insecure_http)
    except JoinError as error:
        return _fail(str(error))
    return _welcome(identity, path, start=args.start)


def _present(path: Path) -> str:
    """Say which agent this box is already; nothing when it is none."""
    try:
        now = load_identity(path)
    except IdentityError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            return ""
        return f"{error}, with --again. If it is another user's, do it as that user, or as root."
    return (
        f"This box is already agent {now.agent_id} of {now.site_name} at {now.server_url}. Nothing was "
        "changed. Give --again to join anew; `hadir agent doctor` tells whether it works."
    )


def _screen(link: JoinLink, *, with_qr: bool) -> Screen:
    def show_code(code: str) -> None:
        page = f"{link.server_url}/cameras/#{code}"
        if with_qr:
            print(qr_code.terminal(page))
        print(
            f"The code of this box:\n\n    {code}\n\nAn administrator opens {page}, compares the code letter "
            "by letter, and lets this box in. Waiting for that; Ctrl-C gives up.",
            flush=True,
        )

    def confirms(code: str) -> bool:
        try:
            answer = input(
                "The server says that this box is let in. Ask the administrator: did the dashboard show "
                f"exactly {code}? Type yes: "
            )
        except EOFError:
            return False
        return answer.strip().lower() in ("yes", "y", "ya")

    return Screen(show_code, confirms if sys.stdin is not None and sys.stdin.isatty() else None)


def _welcome(identity: Identity, path: Path, *, start: bool) -> int:
    """Say who this box is now, and what comes next."""
    print(
        f"Joined {identity.site_name} as {identity.agent_id} at {identity.server_url}. "
        f"The identity is in {path}."
    )
    if fault := broker_fault(identity):
        print(fault)
    if not service_unit.is_installed():
        if start:
            return _fail("There is no service hadir-agent to start here: use `hadir agent run`.")
        print("Next: hadir agent check, then hadir agent run")
        return 0
    if not start:
        print(
            "Next: hadir agent check, then systemctl enable --now hadir-agent (or, if it runs, "
            "systemctl restart hadir-agent)"
        )
        return 0
    try:
        service_unit.start()
    except service_unit.ServiceError as error:
        return _fail(f"Joined, but the service did not start: {error}")
    print("The service hadir-agent runs. Look at it with: journalctl -fu hadir-agent")
    return 0


def _fail(words: str, status: int = EXIT_FAILED) -> int:
    print(words, file=sys.stderr)
    return status
