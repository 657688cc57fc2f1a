"""Which gallery this agent searches: what the server's signed manifest says, never an older one."""

import logging
import threading
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from common.events import Manifest
from common.signing import is_genuine
from edge_agent.adapters.central_api import CentralError
from edge_agent.adapters.gallery_download import TemplatePage
from edge_agent.adapters.gallery_file import (
    Change,
    GalleryDamaged,
    GalleryError,
    GalleryFile,
    HeldGallery,
    checked,
)
from edge_agent.adapters.manifest_file import Heard, ManifestFile
from edge_agent.adapters.uptime import clocks
from edge_agent.core.gallery import Gallery, Template
from edge_agent.core.lease import Lease, Reading, lent_at, lent_now

log = logging.getLogger("hadir.gallery")

DEFAULT_LEASE_S = 7 * 86_400  # until a manifest says otherwise
SAVE_EVERY_S = 600.0  # of what is over of the lease: so much a power cut can give back
TOO_OLD = 410  # HTTP: the server's log does not go back to what is held


class TemplateSource(Protocol):
    """Where galleries come from: edge_agent.adapters.gallery_download."""

    def templates(self, since: int, model_id: str) -> TemplatePage: ...

    def discard(self) -> None:
        """Erase whatever was fetched: it is in use now, or of no use."""


def is_newer(manifest: Manifest, than: Manifest | None) -> bool:
    """Tell whether manifest supersedes the one heard before; a broker may repeat an old one after a crash."""
    if than is None:
        return True
    return (manifest.gallery_gen, manifest.issued) > (than.gallery_gen, than.issued)


class GalleryKeeper:
    """`current()` is for the camera threads; `hear` for the link; the rest for the errands thread."""

    def __init__(
        self,
        file: GalleryFile,
        manifest_key: str,
        model_id: str,
        dimension: int,
        anchors: Callable[[], Iterable[Template]] = tuple,
        clocks: Callable[[], Reading] = clocks,
    ) -> None:
        """anchors: the faces to ignore; asked for now and whenever the gallery changes."""
        self._file, self._key = file, bytes.fromhex(manifest_key)
        self._model_id, self._dimension, self._anchors = model_id, dimension, anchors
        self._clocks, self._lock = clocks, threading.Lock()
        self._memory = ManifestFile(file.path.with_name("manifest.json"), self._key)
        if self._memory.is_of_another():
            log.warning("this box has joined anew: what it held before is erased")
            file.wipe()
        self._heard, self._saved = self._memory.load(), Heard()
        self._held = self._anchored(self._load())

    def _load(self) -> HeldGallery:
        try:
            return self._file.load(self._model_id, self._dimension)
        except GalleryError as error:
            log.error("%s; everybody is fetched anew", error)
            self._file.wipe()
            return HeldGallery.empty(self._model_id)

    def _anchored(self, held: HeldGallery) -> HeldGallery:
        return replace(held, gallery=held.gallery.with_anchors(self._anchors()))

    def current(self) -> Gallery:
        return self._held.gallery

    @property
    def gen(self) -> int:
        return self._held.gen

    @property
    def incoming(self) -> Path:
        """The folder for what is being downloaded."""
        return self._file.incoming

    @property
    def leased_out(self) -> bool:
        """Whether everybody was forgotten because the server was silent, and has not come back since."""
        return self._heard.leased_out

    @property
    def lease_left_s(self) -> float | None:
        """The seconds for which the gallery may still be kept; None when there is nobody in it."""
        return self._lease().left_s(self._clocks()) if self._held.owners else None

    def hear(self, manifest: Manifest, *, asked: bool = False) -> bool:
        """Take note of a manifest; True when the gallery is to be fetched.

        asked: the server has just answered with it, so it is fresh whatever the clocks say. One that a broker
        kept for us counts from when it was issued, and only if it is newer than any that was heard.
        """
        if not is_genuine(manifest, self._key):
            log.warning("a manifest that this server did not sign is ignored")
            return False
        with self._lock:
            if not self._accepts(manifest, asked=asked):
                return False
            now, lease_s = self._clocks(), float(manifest.lease_s)
            lease = lent_now(lease_s, now) if asked else lent_at(lease_s, manifest.issued / 1000, now)
            self._heard = replace(self._heard, manifest=manifest, lease=lease or self._heard.lease)
        return self._lacks(manifest)

    def _accepts(self, manifest: Manifest, *, asked: bool) -> bool:
        if not asked:
            return is_newer(manifest, self._heard.manifest)
        if manifest.gallery_gen < self._held.gen:
            log.warning("the server has gallery %d, older than what is held", manifest.gallery_gen)
            return False
        return True

    def is_due(self) -> bool:
        """Tell whether the newest manifest asks for something else than what is held."""
        newest = self._heard.manifest
        return newest is not None and self._lacks(newest)

    def _lacks(self, manifest: Manifest) -> bool:
        """Tell whether there is anything to fetch; the generation also counts, as the digest covers only who
        is enrolled under which number.
        """
        return manifest.gallery_sha256 != self._held.sha256 or manifest.gallery_gen > self._held.gen

    def fetch(self, source: TemplateSource) -> None:
        """Bring the gallery up to date. Raises CentralError or GalleryError; what is held stays then."""
        page = self._asked_for(source)
        try:
            change = self._checked(page)
        except GalleryError:
            source.discard()
            if page.full:
                raise
            log.info("the change does not fit what is held; everybody is fetched anew")
            change = self._checked(source.templates(0, self._model_id))
        try:
            self._use(change)
        except GalleryDamaged as error:
            log.error("%s; everybody is fetched anew", error)
            self._file.wipe()
            self._use(self._checked(source.templates(0, self._model_id)))
        source.discard()

    def _asked_for(self, source: TemplateSource) -> TemplatePage:
        try:
            return source.templates(self._held.gen, self._model_id)
        except CentralError as error:
            if error.status != TOO_OLD:
                raise
            log.info("too much has changed since generation %d: everybody is fetched", self._held.gen)
            return source.templates(0, self._model_id)

    def _checked(self, page: TemplatePage) -> Change:
        return checked(self._held, page, self._dimension)

    def _use(self, change: Change) -> None:
        self._file.save(change, self._held)  # first: in memory, who is gone cannot be brought back
        is_new, held = change.sha256 != self._held.sha256, self._held.after(change)
        self._held = held
        if is_new:
            held = self._anchored(held)
            people = len(set(held.owners.values()))
            log.info("gallery %d: %d templates of %d people", held.gen, len(held.owners), people)
        self._held = held
        with self._lock:
            lease = lent_now(self._lease().lease_s, self._clocks())
            self._heard = replace(self._heard, lease=lease, leased_out=False)

    # -- the lease -------------------------------------------------------------------------------------------

    def enforce_lease(self) -> None:
        """Forget everybody when the server was silent for too long: this box may have been stolen.

        What is over of the lease is written down, so that a restart does not begin it anew.
        """
        with self._lock:
            now = self._clocks()
            lease = self._lease().now(now)
            has_ended = lease.spent_s >= lease.lease_s
            if has_ended and (self._held.owners or self._file.has_downloads()):
                self._wipe(f"no word from the server for {lease.lease_s // 86_400} days")
            self._heard = replace(self._heard, lease=lease)
            self._save()

    def _lease(self) -> Lease:
        """Return the lease that runs; without a word from the server, that of when the file was changed."""
        if self._heard.lease is not None:
            return self._heard.lease
        changed = self._file.changed_at()
        now = self._clocks()
        return Lease(DEFAULT_LEASE_S, 0.0, now if changed is None else Reading(changed, 0.0, ""))

    def forget_everybody(self, why: str) -> None:
        """Wipe the gallery now, if there is one."""
        with self._lock:
            if self._held.owners or self._file.has_downloads():
                self._wipe(why)
                self._save()

    def _wipe(self, why: str) -> None:
        log.error("%s: the gallery is wiped", why)
        self._file.wipe()
        self._held.gallery.without(self._held.owners, gen=0)  # overwritten, whoever still searches it
        self._held = self._anchored(HeldGallery.empty(self._model_id))
        self._heard = replace(self._heard, leased_out=True)

    def _save(self) -> None:
        """Write down what was heard, at once when it changed and else now and then: disks wear out."""
        before, heard = self._saved, self._heard
        if _gist(heard) == _gist(before) and before.lease and heard.lease:
            was, now = before.lease.at, heard.lease.at
            if was.boot_id == now.boot_id and 0 <= now.up_s - was.up_s < SAVE_EVERY_S:
                return
        try:
            self._memory.save(heard)
        except OSError as error:  # nothing that must be forgotten may wait for it
            log.warning("the lease cannot be written down (%s)", error.strerror)
        self._saved = heard


def _gist(heard: Heard) -> tuple[object, ...]:
    """Return what matters of it; a manifest that says the same as the one before is no news."""
    newest, lent_s = heard.manifest, heard.lease and heard.lease.lease_s
    said = newest and (newest.gallery_gen, newest.gallery_sha256, newest.config_gen, newest.lease_s)
    return said, lent_s, heard.leased_out
