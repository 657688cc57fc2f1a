"""The configuration from the dashboard: fetched when the manifest says so, tried, kept or rolled back.

A thread of its own: a request that hangs must not keep the agent from rolling back in time.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from random import random
from typing import Protocol

from common.backoff import delay_s
from common.events import ConfigError, ConfigOrigin, Manifest
from common.logs import also_hide
from common.signing import is_genuine
from edge_agent.adapters.central_api import CentralError
from edge_agent.adapters.config_file import ConfigFile
from edge_agent.config import EdgeConfig, secrets_of
from edge_agent.core.config_change import (
    BOOT_PATIENCE_S,
    PATIENCE_S,
    SETTLED_SHARE,
    Document,
    Held,
    Look,
    Outcome,
    Stage,
    Trial,
    is_wanted,
    judged,
    proved,
    refused,
    rolled_back,
    started,
    still_blind,
    tried,
)
from edge_agent.wanted_config import Plan, local_plan, origin_of, plan_in_force, read_document

log = logging.getLogger("hadir.config")

TURN_S = 1.0
MOST_ERRORS = 100  # of one birth message
NO_SAY = ConfigError(key="remote", words="the box's own file says that the dashboard has no say (remote: no)")


class Server(Protocol):
    """What is asked of the server; central_api answers."""

    def configuration(self) -> bytes: ...

    def manifest(self) -> Manifest: ...


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds until a trial is over: in a running agent, and after a start."""

    running_s: float = PATIENCE_S
    booting_s: float = BOOT_PATIENCE_S


PATIENCE = Patience()


@dataclass(frozen=True, slots=True)
class Hooks:
    """What a change does to the agent."""

    apply: Callable[[Plan], None]
    check: Callable[[Plan], ConfigError | None]  # what only the agent can tell, before it is applied
    looks: Callable[[], Mapping[str, Look]]
    tell: Callable[[], None]  # the server shall hear how it stands


@dataclass(frozen=True, slots=True)
class Standing:
    """How it stands, for the birth message."""

    gen: int
    wanted: int
    origin: ConfigOrigin
    stage: Stage
    errors: tuple[ConfigError, ...]


class ConfigKeeper:
    """`plan` is what to run from the start; `hear` is for any thread, `standing` too."""

    def __init__(
        self, file: ConfigFile, local: EdgeConfig, manifest_key: str, server: Server, patience: Patience
    ) -> None:
        self._file, self._local, self._key = file, local, bytes.fromhex(manifest_key)
        self._server, self._patience = server, patience
        self._held = self._begin()
        self.plan, self._lacking = plan_in_force(self._held, local)
        also_hide(secrets_of(self.plan.cameras))
        self._hooks: Hooks | None = None
        self._trial: Trial | None = None
        self._wanted: Manifest | None = None
        self._unheeded = 0  # the newest generation that was announced to a box whose file says no
        self._ready = threading.Condition()
        self._began_s = 0.0
        self._stopping, self._failures, self._not_before_s, self._last_words = False, 0, 0.0, ""
        self._thread = threading.Thread(target=self._run, name="configuration", daemon=True)

    def _begin(self) -> Held:
        held = self._file.load() if self._local.remote else Held()
        counted = started(held)
        if counted != held:
            if counted.stage is Stage.ROLLED_BACK:
                log.error("generation %d is rolled back: %s", held.tried, counted.errors[0].words)
            try:
                self._save(counted)
            except OSError as error:  # a full disk must not keep the cameras from being watched
                log.error("the start of a trial cannot be counted (%s)", error)
        return counted

    @property
    def known_cameras(self) -> set[str]:
        """The ids of all cameras that this box has to do with, in force or not."""
        documents = (each for each in (self._held.newest, self._held.good) if each is not None)
        plans = [local_plan(self._local), *(read_document(each, self._local).plan for each in documents)]
        return {camera.camera_id for plan in plans for camera in plan.cameras}

    def standing(self) -> Standing:
        held, force = self._held, self._held.in_force
        errors = (*held.errors, *self._lacking, *((NO_SAY,) if self._unheeded else ()))
        return Standing(
            gen=force.gen if force else 0,
            wanted=max(held.tried, self._unheeded),
            origin=origin_of(held, self.plan, self._local),
            stage=held.stage,
            errors=errors[:MOST_ERRORS],
        )

    # -- the thread ------------------------------------------------------------------------------------------

    def start(self, hooks: Hooks) -> None:
        """Begin; the cameras of `plan` are running."""
        self._hooks, self._began_s = hooks, time.monotonic()
        if self._held.stage is Stage.TRYING:
            self._trial = Trial(time.monotonic(), self._patience.booting_s, frozenset(self._held.worked))
        self._thread.start()

    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def stop(self) -> None:
        with self._ready:
            self._stopping = True
            self._ready.notify()
        if self._thread.is_alive():
            self._thread.join(2)  # it may hang in a request, or in stopping a camera; both can be broken off

    def hear(self, manifest: Manifest) -> None:
        """Take note of a manifest; what it asks for is fetched soon. Blocks nobody."""
        if manifest.config_gen <= 0 or not is_genuine(manifest, self._key):
            return
        if not self._local.remote:
            if manifest.config_gen > self._unheeded:
                self._unheeded = manifest.config_gen
                log.warning("the dashboard wants other settings; the file says remote: no")
                if self._hooks:
                    self._hooks.tell()
            return
        with self._ready:
            newest = self._wanted.config_gen if self._wanted else 0
            if is_wanted(manifest.config_gen, self._held) and manifest.config_gen >= newest:
                self._wanted, self._not_before_s = manifest, 0.0
                self._ready.notify()

    def _run(self) -> None:
        while not self._stopping:
            try:
                if self._wanted and self._is_time():
                    self._fetch(self._wanted)
                    self._failures, self._last_words = 0, ""
                self._judge()
            except (CentralError, OSError) as error:
                self._failed(str(error))
            except Exception:
                log.exception("the configuration could not be seen to")
                self._failed("the configuration could not be seen to")
            with self._ready:
                if not self._stopping:
                    self._ready.wait(TURN_S)

    def _is_time(self) -> bool:
        """Tell whether a change may begin: not just after a start, when no camera has a picture yet.

        A camera that is broken by the change would else not be known to have worked before it.
        """
        assert self._hooks
        now = time.monotonic()
        is_up = all(look.has_picture for look in self._hooks.looks().values())
        settled_s = self._began_s + self._patience.running_s * SETTLED_SHARE
        return now >= self._not_before_s and (is_up or now >= settled_s)

    def _failed(self, words: str) -> None:
        self._failures += 1
        self._not_before_s = time.monotonic() + delay_s(self._failures, chance=random(), most_s=60)
        level = logging.DEBUG if words == self._last_words else logging.WARNING
        self._last_words = words
        log.log(level, "%s; trying again", words.rstrip("."))

    def _fetch(self, wanted: Manifest) -> None:
        content = self._server.configuration()
        if sha256(content).hexdigest() != wanted.config_sha256:
            newest = self._server.manifest()  # it may have changed between the two
            is_newer = is_genuine(newest, self._key) and newest.config_gen >= wanted.config_gen
            if not is_newer or sha256(content).hexdigest() != newest.config_sha256:
                raise CentralError("the configuration is not the one that the server signed for")
            wanted = newest
        self._begin_trial(Document(gen=wanted.config_gen, text=content.decode()))
        with self._ready:
            if self._wanted and not is_wanted(self._wanted.config_gen, self._held):
                self._wanted = None

    def _begin_trial(self, document: Document) -> None:
        assert self._hooks
        reading = read_document(document, self._local)
        errors = list(reading.errors)
        if not errors and (unfit := self._hooks.check(reading.plan)):
            errors.append(unfit)
        if errors:
            for each in errors:
                log.error("generation %d is refused: %s: %s", document.gen, each.key, each.words)
            self._now(refused(self._held, document.gen, tuple(errors)))
            return
        worked = [name for name, look in self._hooks.looks().items() if look.has_picture]
        held = tried(self._held, document, worked, reading.notices)
        self._save(held)  # first: a power cut from here on finds it on the disk
        self._lacking = ()
        log.info("generation %d: %d cameras, on trial", document.gen, len(reading.plan.cameras))
        self._trial = Trial(time.monotonic(), self._patience.running_s, frozenset(held.worked))
        self._put_in_force(held, reading.plan)

    def _put_in_force(self, held: Held, plan: Plan) -> None:
        assert self._hooks
        also_hide(secrets_of(plan.cameras))
        self._held, self.plan = held, plan
        self._hooks.apply(plan)
        self._hooks.tell()

    def _judge(self) -> None:
        assert self._hooks
        if self._trial is None:
            if self._held.stage is Stage.GOOD and self._held.errors:
                self._notice_recovery(self._hooks.looks())
            return
        judgement = judged(self._trial, self._hooks.looks(), time.monotonic())
        match judgement.outcome:
            case Outcome.GOOD:
                self._trial = None
                log.info("generation %d is good", self.standing().gen)
                self._now(proved(self._held, judgement.errors))
            case Outcome.ROLL_BACK:
                self._trial = None
                words = "; ".join(f"{each.key}: {each.words}" for each in judgement.errors)
                log.error("generation %d is rolled back: %s", self.standing().gen, words)
                self._roll_back(judgement.errors)

    def _roll_back(self, errors: tuple[ConfigError, ...]) -> None:
        held = rolled_back(self._held, errors)
        plan, self._lacking = plan_in_force(held, self._local)
        try:
            self._save(held)
        except OSError as error:  # pictures are worth more; at the next start it would be tried again
            log.error("the roll-back cannot be kept (%s)", error)
        self._put_in_force(held, plan)

    def _notice_recovery(self, looks: Mapping[str, Look]) -> None:
        """Take back the error of a camera that has its picture after all; not the reason of a roll-back."""
        left = still_blind(self._held.errors, looks)
        if left != self._held.errors:
            self._now(replace(self._held, errors=left))

    def _now(self, held: Held) -> None:
        self._save(held)
        self._held = held
        if self._hooks:
            self._hooks.tell()

    def _save(self, held: Held) -> None:
        self._file.save(held)
