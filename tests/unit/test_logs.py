"""Lines for people, and for the journal."""

import io
import logging
import os

import pytest

from common import logs


@pytest.fixture
def root_logger():
    """The root's handlers and level are put back."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def test_each_line_of_the_journal_has_its_priority(tmp_path, monkeypatch, root_logger):
    """Those of a stack trace too: `journalctl -p err` shows all of it; secrets stay out."""
    stream = (tmp_path / "journal").open("w")
    about = os.fstat(stream.fileno())
    monkeypatch.setenv("JOURNAL_STREAM", f"{about.st_dev}:{about.st_ino}")
    monkeypatch.setattr("sys.stderr", stream)
    logs.set_up("DEBUG", secrets=("the-secret",))
    log = logging.getLogger("hadir.test")
    log.debug("quiet")
    log.info("rtsp://u:p@h/x and the-secret")
    log.warning("two\nlines")
    try:
        raise ValueError("odd")
    except ValueError:
        log.exception("failed")
    log.critical("the end")
    stream.close()
    lines = (tmp_path / "journal").read_text().splitlines()
    assert lines[:4] == [
        "<7>hadir.test: quiet", "<6>hadir.test: rtsp://***@h/x and ***", "<4>hadir.test: two", "<4>lines",
    ]  # fmt: skip
    assert lines[-1] == "<2>hadir.test: the end"
    assert {line[:3] for line in lines[4:-1]} == {"<3>"} and "<3>ValueError: odd" in lines


def test_another_stream_than_the_journals_gets_times_and_words():
    """Redirected into a file, lines are for reading there."""
    assert not logs.goes_to_journal(io.StringIO(), os.environ)
    assert not logs.goes_to_journal(io.StringIO(), {})
