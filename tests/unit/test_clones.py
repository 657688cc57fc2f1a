"""One identity, one process: two are noticed, restarts and reconnects are not taken for that."""

from central_server.domain.clones import born, is_old_news


def hello(*names: str) -> list[bool]:
    """Let processes say hello, each time by a new connection."""
    return replayed(*((name, f"s{number}") for number, name in enumerate(names)))


def replayed(*births: tuple[str, str]) -> list[bool]:
    kept, proofs = (), []
    for name, sid in births:
        kept, is_clone = born(kept, name, sid)
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
    births = ()
    for number in range(100):
        births, _ = born(births, f"p{number}", "s")
    assert births == tuple(f"p{number}/s" for number in range(84, 100))


def test_a_birth_that_comes_twice_is_no_clone():
    """A broker gives out again what it keeps, and what the server had no time to acknowledge."""
    births = [("a", "1"), ("b", "2"), ("a", "1"), ("b", "2"), ("b", "3"), ("a", "1"), ("b", "4")]
    assert not any(replayed(*births))


def test_a_kept_birth_of_an_earlier_connection_is_old_news():
    """While another connection is in use; whoever says that theirs is in use again is heard."""
    births, _ = born((), "a", "mqtt")
    births, _ = born(births, "a", "http")
    assert is_old_news(births, "a", "mqtt", "http")
    assert not is_old_news(births, "a", "http", "http")
    assert not is_old_news(births, "a", "mqtt", "mqtt")
    assert not is_old_news(births, "b", "new", "http")
