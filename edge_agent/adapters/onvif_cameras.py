"""Finds ONVIF cameras on the local network and asks them for their streams.

Only the address that answered is ever asked, whatever a camera says of itself. The login goes as a digest;
still, whoever pretends to be a camera can try passwords on it at leisure: use one that opens cameras only.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import unquote, urlsplit

import aiohttp
import zeep.exceptions
from onvif import ONVIFCamera
from onvif.exceptions import ONVIFError
from wsdiscovery.discovery import ThreadedWSDiscovery
from wsdiscovery.qname import QName

from edge_agent.core.onvif import Camera, Profile

NETWORK_VIDEO = QName("http://www.onvif.org/ver10/network/wsdl", "NetworkVideoTransmitter")
ONVIF_SCOPE = "onvif://"
MOST_CAMERAS = 256
MOST_PROFILES = 12
AT_ONCE = 8
ASK_S = 20.0
CLOCK_OFF_S = 5.0


class DiscoveryError(Exception):
    """This machine cannot look for cameras; says why."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a camera takes questions."""

    address: str
    port: int = 80
    is_tls: bool = False
    name: str = ""


@dataclass(frozen=True, slots=True)
class Login:
    user: str
    password: str

    def __repr__(self) -> str:
        return f"Login({self.user!r}, ***)"


class _Probing(ThreadedWSDiscovery):
    """Notes who answered: the library keeps only what they say of themselves."""

    def __init__(self) -> None:
        super().__init__()
        self.answers: dict[str, Place] = {}

    def _handle_probematches(self, env: Any, addr: Any) -> None:
        for match in env.getProbeResolveMatches():
            scopes = [str(each.getValue()) for each in match.getScopes() or ()]
            types = [str(each.getLocalname()) for each in match.getTypes() or ()]
            is_camera = any(each.lower().startswith(ONVIF_SCOPE) for each in scopes)
            if is_camera or NETWORK_VIDEO.getLocalname() in types:
                place = _place(str(addr[0]), match.getXAddrs() or (), scopes)
                self.answers.setdefault(place.address, place)

    def _handle_hello(self, env: Any, addr: Any) -> None:
        """Who comes and goes meanwhile was not asked."""

    _handle_bye = _handle_resolvematches = _handle_hello


def discover(seconds: float) -> list[Place]:
    """Return the cameras that answer a multicast question within seconds. Raises DiscoveryError."""
    for name in ("threading", "util", "daemon", "discovery"):
        logging.getLogger(name).setLevel(logging.ERROR)  # the library's own loggers have such names
    probing = _Probing()
    try:
        probing.start()
        probing.searchServices(types=[NETWORK_VIDEO], timeout=seconds / 2)
        probing.searchServices(timeout=seconds / 2)  # some answer only to a question to everybody
    except Exception as error:  # a bare Exception is what the library raises
        raise DiscoveryError(f"this machine cannot ask the network for cameras ({error})") from error
    finally:
        found = list(probing.answers.values())[:MOST_CAMERAS]
        probing.stop()
    return sorted(found, key=lambda each: _sortable(each.address))


def _place(address: str, xaddrs: Iterable[str], scopes: Iterable[str]) -> Place:
    """Return where to ask: the address that answered, at the port that its own words give for it."""
    name = next((unquote(each.rpartition("/")[2]) for each in scopes if "/name/" in each.lower()), "")
    parts = [urlsplit(each) for each in xaddrs if each.lower().startswith(("http://", "https://"))]
    parts.sort(key=lambda each: (each.hostname != address, each.scheme != "http"))
    for each in parts:
        try:
            port = each.port
        except ValueError:
            continue
        is_tls = each.scheme == "https"
        return Place(address, port or (443 if is_tls else 80), is_tls, name)
    return Place(address, name=name)


def _sortable(address: str) -> tuple[int, ...] | tuple[str]:
    parts = address.split(".")
    return tuple(int(each) for each in parts) if all(each.isdigit() for each in parts) else (999,)


def ask_all(places: Sequence[Place], login: Login | None, told: Callable[[Camera], None]) -> list[Camera]:
    """Ask each place for its camera's streams, a few at a time; told hears of each as it answers."""
    return asyncio.run(_ask_all(places, login, told))


async def _ask_all(
    places: Sequence[Place], login: Login | None, told: Callable[[Camera], None]
) -> list[Camera]:
    turns = asyncio.Semaphore(AT_ONCE)

    async def ask(place: Place) -> Camera:
        async with turns:
            camera = await _Asked(place, login).camera()
            told(camera)
            return camera

    return list(await asyncio.gather(*(ask(each) for each in places)))


class _Asked:
    """One camera's questions, in order; whatever goes wrong becomes words."""

    def __init__(self, place: Place, login: Login | None) -> None:
        self._place, self._login = place, login
        self._found = Camera(address=place.address, name=place.name)

    async def camera(self) -> Camera:
        try:
            await asyncio.wait_for(self._ask(), ASK_S)
        except TimeoutError:
            self._fail("it does not answer to ONVIF in time; is that its own web port?")
        except zeep.exceptions.Fault as error:
            self._fail(self._fault_words(error))
        except zeep.exceptions.TransportError as error:
            refused = error.status_code in (401, 403)
            self._fail(self._login_words() if refused else f"it answers with HTTP {error.status_code}")
        except (aiohttp.ClientError, OSError) as error:
            self._fail(f"no connection to port {self._place.port} ({_short(error)})")
        except ONVIFError as error:
            self._fail(self._other_words(error))
        except Exception as error:  # a camera may answer anything; the others are still to be asked
            self._fail(f"its answer cannot be understood ({type(error).__name__})")
        return self._found

    def _fail(self, words: str) -> None:
        self._found = replace(self._found, trouble=words)

    async def _ask(self) -> None:
        """Ask with the camera's own time, since a login is refused where the clocks differ."""
        scheme = "https://" if self._place.is_tls else ""
        host = f"{scheme}{self._place.address}"
        user, password = (self._login.user, self._login.password) if self._login else ("", "")
        camera = ONVIFCamera(
            host, self._place.port, user, password, no_cache=True, adjust_time=True, nat_override=True
        )
        camera.rewrite_url = lambda url: self._here(url)  # the library would lose the scheme
        try:
            await self._update(camera)
            await self._streams(camera)
        finally:
            await camera.close()

    def _here(self, url: str | None) -> str | None:
        """Return where a service is, at the address that was asked; nobody else ever gets the login."""
        if not url:
            return url
        scheme = "https" if self._place.is_tls else "http"
        parts = urlsplit(url)
        host = f"[{self._place.address}]" if ":" in self._place.address else self._place.address
        query = f"?{parts.query}" if parts.query else ""
        return f"{scheme}://{host}:{self._place.port}{parts.path}{query}"

    async def _update(self, camera: ONVIFCamera) -> None:
        try:
            await camera.update_xaddrs()
        except (AttributeError, TypeError):  # a camera that does not tell the time in UTC
            camera.adjust_time = False
            await camera.update_xaddrs()
        finally:
            if camera.dt_diff is not None:
                self._found = replace(self._found, clock_off_s=camera.dt_diff.total_seconds())

    async def _streams(self, camera: ONVIFCamera) -> None:
        try:
            media = await camera.create_media_service()
        except ONVIFError as error:
            if "support service" not in str(error):
                raise
            self._fail("it has no media service: no camera, or one with ONVIF's profile T alone")
            return
        about = await (await camera.create_devicemgmt_service()).GetDeviceInformation()
        model = f"{about.Manufacturer or ''} {about.Model or ''}".strip()
        self._found = replace(self._found, model=model)
        profiles = [await _profile(media, each) for each in (await media.GetProfiles() or ())[:MOST_PROFILES]]
        self._found = replace(self._found, profiles=tuple(each for each in profiles if each))

    def _fault_words(self, error: zeep.exceptions.Fault) -> str:
        codes = " ".join(str(each) for each in (error.code, *(error.subcodes or ()), error.message))
        if any(word in codes.lower() for word in ("notauthorized", "failedauthentication", "not authorized")):
            return self._login_words()
        return f"it refuses the question ({_short(error)})"

    def _other_words(self, error: ONVIFError) -> str:
        cause = error.__cause__ or error
        return f"it does not answer as ONVIF does ({_short(cause)})"

    def _login_words(self) -> str:
        if self._login is None:
            return "it wants a user name and a password (--user)"
        off_s = self._found.clock_off_s
        clock = ""
        if off_s is not None and abs(off_s) >= CLOCK_OFF_S:
            side = "ahead" if off_s > 0 else "behind"
            clock = (
                f"; its clock is {abs(off_s):.0f} s {side}, and some cameras refuse even the right password "
                "for that: set it, best by NTP"
            )
        return f"it refuses the user name or the password; ONVIF may have users of its own there{clock}"


async def _profile(media: Any, about: Any) -> Profile | None:
    """Return one stream; None when the camera does not tell its address or its size."""
    encoder = about.VideoEncoderConfiguration
    if encoder is None or encoder.Resolution is None:
        return None
    setup = {"Stream": "RTP-Unicast", "Transport": {"Protocol": "RTSP"}}
    try:
        answer = await media.GetStreamUri({"StreamSetup": setup, "ProfileToken": about.token})
    except (zeep.exceptions.Fault, ONVIFError):
        return None
    rate = encoder.RateControl.FrameRateLimit if encoder.RateControl is not None else 0
    return Profile(
        name=str(about.Name or about.token),
        encoding=str(encoder.Encoding or ""),
        width=int(encoder.Resolution.Width),
        height=int(encoder.Resolution.Height),
        fps=float(rate or 0),
        uri=str(answer.Uri or ""),
    )


def _short(error: BaseException) -> str:
    return " ".join(str(error).split())[:120] or type(error).__name__
