"""An engine that only one thread may use, shared by many."""

import threading

import numpy as np

from edge_agent.adapters.serial_analyser import SerialAnalyser, shared
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
    analyser, stop = shared(engine), threading.Event()

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

    analyser = SerialAnalyser(Faulty())
    try:
        analyser.detect(None)
    except ValueError as error:
        assert str(error) == "no picture"
    else:
        raise AssertionError("the fault was swallowed")
    assert analyser.detect(IMAGE) == []


def test_an_engine_made_for_threads_is_not_queued():
    """InsightFace's sessions run side by side."""
    engine = ScriptedAnalyser(engine="insightface")
    assert shared(engine) is engine
