"""`python -m deploy.bench`: benchmarks of server and agents together, one sub-command each."""

import argparse
import sys

from deploy.bench import attendance, drain, link


def parser() -> argparse.ArgumentParser:
    """Return the whole command line."""
    top = argparse.ArgumentParser(prog="hadir bench", description="Agents, broker and server together.")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for benchmark in (link, drain, attendance):
        benchmark.add_parser(commands)
    return top


if __name__ == "__main__":
    args = parser().parse_args()
    sys.exit(args.run(args))
