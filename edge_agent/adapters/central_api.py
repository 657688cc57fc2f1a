"""The server's HTTP endpoints for agents; its failures become CentralError, once, here."""

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import requests

from common import topics, wire
from common.events import Ack, Manifest
from common.letters import Letter, bundle, unbundle
from edge_agent.adapters.identity_file import Identity
from edge_agent.adapters.trust import context_for, session_with

TIMEOUT_S = (5, 30)  # to connect, and between two bytes of the answer


class CentralError(Exception):
    """The server could not be asked, or said no. `permanent`: asking again would not help."""

    def __init__(self, words: str, *, permanent: bool = False, status: int | None = None) -> None:
        self.permanent, self.status = permanent, status
        super().__init__(words)


@dataclass(frozen=True, slots=True)
class PendingPhoto:
    photo_id: str
    employee_id: str


@dataclass(frozen=True, slots=True)
class TemplatePage:
    """An answer to `templates`: everything (full) or what changed since the asked generation."""

    gen: int
    model_id: str
    sha256: str
    full: bool
    add: tuple[tuple[int, str, bytes], ...]  # template id, employee id, float32 little-endian
    remove: tuple[int, ...]


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

    def manifest(self) -> Manifest:
        return self._read(Manifest, self._ask("GET", "manifest").content)

    def templates(self, since: int, model_id: str) -> TemplatePage:
        """Return the agent's people after generation `since`; 0 asks for everybody."""
        body = self._json("GET", "templates", params={"since": str(since), "model": model_id})
        try:
            add = tuple(
                (int(each["template_id"]), str(each["employee_id"]), base64.b64decode(each["embedding"]))
                for each in body["add"]
            )
            return TemplatePage(
                gen=int(body["gen"]),
                model_id=str(body["model_id"]),
                sha256=str(body["sha256"]),
                full=bool(body["full"]),
                add=add,
                remove=tuple(int(each) for each in body["remove"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise CentralError(f"the server's templates cannot be read: {error!r}") from error

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
        mime: str = "application/json",
    ) -> requests.Response:  # fmt: skip
        headers = {} if data is None else {"Content-Type": mime}
        try:
            reply = self._http.request(
                method, f"{self.url}/agent/v1/{path}", data=data, params=params, headers=headers,
                timeout=TIMEOUT_S, allow_redirects=False,
            )  # fmt: skip
        except requests.exceptions.SSLError as error:
            raise CentralError(f"{self.url}: the server's certificate is not trusted ({error})") from error
        except requests.RequestException as error:
            raise CentralError(f"{self.url} is not reachable ({_cause(error)})") from error
        if reply.status_code != 200:
            raise _refusal(self.url, reply)
        return reply


def _cause(error: BaseException) -> str:
    """Return the innermost reason, which is the one that a technician can act on."""
    while inner := error.__cause__ or error.__context__:
        error = inner
    return str(error) or type(error).__name__


def _refusal(url: str, reply: requests.Response) -> CentralError:
    try:
        words = str(reply.json()["error"])
    except (ValueError, KeyError, TypeError):
        words = f"{url} answered {reply.status_code}"
    busy = reply.status_code in (408, 425, 429) or reply.status_code >= 500
    return CentralError(words, permanent=not busy, status=reply.status_code)
