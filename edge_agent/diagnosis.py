"""What the doctor says of one thing."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    subject: str
    is_good: bool
    words: str
    advice: str = ""  # what to do
    is_certain: bool = True  # False: it could not be found out


def good(subject: str, words: str) -> Finding:
    return Finding(subject, True, words)


def bad(subject: str, words: str, advice: str = "", *, is_certain: bool = True) -> Finding:
    return Finding(subject, False, words, advice, is_certain)
