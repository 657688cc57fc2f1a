"""Threads that write take turns."""

import threading
from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import text

from central_server.db.engine import open_engine
from central_server.db.turns import Turns
from central_server.db.unit_of_work import UnitOfWork


def test_who_asked_first_writes_first():
    """Of threads that wait, each has its turn in the order in which they came."""
    turns, order = Turns(), []

    def write(number: int) -> None:
        turns.take(10)
        order.append(number)
        turns.give_back()

    turns.take(10)
    with ThreadPoolExecutor(5) as threads:
        for number in range(5):
            threads.submit(write, number)
            while len(turns._waiting) <= number:  # until it waits
                pass
        turns.give_back()

    assert order == [0, 1, 2, 3, 4]


def test_a_turn_that_does_not_come_holds_nobody_for_ever():
    """After its patience a thread goes on; when the turn comes free, those who still wait get it."""
    turns, went_on = Turns(), threading.Event()
    turns.take(1)
    impatient = threading.Thread(target=lambda: (turns.take(0.01), went_on.set()))
    impatient.start()

    assert went_on.wait(10) and not turns._waiting
    turns.give_back()
    turns.take(0)
    assert turns._holder == threading.get_ident()


def test_a_busy_writer_starves_nobody(tmp_path):
    """Beside a thread that begins the next transaction at once, another one writes soon."""
    engine = open_engine(f"sqlite:///{tmp_path / 'a.db'}")
    with UnitOfWork(engine) as work:
        work.session.execute(text("CREATE TABLE line (who TEXT)"))
    stop, count = threading.Event(), 0

    def scribble() -> None:
        while not stop.is_set():
            with UnitOfWork(engine) as work:
                work.session.execute(text("INSERT INTO line VALUES ('busy')"))

    busy = threading.Thread(target=scribble)
    busy.start()
    try:
        for _ in range(20):
            with UnitOfWork(engine) as work:
                count += work.session.execute(text("INSERT INTO line VALUES ('calm')")).rowcount
    finally:
        stop.set()
        busy.join()
    with UnitOfWork(engine, writes=False) as work:
        rows = [who for (who,) in work.session.execute(text("SELECT who FROM line ORDER BY rowid"))]
    first, last = rows.index("calm"), len(rows) - 1 - rows[::-1].index("calm")
    assert count == 20
    assert last - first < 60  # between two of the one no more than a few of the other
    engine.dispose()


def test_a_failed_write_gives_its_turn_back(tmp_path):
    """What is undone counts as over."""
    engine = open_engine(f"sqlite:///{tmp_path / 'a.db'}")
    try:
        with UnitOfWork(engine) as work:
            work.session.execute(text("CREATE TABLE line (who TEXT)"))
            raise KeyError("undone")
    except KeyError:
        pass
    with ThreadPoolExecutor(1) as threads:
        assert threads.submit(_make, engine).result(timeout=5) == 0
    engine.dispose()


def _make(engine) -> int:
    with UnitOfWork(engine) as work:
        work.session.execute(text("CREATE TABLE line (who TEXT)"))
        return work.session.execute(text("SELECT count(*) FROM line")).scalar_one()
