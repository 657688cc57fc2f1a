"""For how long a box may keep a gallery, whatever is done to its clocks."""

from hypothesis import given
from hypothesis import strategies as st

from edge_agent.core.lease import Reading, lent_at, lent_now

WEEK = 7 * 86_400.0
spans = st.floats(0, 3 * 86_400)
jumps = st.floats(-10 * 365 * 86_400, 10 * 365 * 86_400)


class Machine:
    """Runs, is off, and has its clock set; its lease is looked at after each step, and kept on its disk."""

    def __init__(self, wall_s=1.8e9):
        self.wall_s, self.up_s, self.boot = wall_s, 5000.0, 0

    def clocks(self):
        return Reading(self.wall_s, self.up_s, str(self.boot))

    def runs(self, seconds):
        self.wall_s, self.up_s = self.wall_s + seconds, self.up_s + seconds

    def is_off(self, seconds):
        self.wall_s, self.up_s, self.boot = self.wall_s + seconds, 0.0, self.boot + 1

    def is_set(self, seconds):
        self.wall_s += seconds


steps = st.lists(
    st.tuples(st.just("runs"), spans)
    | st.tuples(st.just("is_off"), spans)
    | st.tuples(st.just("is_set"), jumps),
    max_size=12,
)


def lived(machine, lease, steps):
    for kind, seconds in steps:
        getattr(machine, kind)(seconds)
        lease = lease.now(machine.clocks())
    return lease


@given(steps)
def test_running_time_always_counts(steps):
    """However the clock is set and the box restarted, what it ran is over of the lease."""
    machine = Machine()
    lease = lived(machine, lent_now(WEEK, machine.clocks()), steps)
    ran = sum(seconds for kind, seconds in steps if kind == "runs")
    assert lease.spent_s >= ran - 1e-3


@given(steps)
def test_a_lease_never_grows_younger(steps):
    """Each look finds it as old as before, or older."""
    machine, ages = Machine(), []
    lease = lent_now(WEEK, machine.clocks())
    for step in steps:
        lease = lived(machine, lease, [step])
        ages.append(lease.spent_s)
    assert ages == sorted(ages) and lease.left_s(machine.clocks()) <= WEEK


@given(st.lists(st.tuples(st.sampled_from(["runs", "is_off"]), spans), max_size=12))
def test_with_a_right_clock_it_is_exact(steps):
    """Running or off, with the clock left alone, the lease counts the time that passed."""
    machine = Machine()
    lease = lived(machine, lent_now(WEEK, machine.clocks()), steps)
    assert abs(lease.spent_s - sum(seconds for _, seconds in steps)) < 1e-2


@given(st.lists(st.tuples(st.just("runs"), spans) | st.tuples(st.just("is_set"), jumps), max_size=12))
def test_a_clock_that_jumps_while_the_box_runs_changes_nothing(steps):
    """Neither wiped early nor kept late: the uptime counts."""
    machine = Machine()
    lease = lived(machine, lent_now(WEEK, machine.clocks()), steps)
    assert abs(lease.spent_s - sum(seconds for kind, seconds in steps if kind == "runs")) < 1e-2


@given(spans, spans, spans)
def test_a_box_without_a_clock_counts_its_sleep_once_the_time_server_tells(off, before, after):
    """It wakes at the time when it fell asleep; minutes later its clock is put right."""
    machine = Machine()
    lease = lent_now(WEEK, machine.clocks())
    machine.is_off(off)
    machine.is_set(-off)
    lease = lived(machine, lease, [("runs", before), ("is_set", off), ("runs", after)])
    assert abs(lease.spent_s - (off + before + after)) < 1e-2


@given(st.floats(-WEEK * 3, WEEK * 3), spans)
def test_a_manifest_that_waited_counts_from_when_it_was_issued(age, later):
    """One from the future or from beyond the lease renews nothing; a little skew is forgiven."""
    machine = Machine()
    lease = lent_at(WEEK, machine.wall_s - age, machine.clocks())
    if not -300 <= age < WEEK:
        assert lease is None
        return
    machine.runs(later)
    assert abs(lease.now(machine.clocks()).spent_s - max(0.0, age) - later) < 1e-2
