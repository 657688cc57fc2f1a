"""One line of `hadir agent check`."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Finding:
    subject: str
    is_good: bool
    words: str
    is_advice: bool = False  # what to change, rather than what is
    numbers: Mapping[str, object] = field(default_factory=dict)  # of a camera, for a machine
