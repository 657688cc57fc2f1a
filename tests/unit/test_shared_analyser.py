"""One box's models, shared by many cameras."""

import threading

import numpy as np

from edge_agent.adapters.shared_analyser import MOST_CROPS, SharedAnalyser, shared
from tests.vision_world import ScriptedAnalyser

IMAGE = np.zeros((4, 4, 3), np.uint8)


class Watched(ScriptedAnalyser):
    """Says who is inside; a second one inside is a fault."""

    inside = 0
    most = 0
    calls = 0

    def detect(self, image):
        self.inside += 1
        self.most = max(self.most, self.inside)
        threading.Event().wait(0.002)
        self.inside -= 1
        self.calls += 1
        return []


def test_a_busy_camera_does_not_keep_an_enrolment_waiting():
    """Who asks comes after those who asked before, and before those who ask again later."""
    engine = Watched(engine="dlib")
    analyser, stop = shared(engine, 4), threading.Event()

    def camera():
        while not stop.is_set():
            analyser.detect(IMAGE)

    cameras = [threading.Thread(target=camera) for _ in range(3)]
    for each in cameras:
        each.start()
    waits = []
    for _ in range(20):
        before = engine.calls
        analyser.detect(IMAGE)
        waits.append(engine.calls - before)
    stop.set()
    for each in cameras:
        each.join()
    assert max(waits) <= 2 * len(cameras) + 2, "in turn: each camera at most once or twice before"
    assert engine.most == 1, "never two at once"


def test_a_fault_of_the_engine_reaches_who_asked():
    """And the next call works."""

    class Faulty(ScriptedAnalyser):
        def detect(self, image):
            if image is None:
                raise ValueError("no picture")
            return []

    analyser = SharedAnalyser(Faulty(), 2)
    try:
        analyser.detect(None)
    except ValueError as error:
        assert str(error) == "no picture"
    else:
        raise AssertionError("the fault was swallowed")
    assert analyser.detect(IMAGE) == []


class Batching(ScriptedAnalyser):
    """Waits in its first run until it is let go; a crop's embedding is the crop's own number."""

    def __init__(self):
        super().__init__()
        self.begun, self.go, self.batches = threading.Event(), threading.Event(), []

    def embed(self, crops):
        self.batches.append(len(crops))
        self.begun.set()
        assert self.go.wait(10)
        return np.array([[float(each[0])] for each in crops])


def test_crops_of_many_cameras_share_a_run_and_everybody_gets_their_own():
    """What waits while a run is on goes together in the next, at most so many; the order is kept."""
    engine = Batching()
    analyser, got = SharedAnalyser(engine, 1), {}

    def camera(number):
        got[number] = analyser.embed([np.array([number * 10 + each]) for each in range(3)]).ravel().tolist()

    first = threading.Thread(target=camera, args=(0,))
    first.start()
    assert engine.begun.wait(10)
    others = [threading.Thread(target=camera, args=(number,)) for number in range(1, 7)]
    for each in others:
        each.start()
    while len(analyser._waiting) < 18:
        threading.Event().wait(0.005)
    engine.go.set()
    for each in (first, *others):
        each.join(10)
    assert got == {number: [number * 10.0, number * 10 + 1.0, number * 10 + 2.0] for number in range(7)}
    assert engine.batches[0] == 3 and sum(engine.batches) == 21
    assert max(engine.batches) == MOST_CROPS and len(engine.batches) == 4


def test_warming_up_tries_a_whole_search_and_the_largest_batch_on_every_worker():
    """So the memory for a crowd is taken at the start."""

    class Noted(ScriptedAnalyser):
        searched, batches = (), ()

        def detect(self, image):
            self.searched = (*self.searched, image.shape[:2])
            return []

        def aligned(self, image, detection):
            return np.zeros((112, 112, 3), np.uint8)

        def embed(self, crops):
            self.batches = (*self.batches, len(crops))
            return np.zeros((len(crops), self.dimension), np.float32)

    engine = Noted()
    SharedAnalyser(engine, 2).warm_up()
    assert engine.searched == ((360, 640), (360, 640))
    assert engine.batches == (MOST_CROPS, MOST_CROPS)


def test_a_fault_in_a_shared_run_reaches_everybody_in_it():
    """And nobody waits for ever."""

    class Broken(ScriptedAnalyser):
        def embed(self, crops):
            raise RuntimeError("out of memory")

    analyser = SharedAnalyser(Broken(), 2)
    for _ in range(3):
        try:
            analyser.embed([np.array([1]), np.array([2])])
        except RuntimeError as error:
            assert str(error) == "out of memory"
        else:
            raise AssertionError("the fault was swallowed")


def test_only_an_engine_made_for_threads_runs_several_times_at_once():
    """InsightFace's sessions may; dlib's objects may not."""
    for engine, most in (("insightface", 2), ("dlib", 1)):
        watched = Watched(engine=engine)
        analyser = shared(watched, 2)
        threads = [threading.Thread(target=analyser.detect, args=(IMAGE,)) for _ in range(12)]
        for each in threads:
            each.start()
        for each in threads:
            each.join(10)
        assert watched.calls == 12 and watched.most <= most
