"""What a technician types or scans to join a server: https://server/CODE#HASH, spelt and read here alone."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from common.pairing import ALPHABET, HASH_LENGTH, is_ca_hash

EXAMPLE = "https://hadir.example.com/7K3M-9QXB"
_SCANNED = {"hadir": "https", "hadir+http": "http"}  # schemes that no browser opens: a code is in no log


class BadJoinLink(ValueError):
    """The text is not a join link; says how one looks."""


@dataclass(frozen=True, slots=True)
class JoinLink:
    server_url: str  # scheme, host and port
    code: str = ""  # empty: knock, and wait for an administrator
    ca_hash: str = ""  # of the server's own CA, 26 letters; empty: the system vouches for the server

    def __str__(self) -> str:
        path = f"/{self.code}" if self.code else ""
        return f"{self.server_url}{path}" + (f"#{self.ca_hash}" if self.ca_hash else "")

    @property
    def to_scan(self) -> str:
        """The link for a code to scan, with a scheme that a telephone shows instead of opening it."""
        scheme, rest = str(self).split("://", 1)
        return f"{'hadir' if scheme == 'https' else 'hadir+http'}://{rest}"

    @property
    def is_encrypted(self) -> bool:
        return self.server_url.startswith("https://")


def read_link(text: str) -> JoinLink:
    """Return what a join link says. Raises BadJoinLink."""
    parts = urlsplit(text.strip())
    scheme = _SCANNED.get(parts.scheme, parts.scheme)
    try:
        port = parts.port
    except ValueError as error:
        raise BadJoinLink(f"{text} has no proper port number.") from error
    code, ca_hash = parts.path.strip("/"), parts.fragment.strip().upper()
    if scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc or parts.query:
        raise BadJoinLink(f"{text!r} is not a join link: it looks like {EXAMPLE}")
    if code and not is_code(code):
        raise BadJoinLink(
            f"{code!r} is not a join code: eight letters and digits, as in {EXAMPLE}. Without a code, give "
            "only the server's address."
        )
    if ca_hash and not is_ca_hash(ca_hash):
        raise BadJoinLink(
            f"What stands behind the '#' is not whole: it has {HASH_LENGTH} letters and digits."
        )
    if ca_hash and scheme != "https":
        raise BadJoinLink("A link with a '#' begins with https://.")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return JoinLink(f"{scheme}://{host}" + (f":{port}" if port else ""), code, ca_hash)


def is_code(text: str) -> bool:
    """Tell whether text may be a join code, however it is grouped and whatever was mistaken for what."""
    letters = read_code(text)
    return len(letters) == 8 and all(each in ALPHABET for each in letters)


def read_code(text: str) -> str:
    """Return the letters meant by text: dashes, spaces, case and look-alikes do not matter."""
    letters = text.upper().replace("-", "").replace(" ", "")
    return letters.replace("O", "0").replace("I", "1").replace("L", "1")
