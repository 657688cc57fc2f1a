"""The whole product, as a newcomer starts it."""

import csv
import os
import re
import signal
from pathlib import Path

import pytest
from pypdf import PdfReader

from tests.e2e.demo_process import eventually, last_json_line, parts, pid_of, rows, start, stop

pytestmark = pytest.mark.timeout(420)

ALERT = re.compile(
    r"\[ALERT\] EMP001 - Budi Santoso\n"
    r"Status: OUT OF AREA \(last seen \d+ min ago\)\n"
    r"Location: Entrance Zone\n"
    r"Notified to: Supervisor - Sari Dewi"
)


@pytest.fixture(scope="module")
def told_once(tmp_path_factory):
    """One run of `demo --once` with the recogniser that any machine can have."""
    pytest.importorskip("dlib")
    kept = tmp_path_factory.mktemp("once")
    process = start(kept, "--once")
    output, _ = process.communicate(timeout=400)
    return kept, process.returncode, output


def test_the_whole_story_is_told(told_once):
    """Five are recognised, a stranger is not, the supervisor is told once, the report is written."""
    kept, code, output = told_once

    assert code == 0, (kept / "demo.err").read_text()[-3000:]
    told = last_json_line(output)
    assert told["recognised"] == ["EMP001", "EMP002", "EMP003", "EMP004", "EMP005"]
    assert told["unknown_events"] >= 1
    assert ALERT.fullmatch(told["alert_text"])
    assert told["seconds"] < 180


def test_the_report_lists_who_was_there(told_once):
    """The PDF can be read back, and the CSV has a row for each of the five."""
    _, _, output = told_once
    told = last_json_line(output)

    text = "".join(page.extract_text() for page in PdfReader(told["report_pdf"]).pages)
    assert "Budi Santoso" in text
    with Path(told["report_csv"]).open(encoding="utf-8-sig", newline="") as file:
        table = list(csv.reader(file, delimiter=";"))  # as Excel in Indonesia splits it
    assert {f"EMP{number:03d}" for number in range(1, 6)} <= {cell for row in table for cell in row}


def test_nothing_went_wrong_behind_the_scenes(told_once):
    """No process of the demo left a traceback in its log."""
    kept, _, _ = told_once

    logs = {path.name: path.read_text() for path in (kept / "demo-once" / "logs").glob("*.log")}
    assert logs
    assert not [name for name, text in logs.items() if "Traceback" in text], logs


def test_nobody_is_named_wrongly(told_once):
    """The sixth face is never given a name, and each camera track has one identity at most."""
    kept, _, _ = told_once

    tracks = rows(
        kept / "demo-once" / "server" / "hadir.db",
        "SELECT track_id, count(DISTINCT employee_id) FROM Event GROUP BY track_id",
    )
    assert tracks
    assert all(names <= 1 for _, names in tracks)


def test_killed_parts_come_back_and_no_event_is_lost_or_doubled(told_once, tmp_path):
    """Broker, worker and agent are killed (kill -9) in the middle of the clip; every event is there once."""
    demo = start(tmp_path, "--port", "18080")
    database = tmp_path / "demo" / "server" / "hadir.db"
    try:
        eventually(lambda: _count(database) >= 3, 150, "the first events")
        for victim in (
            ("mosquitto ", "central_server broker"),
            ("central_server worker",),
            ("edge_agent run",),
        ):
            pid = eventually(lambda victim=victim: pid_of(demo.pid, *victim), 30, f"a process {victim}")
            os.kill(pid, signal.SIGKILL)
            before = _count(database)
            eventually(lambda before=before: _count(database) >= before + 2, 90, f"events after {victim}")
        sent = tmp_path / "demo" / "agent"
        eventually(lambda: not _unsent(sent), 60, "the spool to drain")
    finally:
        stop(demo)

    epochs = rows(
        database, "SELECT epoch, min(seq), max(seq), count(*), count(DISTINCT seq) FROM Event GROUP BY epoch"
    )
    assert epochs
    for _, first, last, count, distinct in epochs:
        assert (first, last) == (1, count)
        assert count == distinct
    # A face may be unknown first and seen once its owner's photo has been embedded; neither is told twice.
    told = "SELECT track_id, kind, count(*) FROM Event WHERE kind IN ('seen', 'unknown')"
    openings = rows(database, f"{told} GROUP BY track_id, kind")
    assert openings
    assert all(count == 1 for *_, count in openings), openings
    assert not parts(demo.pid)


def _count(database: Path) -> int:
    return next(iter(rows(database, "SELECT count(*) FROM Event")), (0,))[0]


def _unsent(agent_home: Path) -> int:
    spool = agent_home / "spool.db"
    return next(iter(rows(spool, "SELECT count(*) FROM event")), (0,))[0]
