"""Laws of delivery that hold for every order of callbacks and every failure."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from central_server.domain.delivery import STATUS_RANK, Failed, Retry, progress, settle
from central_server.domain.delivery_errors import ErrorClass, wait_s
from central_server.domain.messages import OutOfArea, out_of_area_text
from central_server.sandbox.catalogue import PRELOADED, rendered
from tests.delivery_world import NOON

statuses = st.lists(st.sampled_from(sorted(STATUS_RANK)), max_size=8)
names = st.text(max_size=40)


@given(statuses, st.randoms())
def test_the_order_and_the_number_of_callbacks_do_not_matter(heard, random):
    """Late, repeated and shuffled statuses end in the same state."""
    shuffled = heard + heard[:2]
    random.shuffle(shuffled)

    def state_after(order: list[str]) -> str:
        state = "accepted"
        for status in order:
            state = progress(state, status)
        return state

    assert state_after(shuffled) == state_after(heard)


@given(statuses)
def test_delivered_is_never_taken_back(heard):
    """A failure that comes after a delivery changes nothing."""
    state = "delivered"
    for status in heard:
        state = progress(state, status)

    assert state in {"delivered", "read"}


@given(
    st.sampled_from([ErrorClass.RETRY, ErrorClass.RETRY_SLOW]),
    st.integers(1, 100),
    st.floats(0, 1),
    st.floats(0, 600),
)
def test_a_wait_is_never_shorter_than_asked_and_never_endless(error_class, failures, chance, asked):
    """Between two tries there are between four seconds and 75 minutes."""
    wait = wait_s(error_class, "131056", failures, chance=chance, asked_s=asked)

    assert max(4, asked) <= wait <= 4500


@given(st.sampled_from(list(ErrorClass)), st.integers(1, 50), st.booleans(), st.floats(0, 1))
def test_every_failure_ends_in_a_later_try_or_in_failed(error_class, failures, can_switch, chance):
    """Nothing is lost between the two, and no retry lies in the past."""
    for outcome in (Failed(error_class, "1", "no"), Retry("1", "later")):
        after = settle(outcome, failures=failures, can_switch=can_switch, now=NOON, chance=chance)

        assert after.state in {"pending", "failed"}
        assert after.state == "failed" or after.next_attempt_at >= NOON


@given(names, names, names, names)
def test_an_alert_is_four_lines_whatever_people_are_called(code, name, zone, supervisor):
    """Newlines, tabs, braces and marks of direction in a name cannot change the message's shape."""
    facts = OutOfArea(
        employee_id=code,
        employee_name=name,
        zone_name=zone,
        supervisor_name=supervisor,
        last_seen=NOON - timedelta(minutes=6),
        opened_at=NOON,
    )
    text = out_of_area_text(facts)
    template = next(each for each in PRELOADED if each.name == "out_of_area_v1" and each.language == "en")
    parameters = [
        {"type": "text", "parameter_name": key, "text": value}
        for key, value in facts.template_params().items()
    ]

    assert len(text.splitlines()) == 4
    assert rendered(template, [{"type": "body", "parameters": parameters}]).startswith(text + "\n")
