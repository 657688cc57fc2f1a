"""A camera's address as a form shows it, and as a form gives it back: the password only ever goes in."""

import re
from dataclasses import dataclass
from urllib.parse import quote, unquote, urlsplit

from common.camera_settings import KEPT, is_readable_address, shown_address

_HIDDEN = re.compile(r"(pass|pwd|psw|token|secret|auth|key|sig)[^=&/;]*=", re.IGNORECASE)


class AddressRefused(Exception):
    """What was typed makes no address; `field` and `code` say what and why."""

    def __init__(self, field: str, code: str) -> None:
        self.field, self.code = field, code
        super().__init__(f"{field}: {code}")


@dataclass(frozen=True, slots=True)
class Shown:
    """What a form may show of an address."""

    address: str  # without user and password; empty when it hides another secret, or stays in the box
    place: str  # scheme, host and port; empty when it stays in the box
    user: str
    has_password: bool
    is_kept: bool  # the box has it in its own file


def shown(url: str) -> Shown:
    """Return what may be shown of a stored address."""
    if url == KEPT:
        return Shown("", "", "", False, True)
    if "://" not in url:
        return Shown(url, url, "", False, False)
    user, password = _credentials(url)
    bare = _without_credentials(url)
    address = "" if _HIDDEN.search(bare) else bare
    return Shown(address, shown_address(url), user, bool(password), False)


def given(address: str, user: str, password: str, before: str = "") -> str:
    """Return the address that a form means; before is the stored one, whose secrets need not be typed again.

    A password is kept only for the very host that it was given for: else whoever may configure could have
    any camera's password sent to a machine of their own. Raises AddressRefused.
    """
    address, user = address.strip(), user.strip()
    if not address:
        if not (user or password) and before:
            return before
        if before in ("", KEPT):  # what the box has is kept whole, or not at all
            raise AddressRefused("address", "needed")
        address = _without_credentials(before)
    if "://" not in address:
        return address
    if not is_readable_address(address):
        raise AddressRefused("address", "address")
    typed_user, typed_password = _credentials(address)
    address, user, password = _without_credentials(address), user or typed_user, password or typed_password
    if not user:
        if password:
            raise AddressRefused("user", "needed")
        return address
    old_user, old_password = _credentials(before)
    if not password and old_password and user == old_user:
        if _host(address) != _host(before):
            raise AddressRefused("password", "password_again")
        password = old_password
    return _with_credentials(address, user, password)


def smaller(address: str, url: str, before: str = "") -> str:
    """Return the smaller stream's address: of the same camera, with the same user and password as url.

    Raises AddressRefused.
    """
    address = address.strip()
    if not address and before == KEPT:
        return KEPT if url == KEPT else ""
    if not address and before and not shown(before).address:  # it hides a secret, so it could not be shown
        address = _without_credentials(before)
    if not address:
        return ""
    if "://" not in address or "@" in address or not is_readable_address(address):
        raise AddressRefused("sub_address", "address")
    if url == KEPT or _host(address)[0] != _host(url)[0]:
        raise AddressRefused("sub_address", "other_host")
    user, password = _credentials(url)
    return _with_credentials(address, user, password) if user else address


def bare(address: str) -> str:
    """Return what was typed as an address without a user and a password in it."""
    address = address.strip()
    return _without_credentials(address) if "://" in address else address


def _host(url: str) -> tuple[str, str]:
    if "://" not in url or not is_readable_address(url):
        return "", ""
    place = urlsplit(url).netloc.rpartition("@")[2].lower()
    host, _, port = place.rpartition(":") if re.search(r":\d+$", place) else (place, "", "")
    return host, port


def _credentials(url: str) -> tuple[str, str]:
    user, _, password = (
        urlsplit(url).netloc.rpartition("@")[0].partition(":") if "://" in url else ("", "", "")
    )
    return unquote(user), unquote(password)


def _without_credentials(url: str) -> str:
    scheme, _, rest = url.partition("://")
    place, slash, path = re.match(r"([^/?#]*)([/?#]?)(.*)", rest, re.DOTALL).groups()  # type: ignore[union-attr]
    return f"{scheme}://{place.rpartition('@')[2]}{slash}{path}"


def _with_credentials(address: str, user: str, password: str) -> str:
    scheme, _, rest = address.partition("://")
    secret = f":{quote(password, safe='')}" if password else ""
    return f"{scheme}://{quote(user, safe='')}{secret}@{rest}"
