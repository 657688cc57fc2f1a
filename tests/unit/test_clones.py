"""One identity, one process: two are noticed, restarts and reconnects are not taken for that."""

from central_server.domain.clones import born


def hello(*names: str) -> list[bool]:
    instances, proofs = (), []
    for name in names:
        instances, is_clone = born(instances, name)
        proofs.append(is_clone)
    return proofs


def test_restarts_and_reconnects_are_no_clone():
    """A process may say hello often, and after it another one, for ever."""
    assert not any(hello("a", "a", "b", "b", "b", "c", "d"))


def test_one_that_comes_back_after_another_is_a_clone():
    """It was alive all the while, so there are two."""
    assert hello("a", "b", "a", "b") == [False, False, True, True]


def test_an_agent_that_tells_no_name_proves_nothing():
    """Older agents are let be."""
    assert not any(hello("", "a", "", "a"))


def test_only_a_few_are_remembered():
    """The list does not grow with the restarts of years."""
    instances = ()
    for number in range(100):
        instances, _ = born(instances, f"p{number}")
    assert instances == tuple(f"p{number}" for number in range(92, 100))
