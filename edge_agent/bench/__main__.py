"""`python -m edge_agent.bench`: one sub-command a benchmark."""

import argparse
import os
import sys

ONE_THREAD = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")


def parser() -> argparse.ArgumentParser:
    """Return the whole command line."""
    from edge_agent.bench import (  # not earlier: numpy reads the number of threads when it is loaded
        edge,
        matching,
        soak,
    )

    top = argparse.ArgumentParser(prog="hadir bench", description="What this machine can do, in figures.")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for benchmark in (edge, matching, soak):
        benchmark.add_parser(commands)
    return top


if __name__ == "__main__":
    os.environ.update(dict.fromkeys(ONE_THREAD, "1"))
    args = parser().parse_args()
    sys.exit(args.run(args))
