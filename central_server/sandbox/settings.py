"""How the sandbox behaves."""

from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Who it pretends to be, whom it calls back, and how quick its people are."""

    phone_number_id: str
    token: str = field(repr=False)
    app_secret: str = field(repr=False)
    verify_token: str = field(repr=False)
    callback: str = ""  # where webhooks go; empty: nowhere
    own_number: str = "15550100000"
    business_id: str = "100000000000002"
    allowed: frozenset[str] = frozenset()  # recipients; empty: anybody
    sent_after_s: float = 0.3
    delivered_after_s: float = 0.9
    read_after_s: float = 4.0  # negative: never
