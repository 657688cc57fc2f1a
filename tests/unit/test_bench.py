"""The benchmarks run, and tell programs what they tell people."""

import json
import os
import subprocess
import sys

import pytest

from edge_agent.bench.__main__ import ONE_THREAD, parser
from tests.test_architecture import ROOT


def test_the_benchmark_of_the_search_prints_its_figures_last_as_json():
    """In a process of its own, on one thread whatever was set before; the answers are those of a loop."""
    small = ["match", "--templates", "400", "--dimension", "16", "--runs", "15", "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "edge_agent.bench", *small],
        cwd=ROOT, env=os.environ | dict.fromkeys(ONE_THREAD, "2"), capture_output=True, text=True, timeout=60,
        check=True,
    )  # fmt: skip
    *table, last = done.stdout.splitlines()
    figures = json.loads(last)
    assert len(table) > 10 and "400 templates" in table[0]
    assert (figures["command"], figures["templates"], figures["people"]) == ("match", 400, 120)
    assert figures["agrees_with_a_loop"] and figures["old_gallery_stays_valid"] and figures["ratio"] > 0
    assert set(figures["build_s"]) == set(figures["add_person_ms"]) == {"100", "200", "400"}


@pytest.mark.parametrize(
    "wrong",
    [["--templates", "3"], ["--people", "1"], ["--people", "200000"], ["--runs", "2"], ["--probes", "0"]],
)
def test_input_that_makes_no_sense_is_refused_in_a_sentence(capsys, wrong):
    """Exit status 2, before anything is measured."""
    args = parser().parse_args(["match", *wrong])
    assert args.run(args) == 2
    assert capsys.readouterr().err.endswith(".\n")
