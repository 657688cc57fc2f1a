"""What holds of every change of configuration, whatever the cameras, and whenever the power fails."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from common.agent_settings import AgentSettings, from_json, problems_of, to_json
from common.camera_settings import (
    DECODERS,
    KEPT,
    CameraConfig,
    MatchOverrides,
    NamedZone,
    corners_in,
    corners_text,
)
from common.events import CameraReason, ConfigError
from common.ids import CameraId
from edge_agent.core.config_change import (
    MOST_STARTS,
    SETTLED_SHARE,
    Document,
    Held,
    Look,
    Outcome,
    Stage,
    Trial,
    changes,
    is_wanted,
    judged,
    proved,
    refused,
    rolled_back,
    started,
    tried,
)

NAMES = st.sampled_from(["a", "b", "c", "d"])
PATIENCE_S = 120.0
places = st.integers(0, 10_000).map(lambda value: value / 10_000)
polygons = st.lists(st.tuples(places, places), min_size=3, max_size=6).map(tuple)


@st.composite
def cameras(draw, name: st.SearchStrategy[str] = NAMES) -> CameraConfig:
    """Return a camera that may be configured from afar."""
    return CameraConfig(
        camera_id=CameraId(draw(name)),
        name=draw(st.sampled_from(["Gate", "Pintu Utama"])),
        url=draw(st.sampled_from(["rtsp://u:p@10.0.0.5/1", "rtsp://10.0.0.6:8554/x", "webcam:0", KEPT])),
        zone=draw(st.sampled_from(["", "Lobby"])),
        sample_fps=draw(st.sampled_from([0.2, 5.0, 30.0])),
        decode=draw(st.sampled_from(DECODERS)),
        search_px=draw(st.sampled_from([None, 320, 640])),
        rests=draw(st.booleans()),
        identify=draw(st.booleans()),
        mask=tuple(draw(st.lists(polygons, max_size=2))),
        watch=tuple(draw(st.lists(polygons, max_size=2))),
        zones=tuple(NamedZone("Counter", each) for each in draw(st.lists(polygons, max_size=2))),
    )


sets = st.lists(cameras(), max_size=4, unique_by=lambda each: each.camera_id).map(tuple)
looks = st.builds(
    Look,
    has_picture=st.booleans(),
    since_s=st.floats(0, 1000),
    reason=st.sampled_from([CameraReason.AUTH, CameraReason.NONE]),
)


@given(polygons)
def test_a_shape_survives_being_written_down(polygon):
    """What a form or a file writes of corners is read again as the same corners."""
    assert corners_in(corners_text(polygon)) == polygon


@given(sets, st.one_of(st.none(), st.floats(-1, 1)), st.integers(0, 10**6), st.booleans())
def test_settings_survive_the_way_to_the_agent(cameras, threshold, gen, is_local):
    """What the server writes, the agent reads as the same, and finds nothing wrong with it."""
    settings = AgentSettings(
        gen=gen, is_local=is_local, cameras=cameras, match=MatchOverrides(threshold), salt="x"
    )
    reading = from_json(to_json(settings))
    assert (reading.settings, reading.problems, reading.ignored) == (settings, (), ())
    assert problems_of(settings) == ()


@given(sets, sets)
def test_a_change_touches_nothing_that_stays_as_it_is(before, after):
    """Stopping and starting what is named leads from one set to the other, and leaves equal cameras alone."""
    change = changes(before, after)
    running = {each.camera_id: each for each in before if each.camera_id not in change.stop}
    running |= {each.camera_id: each for each in change.start}
    assert running == {each.camera_id: each for each in after}
    touched = {*change.stop, *(each.camera_id for each in change.start)}
    assert not touched & {each.camera_id for each in before if each in after}


@given(st.dictionaries(NAMES, looks), st.sets(NAMES), st.floats(0, 400))
def test_only_a_camera_that_worked_condemns_a_change(found, worked, now_s):
    """Never before the time is over, and never for a camera that had no picture before either."""
    trial = Trial(0.0, PATIENCE_S, frozenset(worked))
    judgement = judged(trial, found, now_s)
    dead = {
        name
        for name, look in found.items()
        if name in worked and not look.has_picture and look.since_s >= PATIENCE_S * SETTLED_SHARE
    }
    assert (judgement.outcome is Outcome.ROLL_BACK) == (now_s >= PATIENCE_S and bool(dead))
    if judgement.outcome is Outcome.ROLL_BACK:
        assert {each.key for each in judgement.errors} == {f"cameras.{name}" for name in dead}
    if now_s >= PATIENCE_S:
        assert judgement.outcome is not Outcome.WAITING, "a trial does not last for ever"
    if judgement.outcome is Outcome.GOOD and now_s >= PATIENCE_S:
        assert len(judgement.errors) == sum(not look.has_picture for look in found.values())


@given(st.dictionaries(NAMES, looks), st.floats(0, PATIENCE_S, exclude_max=True))
def test_a_change_is_not_called_good_early_while_any_camera_is_blind(found, now_s):
    """Before the time is over it takes every camera's picture, for a while."""
    outcome = judged(Trial(0.0, PATIENCE_S, frozenset()), found, now_s).outcome
    is_calm = now_s >= PATIENCE_S * SETTLED_SHARE
    assert (outcome is Outcome.GOOD) == (is_calm and all(look.has_picture for look in found.values()))


ERRORS = (ConfigError(key="cameras.a", words="no picture (auth)"),)
steps = st.one_of(
    st.tuples(st.just("manifest"), st.integers(0, 12)),
    st.tuples(st.just("refuse"), st.integers(0, 12)),
    st.sampled_from([("good", 0), ("back", 0), ("restart", 0)]),
)


@given(st.lists(steps, max_size=40))
def test_an_agent_never_goes_back_by_itself_and_always_has_something_that_proved_itself(history):
    """Whatever comes in whatever order, old manifests and restarts in a trial included."""
    held, proved_gens = Held(), {0}
    for what, gen in history:
        before = held
        match what:
            case "manifest" if is_wanted(gen, held):
                held = tried(held, Document(gen=gen, text=str(gen)), ["a"])
            case "refuse" if is_wanted(gen, held):
                held = refused(held, gen, ERRORS)
            case "good" if held.stage is Stage.TRYING:
                held = proved(held)
                proved_gens.add(held.newest.gen)
            case "back" if held.stage is Stage.TRYING:
                held = rolled_back(held, ERRORS)
            case "restart":
                held = started(held)
        assert held.tried >= before.tried
        assert held.starts <= MOST_STARTS
        in_force = held.in_force.gen if held.in_force else 0
        if held.stage is not Stage.TRYING:
            assert in_force in proved_gens
        elif held.good is not None:
            assert held.good.gen in proved_gens and held.good.gen < in_force


@given(st.integers(1, 50))
def test_a_box_that_keeps_dying_gets_out_of_a_trial(restarts):
    """After a few starts that led nowhere it runs what worked before, and says why."""
    good = proved(tried(Held(), Document(gen=1, text="1"), []))
    held = tried(good, Document(gen=2, text="2"), ["a"])
    for _ in range(restarts):
        held = started(held)
    assert (held.stage is Stage.ROLLED_BACK) == (restarts > MOST_STARTS)
    assert held.in_force.gen == (1 if restarts > MOST_STARTS else 2)
    assert not is_wanted(2, held) and is_wanted(3, held)


@given(st.sets(NAMES), st.sets(NAMES))
def test_a_second_change_during_a_trial_must_bring_back_what_worked_before_the_first(first, second):
    """Else two changes in a row could lose a camera that worked."""
    held = tried(Held(), Document(gen=1, text="1"), first)
    again = tried(held, Document(gen=2, text="2"), second)
    assert set(again.worked) == first | second
    assert tried(proved(held), Document(gen=2, text="2"), second).worked == tuple(sorted(second))
    assert replace(again, worked=()).good is None
