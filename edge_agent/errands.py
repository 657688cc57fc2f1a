"""What the agent fetches and brings over HTTP: galleries, photos to embed, face crops. One thread."""

import base64
import logging
import threading
import time
from collections.abc import Callable, Mapping
from random import random
from types import MappingProxyType
from typing import Any

import numpy as np

from common.backoff import delay_s
from common.events import Command, CommandResult, Manifest
from edge_agent.adapters.central_api import CentralAPI, CentralError
from edge_agent.adapters.evidence import Evidence
from edge_agent.adapters.gallery_download import GalleryDownload
from edge_agent.adapters.gallery_file import GalleryError
from edge_agent.adapters.outbox import Outbox, OutboxError
from edge_agent.enrolment import WORDS, Enrolled, Refused, embed_portrait
from edge_agent.gallery_keeper import GalleryKeeper
from edge_agent.ports import FaceAnalyser

log = logging.getLogger("hadir.errands")

POLL_S = 600.0  # pushes are only hints: everything is asked for anyway
CROPS_EVERY_S = 5.0
RESTS = 3.0  # times as long as a photo took: the cameras come first
NOT_WANTED = (404, 409, 410)  # HTTP: no such photo, embedded already or by another agent, its file is gone


class Undone(Exception):
    """A command could not be obeyed; says why."""


class Errands:
    """The link hands over manifests and commands; nothing here ever blocks it."""

    def __init__(
        self,
        api: CentralAPI,
        keeper: GalleryKeeper,
        analyser: FaceAnalyser,
        outbox: Outbox,
        evidence: Evidence | None,
        report: Callable[[CommandResult], None],
        changed: Callable[[], None] = lambda: None,
        *,
        also_hear: Callable[[Manifest], None] = lambda _: None,
        more: Mapping[str, Callable[[Command, CentralAPI], str]] = MappingProxyType({}),
    ) -> None:
        """report: a command's result; changed: the gallery is another one now.

        also_hear: who else wants every manifest; more: further commands, each answers or raises Undone.
        """
        self._api, self._keeper, self._analyser = api, keeper, analyser
        self._outbox, self._evidence, self._report = outbox, evidence, report
        self._changed, self._also_hear, self._more = changed, also_hear, more
        self._ready = threading.Condition()
        self._commands: list[Command] = []
        self._stopping = self._all_due = self._nudged = self._has_photos = False
        self._rests_until = 0.0
        self._thread = threading.Thread(target=self._run, name="errands", daemon=True)
        self._last_words = ""

    def start(self) -> None:
        self._all_due = True
        self._thread.start()

    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def stop(self) -> None:
        with self._ready:
            self._stopping = True
            self._ready.notify()
        if self._thread.is_alive():
            self._thread.join(2)  # it may hang in a request; nothing is lost with it

    def hear(self, manifest: Manifest) -> None:
        self._also_hear(manifest)
        if self._keeper.hear(manifest):
            self._nudge()

    def do(self, command: Command) -> None:
        with self._ready:
            self._commands.append(command)
            self._ready.notify()

    def server_is_back(self) -> None:
        """Ask for everything again: commands may have been missed."""
        self._all_due = True
        self._nudge()

    def _nudge(self) -> None:
        with self._ready:
            self._nudged = True
            self._ready.notify()

    def _run(self) -> None:
        failures, polled_at = 0, 0.0
        while not self._stopping:
            if time.monotonic() - polled_at > POLL_S:
                self._all_due = True
            try:
                self._keep_house()
                if self._all_due or self._has_photos:
                    self._poll_all()
                    polled_at = time.monotonic()
                self._do_what_is_due()
                if self._last_words:
                    log.info("errands are done again")
                failures, self._last_words = 0, ""
            except (CentralError, GalleryError, OutboxError, OSError) as error:
                failures += 1
                self._complain(str(error))
                self._forget_if_revoked(error)
            except Exception:
                failures += 1
                log.exception("an errand failed unexpectedly")
            wait = 0.0 if self._has_photos else CROPS_EVERY_S
            wait = delay_s(failures, chance=random(), most_s=60) if failures else wait
            self._pause(wait, heeds_commands=not failures)

    def _forget_if_revoked(self, error: Exception) -> None:
        """A box that was sent away holds nobody's face: the lease would only end in some days."""
        if isinstance(error, CentralError) and error.revoked:
            self._keeper.forget_everybody("this agent was revoked")
            if self._evidence:
                self._evidence.forget_all()

    def _pause(self, wait_s: float, *, heeds_commands: bool) -> None:
        def is_called() -> bool:
            return self._stopping or self._nudged or bool(heeds_commands and self._commands)

        with self._ready:
            self._ready.wait_for(is_called, wait_s)
            self._nudged = False

    def _complain(self, words: str) -> None:
        level = logging.DEBUG if words == self._last_words else logging.WARNING
        self._last_words = words
        log.log(level, "%s; trying again", words.rstrip("."))

    def _keep_house(self) -> None:
        """Forget what may not be held any longer. First, and without the server: the box may be stolen."""
        self._keeper.enforce_lease()
        if self._evidence:
            self._evidence.expire()

    def _poll_all(self) -> None:
        """Poll. What becomes due while that lasts stays due, and all of it when it fails."""
        self._all_due = False
        try:
            self._poll()
        except Exception:
            self._all_due = True
            raise

    def _poll(self) -> None:
        self._ask_what_to_hold()
        self._has_photos = self._embed_some()
        if self._has_photos:
            self._ask_what_to_hold()  # the manifest now speaks of the new templates too

    def _do_what_is_due(self) -> None:
        with self._ready:
            commands, self._commands = self._commands, []
        for command in commands:
            self._catch_up()
            self._obey(command)
        self._catch_up()
        if self._evidence:
            self._evidence.send(self._outbox, self._api)

    def _ask_what_to_hold(self) -> None:
        self._hear(self._api.manifest(self._keeper.gen))
        self._catch_up()

    def _hear(self, manifest: Manifest) -> None:
        self._also_hear(manifest)
        self._keeper.hear(manifest, asked=True)

    def _catch_up(self) -> None:
        """Fetch what is due, before anything else: somebody may be in it who must be forgotten.

        Then tell the server by both roads that it is done.
        """
        if self._keeper.is_due():
            self._keeper.fetch(GalleryDownload(self._api, self._keeper.incoming))
            self._changed()
            self._hear(self._api.manifest(self._keeper.gen))

    def _obey(self, command: Command) -> None:
        ok, detail = True, ""
        try:
            match command.kind:
                case "enrol":
                    self._rest()
                    detail = self._embed_if_wanted(str(command.args.get("photo_id", "")))
                case "sync" | "purge" | "reload":
                    self._poll()
                case kind if kind in self._more:
                    detail = self._more[kind](command, self._api)
                case kind:
                    ok, detail = False, f"this agent does not know how to {kind}"
        except Undone as error:
            ok, detail = False, str(error)
        except CentralError as error:
            ok, detail = False, str(error)
            self._all_due = self._all_due or not error.permanent  # the poll does it later
        now = time.time_ns() // 1_000_000
        self._report(CommandResult(command_id=command.command_id, ok=ok, ts=now, detail=detail))

    def _embed_some(self) -> bool:
        """Embed the few photos that the server gives out at a time; True when there may be more of them.

        Something more urgent ends it early.
        """
        done = 0
        for photo in self._api.enrolments():
            if self._rest() and done:
                return True
            try:
                self._embed_if_wanted(photo.photo_id)
                done += 1
            except CentralError as error:
                if not error.permanent:
                    raise
                log.warning("photo %s: %s", photo.photo_id, error)
        return done > 0

    def _rest(self) -> bool:
        """Leave the models to the cameras for a while; True when something more urgent has come up."""

        def is_called() -> bool:
            return self._stopping or self._nudged or bool(self._commands)

        with self._ready:
            return self._ready.wait_for(is_called, max(0.0, self._rests_until - time.monotonic()))

    def _embed_if_wanted(self, photo_id: str) -> str:
        """Embed one photo; one that is done or gone already is fine too."""
        began = time.monotonic()
        try:
            return self._embed(photo_id)
        except CentralError as error:
            if error.status not in NOT_WANTED:
                raise
            return str(error)
        finally:
            self._rests_until = time.monotonic() + RESTS * (time.monotonic() - began)

    def _embed(self, photo_id: str) -> str:
        """Embed one photo and tell the server; return what came of it in words."""
        outcome = self._outcome(self._api.photo(photo_id))
        result: dict[str, Any] = {"model_id": self._analyser.model_id}
        if isinstance(outcome, Refused):
            words = outcome.words
            result |= {"accepted": False, "reason": outcome.reason}
        else:
            words = f"embedded, quality {outcome.quality:.2f}"
            vector = np.asarray(outcome.embedding, dtype="<f4").tobytes()
            result |= {
                "accepted": True,
                "embedding": base64.b64encode(vector).decode(),
                "quality": float(outcome.quality),
            }
        self._api.post_enrolment(photo_id, result)
        log.info("photo %s: %s", photo_id, words)
        return words

    def _outcome(self, photo: bytes) -> Enrolled | Refused:
        try:
            return embed_portrait(photo, self._analyser)
        except Exception:  # of whatever library: one photo must not keep the others from being embedded
            log.exception("a photo could not be embedded")
            return Refused("corrupt", WORDS["corrupt"])
