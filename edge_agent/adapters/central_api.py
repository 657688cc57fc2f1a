"""The server's HTTP endpoints for agents; its failures become CentralError, once, here."""

import json
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import requests

from common import topics, wire
from common.events import Ack, Manifest
from common.letters import Letter, bundle, unbundle
from edge_agent.adapters.identity_file import Identity
from edge_agent.adapters.trust import context_for, session_with

PIECE_BYTES = 1 << 13  # of a download: at most so much is lost when it breaks off
TIMEOUT_S = (5, 30)  # to connect, and between two bytes of the answer


class CentralError(Exception):
    """The server could not be asked, or said no. `permanent`: asking again would not help.

    `revoked`: the server says that this agent was revoked.
    """

    def __init__(
        self, words: str, *, permanent: bool = False, status: int | None = None, revoked: bool = False
    ) -> None:
        self.permanent, self.status, self.revoked = permanent, status, revoked
        super().__init__(words)


class BrokeOff(CentralError):
    """An answer ended before its end."""


@dataclass(frozen=True, slots=True)
class PendingPhoto:
    photo_id: str
    employee_id: str


class CentralAPI:
    """One agent's view of the server. Not for several threads at once."""

    def __init__(self, server_url: str, token: str = "", model_id: str = "", *, ca_pem: str = "") -> None:
        """model_id: what this agent recognises with; photos to embed are asked for by it.

        ca_pem: the server's own CA, which is then the only one that is trusted.
        """
        self.url = server_url.rstrip("/")
        self._http = session_with(context_for(ca_pem))
        if token:
            self._http.headers["Authorization"] = f"Bearer {token}"
        if model_id:
            self._http.headers[topics.MODEL_HEADER] = model_id

    @classmethod
    def of(cls, identity: Identity, model_id: str = "") -> "CentralAPI":
        """Return the server as it is known to an agent that has joined."""
        return cls(identity.server_url, identity.token, model_id, ca_pem=identity.server_ca_pem)

    def join(self, request: Mapping[str, Any]) -> dict[str, Any]:
        return self._json("POST", "join", body=request)

    def knock(self, request: Mapping[str, Any]) -> dict[str, Any]:
        return self._json("POST", "knock", body=request)

    def knock_state(self, request_id: str) -> str:
        """Return open, approved, refused or expired."""
        return str(self._json("POST", "knock/state", body={"request_id": request_id}).get("state"))

    def claim(self, request: Mapping[str, Any]) -> dict[str, Any]:
        return self._json("POST", "knock/claim", body=request)

    def manifest(self, held: int | None = None) -> Manifest:
        """Return what is to be held now; held: the gallery's generation that is, for the server to know."""
        params = None if held is None else {"held": str(held)}
        return self._read(Manifest, self._ask("GET", "manifest", params=params).content)

    def download(self, path: str, params: Mapping[str, str], headers: Mapping[str, str]) -> requests.Response:
        """Return an answer of status 200, 206, 304 or 416, its body still to be read, as it was sent.

        Use it as a context, and read it with `pieces`.
        """
        headers = {**headers, "Accept-Encoding": "identity"}
        return self._ask("GET", path, params=params, headers=headers, fine=(200, 206, 304, 416), stream=True)

    def enrolments(self) -> list[PendingPhoto]:
        body = self._json("GET", "enrolments")
        try:
            return [PendingPhoto(str(each["photo_id"]), str(each["employee_id"])) for each in body["photos"]]
        except (KeyError, TypeError) as error:
            raise CentralError(f"the server's list of photos cannot be read: {error!r}") from error

    def photo(self, photo_id: str) -> bytes:
        return self._ask("GET", f"enrolments/{photo_id}/photo").content

    def post_enrolment(self, photo_id: str, result: Mapping[str, Any]) -> None:
        self._ask("POST", f"enrolments/{photo_id}/result", data=json.dumps(result).encode())

    def post_events(self, envelope: bytes) -> Ack:
        """Bring an encoded Envelope by the other road than MQTT."""
        return self._read(Ack, self._ask("POST", "events", data=envelope).content)

    def post_messages(self, letters: Sequence[Letter]) -> list[Letter]:
        """Bring messages by the other road than MQTT; return what MQTT would have brought down."""
        answer = self._ask("POST", "messages", data=bundle(letters)).content
        try:
            return unbundle(answer)
        except wire.MalformedMessage as error:
            raise CentralError(f"{self.url} did not answer as a Hadir server does: {error}") from error

    def renew_account(self, password: str) -> dict[str, Any]:
        """Open this agent's account at the broker with that password; the answer says where the broker is."""
        return self._json("PUT", "broker-account", body={"password": password})

    def configuration(self) -> bytes:
        """Return the newest configuration that the dashboard has for this agent, as it is signed for."""
        return self._ask("GET", "config").content

    def put_still(self, camera_id: str, jpeg: bytes) -> None:
        self._ask("PUT", f"stills/{camera_id}", data=jpeg, mime="image/jpeg")

    def put_snapshot(self, event_id: str, jpeg: bytes) -> None:
        self._ask("PUT", f"snapshots/{event_id}", data=jpeg, mime="image/jpeg")

    def _json(self, method: str, path: str, *, body: Any = None, **more: Any) -> dict[str, Any]:
        data = None if body is None else json.dumps(body).encode()
        reply = self._ask(method, path, data=data, **more)
        try:
            answer = reply.json()
        except ValueError as error:
            raise CentralError(f"{self.url} did not answer as a Hadir server does") from error
        if not isinstance(answer, dict):
            raise CentralError(f"{self.url} did not answer as a Hadir server does")
        return answer

    def _read(self, kind: type, payload: bytes) -> Any:
        try:
            return wire.decode(kind, payload)
        except wire.MalformedMessage as error:
            raise CentralError(f"{self.url} did not answer as a Hadir server does: {error}") from error

    def _ask(
        self, method: str, path: str, *, data: bytes | None = None, params: Mapping[str, str] | None = None,
        mime: str = "application/json", headers: Mapping[str, str] | None = None,
        fine: Container[int] = (200,), stream: bool = False,
    ) -> requests.Response:  # fmt: skip
        headers = {**(headers or {}), **({} if data is None else {"Content-Type": mime})}
        try:
            reply = self._http.request(
                method, f"{self.url}/agent/v1/{path}", data=data, params=params, headers=headers,
                timeout=TIMEOUT_S, allow_redirects=False, stream=stream,
            )  # fmt: skip
        except requests.exceptions.SSLError as error:
            raise CentralError(f"{self.url}: the server's certificate is not trusted ({error})") from error
        except requests.RequestException as error:
            raise CentralError(f"{self.url} is not reachable ({_cause(error)})") from error
        if reply.status_code not in fine:
            with reply:
                raise _refusal(self.url, reply)
        return reply


def pieces(reply: requests.Response) -> Iterator[bytes]:
    """Return a download's body, piece by piece. Raises BrokeOff."""
    try:
        yield from reply.iter_content(PIECE_BYTES)
    except requests.RequestException as error:
        raise BrokeOff(f"the download broke off ({_cause(error)})") from error


def _cause(error: BaseException) -> str:
    """Return the innermost reason, which is the one that a technician can act on."""
    while inner := error.__cause__ or error.__context__:
        error = inner
    return str(error) or type(error).__name__


def _refusal(url: str, reply: requests.Response) -> CentralError:
    revoked = False
    try:
        body = reply.json()
        words, revoked = str(body["error"]), reply.status_code == 401 and body.get("revoked") is True
    except (ValueError, KeyError, TypeError):
        words = f"{url} answered {reply.status_code}"
    busy = reply.status_code in (408, 425, 429) or reply.status_code >= 500
    return CentralError(words, permanent=not busy, status=reply.status_code, revoked=revoked)
