"""Who may still hold a face: a box that does is never left out, one that said otherwise is never accused."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from central_server.domain.holding import Box, Hold, Lent, hold_of, may_hold

NOW = datetime(2026, 11, 23, 5, 0, tzinfo=UTC)
MODEL = "m:1"


@dataclass
class World:
    """A server's log, and a box that follows it over a line on which everything may be lost."""

    gen: int = 0
    added: dict[int, int] = field(default_factory=dict)  # template: generation
    deleted: dict[int, int] = field(default_factory=dict)
    holds: set[int] = field(default_factory=set)
    held_gen: int = 0
    box: Box = field(default_factory=lambda: Box(agent_id="gate", model_id=MODEL, applied_gen=0))
    arriving: tuple[set[int], int] | None = None

    def adds(self):
        self.gen += 1
        self.added[len(self.added)] = self.gen

    def deletes(self):
        alive = sorted(self.added.keys() - self.deleted.keys())
        if alive:
            self.gen += 1
            self.deleted[alive[0]] = self.gen

    def gives(self):
        """The box is sent everything, and what it sent is written down."""
        self.box = replace(self.box, given_gen=self.gen)
        self.arriving = (set(self.added.keys() - self.deleted.keys()), self.gen)

    def applies(self):
        if self.arriving:
            self.holds, self.held_gen = set(self.arriving[0]), self.arriving[1]

    def confirms(self):
        self.box = replace(self.box, applied_gen=self.held_gen)

    def wipes(self):
        self.holds, self.held_gen = set(), 0

    def lents(self):
        return {each: Lent(MODEL, gen, self.deleted.get(each)) for each, gen in self.added.items()}


steps = st.lists(
    st.sampled_from(["adds", "deletes", "gives", "applies", "confirms", "wipes"]), min_size=1, max_size=30
)


def lived(steps):
    world = World()
    for step in steps:
        getattr(world, step)()
    return world


@given(steps)
def test_a_box_that_holds_a_face_is_never_left_out(steps):
    """Whatever was lost on the way, and whenever it fell silent: what it holds, it is taken to hold."""
    world = lived(steps)
    lents = world.lents()
    assert world.holds <= {each for each, lent in lents.items() if may_hold(world.box, lent)}


@given(steps)
def test_a_box_that_confirmed_is_not_accused(steps):
    """After it has fetched, applied and said so, only those who are enrolled are with it."""
    world = lived([*steps, "gives", "applies", "confirms"])
    accused = {each for each, lent in world.lents().items() if may_hold(world.box, lent)}
    assert accused == world.holds == world.added.keys() - world.deleted.keys()


@given(steps, st.booleans(), st.booleans(), st.timedeltas(timedelta(-9), timedelta(9)))
def test_the_kind_of_hold_says_what_is_known(steps, is_well, is_revoked, left):
    """With a box in good standing enrolled faces are in order; erased ones are told, away, or worse."""
    world = lived(steps)
    box = replace(world.box, is_well=is_well, is_revoked=is_revoked, lease_ends_at=NOW + left)
    lents = world.lents().values()
    hold = hold_of(box, lents, NOW)
    erased = [each for each in lents if each.deleted_gen is not None and may_hold(box, each)]
    held = [each for each in lents if may_hold(box, each)]
    assert (hold is None) == (not held)
    if held and left <= timedelta(0):
        assert hold is Hold.LAPSED
    elif held and is_revoked:
        assert hold is Hold.REVOKED
    elif held:
        assert (hold is Hold.ENROLLED) == (not erased)
        assert not erased or (hold is Hold.TOLD) == is_well


@given(steps)
def test_another_model_holds_nothing(steps):
    """Templates of one model are no use, and not sent, to an agent of another."""
    world = lived(steps)
    assert hold_of(replace(world.box, model_id="m:2"), world.lents().values(), NOW) is None
