"""An agent that dies while it writes its gallery holds the one of before or the new one, never a mixture."""

import os
import resource
import signal
import sqlite3
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.signing import gallery_digest
from edge_agent.adapters.gallery_download import TemplatePage
from edge_agent.adapters.gallery_file import GalleryError, GalleryFile, HeldGallery, checked
from tests.vision_world import DIMENSION, face_of

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="a process is killed in the middle")

BEFORE = {number: f"p{number}" for number in range(200)}
AFTER = {number: f"p{number}" for number in range(100, 400)} | {7: "p7"}


def page_of(gen, owners, add, remove=(), full=False):
    sent = tuple((each, owners[each], face_of(f"{owners[each]}").tobytes()) for each in add)
    return TemplatePage(gen, "test:0", gallery_digest(owners), full, sent, tuple(remove))


FIRST = page_of(1, BEFORE, BEFORE, full=True)
DELTA = page_of(2, AFTER, AFTER.keys() - BEFORE.keys(), BEFORE.keys() - AFTER.keys())
FULL = page_of(2, AFTER, AFTER, full=True)


def written(path: Path) -> tuple[GalleryFile, HeldGallery]:
    file, empty = GalleryFile(path), HeldGallery.empty("test:0")
    change = checked(empty, FIRST, DIMENSION)
    file.save(change, empty)
    return file, empty.after(change)


def die_while(doing: Callable[[], None], arm: Callable[[], None]) -> bool:
    """Do it in a child process that arm has prepared to die; return whether it did."""
    child = os.fork()
    if child == 0:
        try:
            arm()
            doing()
        except BaseException:
            os._exit(3)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


def is_old_or_new(file: GalleryFile) -> bool:
    """Read the file as an agent does at its start; tell whether it is the new one."""
    held = file.load("test:0", DIMENSION)
    expected = {1: BEFORE, 2: AFTER}[held.gen]
    assert held.owners == expected and len(held.gallery) == len(expected)
    rows = held.gallery.matrix
    wanted = np.array([face_of(owner) for _, owner in sorted(expected.items())])
    assert np.allclose(rows, wanted, atol=1e-5)
    return held.gen == 2


def saved(path: Path, page: TemplatePage, arm: Callable[[], None]) -> tuple[bool, bool]:
    """Return whether the writer died, and whether the new gallery is there."""
    file, held = written(path)
    change = checked(held, page, DIMENSION)
    died = die_while(lambda: file.save(change, held), arm)
    return died, is_old_or_new(file)


def dies_after_steps(count: int) -> Callable[[], None]:
    """SQLite's own steps: between any two statements, and in the middle of each."""

    def arm() -> None:
        connect, left = sqlite3.connect, [count]

        def step() -> int:
            left[0] -= 1
            if left[0] <= 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return 0

        def connected(*given, **more):
            db = connect(*given, **more)
            db.set_progress_handler(step, 1)
            return db

        sqlite3.connect = connected

    return arm


def dies_at_byte(limit: int) -> Callable[[], None]:
    """The kernel kills it in the write that makes a file longer than that: the database or its journal."""

    def arm() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    return arm


pages = st.sampled_from([DELTA, FULL])


@given(pages, st.integers(1, 9_000))
@settings(max_examples=40, deadline=None)
def test_dying_between_two_steps_leaves_the_old_one_or_the_new_one(page, count):
    """Whichever statement it was in the middle of."""
    with tempfile.TemporaryDirectory() as folder:
        died, is_new = saved(Path(folder) / "gallery.db", page, dies_after_steps(count))
        assert not died or not is_new


@given(pages, st.integers(0, 140_000))
@settings(max_examples=40, deadline=None)
def test_dying_in_a_write_leaves_the_old_one_or_the_new_one(page, limit):
    """Half a page in the file or in its journal is undone by the next start."""
    with tempfile.TemporaryDirectory() as folder:
        died, is_new = saved(Path(folder) / "gallery.db", page, dies_at_byte(limit))
        assert not died or not is_new


@given(pages, st.integers(0, 140_000))
@settings(max_examples=30, deadline=None)
def test_a_disk_that_is_full_leaves_the_old_one(page, limit):
    """The error is told, and who was held is held."""

    def fills_up() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    with tempfile.TemporaryDirectory() as folder:
        file, held = written(Path(folder) / "gallery.db")
        change = checked(held, page, DIMENSION)

        def save() -> None:
            try:
                file.save(change, held)
            except GalleryError:
                os.kill(os.getpid(), signal.SIGTERM)

        failed = die_while(save, fills_up)
        assert is_old_or_new(file) is not failed


def test_dying_at_any_moment_leaves_the_old_one_or_the_new_one(tmp_path):
    """Killed again and again while it writes one gallery over the other, commits and all."""
    file, held = written(tmp_path / "gallery.db")
    there, back = checked(held, FULL, DIMENSION), checked(held, FIRST, DIMENSION)
    after = HeldGallery(2, "test:0", there.sha256, AFTER, held.gallery)

    def write_for_ever() -> None:
        while True:
            file.save(there, held)
            file.save(back, after)

    seen = set()
    for turn in range(25):
        child = os.fork()
        if child == 0:
            write_for_ever()
        killer = threading.Timer(0.01 + 0.0037 * turn, os.kill, (child, signal.SIGKILL))
        killer.start()
        os.waitpid(child, 0)
        killer.join()
        seen.add(is_old_or_new(file))
    assert seen <= {True, False} and seen
