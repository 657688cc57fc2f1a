"""The product's figures equal those of a slow, obvious reference, on days nobody would think of."""

from hypothesis import given, settings

from central_server.domain.day_figures import attendance_on
from tests.random_days import days
from tests.reference_day import reference_day


@settings(deadline=None, max_examples=150)
@given(days)
def test_a_day_is_what_the_slow_reference_says(facts):
    """Every figure of a day: times, seconds, minutes, status, and whether it is certain and final."""
    day = attendance_on(facts)
    expected = reference_day(facts)
    assert {name: getattr(day, name) for name in expected} == expected
