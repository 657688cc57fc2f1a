"""What the agent fetches and brings over HTTP: galleries, photos to embed, face crops. One thread."""

import base64
import logging
import threading
import time
from collections.abc import Callable
from random import random
from typing import Any

import numpy as np

from common.backoff import delay_s
from common.events import Command, CommandResult, Manifest
from edge_agent.adapters.central_api import CentralAPI, CentralError
from edge_agent.adapters.evidence import Evidence
from edge_agent.adapters.gallery_file import GalleryError
from edge_agent.adapters.outbox import Outbox, OutboxError
from edge_agent.enrolment import Refused, embed_portrait
from edge_agent.gallery_keeper import GalleryKeeper
from edge_agent.ports import FaceAnalyser

log = logging.getLogger("hadir.errands")

POLL_S = 600.0  # pushes are only hints: everything is asked for anyway
CROPS_EVERY_S = 5.0


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
    ) -> None:
        self._api, self._keeper, self._analyser = api, keeper, analyser
        self._outbox, self._evidence, self._report = outbox, evidence, report
        self._ready = threading.Condition()
        self._commands: list[Command] = []
        self._stopping = self._all_due = self._nudged = False
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
                if self._all_due:
                    self._poll()
                    polled_at, self._all_due = time.monotonic(), False
                self._do_what_is_due()
                if self._last_words:
                    log.info("errands are done again")
                failures, self._last_words = 0, ""
            except (CentralError, GalleryError, OutboxError, OSError) as error:
                failures += 1
                self._complain(str(error))
            except Exception:
                failures += 1
                log.exception("an errand failed unexpectedly")
            wait = delay_s(failures, chance=random(), most_s=60) if failures else CROPS_EVERY_S
            self._pause(wait, heeds_commands=not failures)

    def _pause(self, wait_s: float, *, heeds_commands: bool) -> None:
        def is_called() -> bool:
            return self._stopping or self._nudged or bool(heeds_commands and self._commands)

        with self._ready:
            self._ready.wait_for(is_called, wait_s)
            self._nudged = False

    def _complain(self, words: str) -> None:
        level = logging.DEBUG if words == self._last_words else logging.WARNING
        self._last_words = words
        log.log(level, "%s; trying again", words)

    def _keep_house(self) -> None:
        """Forget what may not be held any longer. First, and without the server: the box may be stolen."""
        self._keeper.enforce_lease()
        if self._evidence:
            self._evidence.expire()

    def _poll(self) -> None:
        self._embed_pending()
        self._keeper.hear(self._api.manifest())  # after that: it then speaks of the new templates too

    def _do_what_is_due(self) -> None:
        with self._ready:
            commands, self._commands = self._commands, []
        for command in commands:
            self._obey(command)
        if self._keeper.is_due():
            self._keeper.fetch(self._api)
        if self._evidence:
            self._evidence.send(self._outbox, self._api)

    def _obey(self, command: Command) -> None:
        ok, detail = True, ""
        try:
            match command.kind:
                case "enrol":
                    detail = self._embed(str(command.args.get("photo_id", "")))
                case "sync" | "purge":
                    self._poll()
                case kind:
                    ok, detail = False, f"this agent does not know how to {kind}"
        except CentralError as error:
            ok, detail = False, str(error)
            self._all_due = self._all_due or not error.permanent  # the poll does it later
        now = time.time_ns() // 1_000_000
        self._report(CommandResult(command_id=command.command_id, ok=ok, ts=now, detail=detail))

    def _embed_pending(self) -> None:
        for photo in self._api.enrolments():
            try:
                self._embed(photo.photo_id)
            except CentralError as error:
                if not error.permanent:
                    raise
                log.warning("photo %s: %s", photo.photo_id, error)

    def _embed(self, photo_id: str) -> str:
        """Embed one photo and tell the server; return what came of it in words."""
        outcome = embed_portrait(self._api.photo(photo_id), self._analyser)
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
