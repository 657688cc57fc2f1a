"""What a provider's error code means for us, as data, and how long to wait before the next try."""

from enum import StrEnum


class ErrorClass(StrEnum):
    """Who is to blame, and so what to do."""

    RETRY = "retry"  # a passing fault: again soon
    RETRY_SLOW = "retry_slow"  # we were too many or too fast: again later
    SWITCH_FORM = "switch_form"  # the 24-hour window is closed: again as a template, once
    RECIPIENT = "recipient"  # this person cannot be reached so
    TEMPLATE = "template"  # this template cannot be sent
    CHANNEL = "channel"  # the provider refuses us altogether: stop for a while and say so
    BUG = "bug"  # we asked for something wrong: no use in repeating it


_CODES: dict[ErrorClass, frozenset[int]] = {
    ErrorClass.RETRY: frozenset({1, 2, 4, 80007, 130429, 131000, 131016, 131053, 131057, 133004}),
    ErrorClass.RETRY_SLOW: frozenset({131048, 131056}),
    ErrorClass.SWITCH_FORM: frozenset({131047}),
    ErrorClass.RECIPIENT: frozenset({131026, 131030, 131021, 131049, 131050, 130472}),
    ErrorClass.TEMPLATE: frozenset({132000, 132001, 132005, 132007, 132008, 132012, 132015, 132016, 132018}),
    ErrorClass.CHANNEL: frozenset(
        {0, 3, 10, 190, 368, 131005, 131031, 131037, 131042, 131045, 130497, *range(200, 300)}
    ),
    ErrorClass.BUG: frozenset({33, 100, 131008, 131009, 131051}),
}
_BY_CODE = {code: error_class for error_class, codes in _CODES.items() for code in codes}

STEPS_S = (5.0, 30.0, 120.0, 300.0)  # between the attempts of a passing fault; the last one goes on
SPAM_WAIT_S = 3600.0  # 131048: too many people blocked or reported us
PAIR_LIMIT_CODE, SPAM_CODE = "131056", "131048"


def class_of(code: int, *, http_status: int = 400, is_transient: bool = False) -> ErrorClass:
    """Return the class of a Cloud API error; a code that is not in the table is judged by its HTTP status."""
    if code in _BY_CODE:
        return _BY_CODE[code]
    if is_transient or http_status >= 500 or http_status == 429:
        return ErrorClass.RETRY
    return ErrorClass.CHANNEL if http_status in {401, 403} else ErrorClass.BUG


def wait_s(
    error_class: ErrorClass, code: str, failures: int, *, chance: float, asked_s: float | None = None
) -> float:
    """Return seconds until the next try after `failures` of them (from 1); never less than asked_s.

    A passing fault: 5 s, 30 s, 2 min, 5 min, 5 min… plus up to a quarter by chance. The pair limit
    (131056): 4^n s. The spam limit (131048): an hour.
    """
    if code == SPAM_CODE:
        wait = SPAM_WAIT_S * (1 + chance / 4)
    elif error_class is ErrorClass.RETRY_SLOW:
        wait = min(4.0 ** min(failures, 6), 3600.0) + chance
    else:
        wait = STEPS_S[min(max(failures, 1), len(STEPS_S)) - 1] * (1 + chance / 4)
    return max(wait, asked_s or 0.0)
