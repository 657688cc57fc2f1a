"""Which gallery this agent searches: what the server's signed manifest says, never an older one."""

import logging
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from common.events import Manifest
from common.signing import is_genuine
from edge_agent.adapters.central_api import CentralAPI, TemplatePage
from edge_agent.adapters.gallery_file import (
    Change,
    GalleryDamaged,
    GalleryError,
    GalleryFile,
    HeldGallery,
    checked,
)
from edge_agent.core.gallery import Gallery, Template

log = logging.getLogger("hadir.gallery")

DEFAULT_LEASE_S = 7 * 86_400  # until a manifest says otherwise


@dataclass(frozen=True, slots=True)
class Heard:
    """The newest genuine manifest, and when it was heard (epoch seconds by our clock)."""

    manifest: Manifest
    at_s: float


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
    ) -> None:
        """anchors: the faces to ignore; asked for now and whenever the gallery changes."""
        self._file, self._key = file, bytes.fromhex(manifest_key)
        self._model_id, self._dimension, self._anchors = model_id, dimension, anchors
        self._lock = threading.Lock()
        self._heard: Heard | None = None
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

    def hear(self, manifest: Manifest) -> bool:
        """Take note of a manifest; True when the gallery is to be fetched."""
        if not is_genuine(manifest, self._key):
            log.warning("a manifest that this server did not sign is ignored")
            return False
        with self._lock:
            if not is_newer(manifest, self._heard.manifest if self._heard else None):
                return False
            self._heard = Heard(manifest, time.time())
        self._file.touch()
        return self._lacks(manifest)

    def is_due(self) -> bool:
        """Tell whether the newest manifest asks for something else than what is held."""
        heard = self._heard
        return heard is not None and self._lacks(heard.manifest)

    def _lacks(self, manifest: Manifest) -> bool:
        """Tell whether there is anything to fetch; the generation also counts, as the digest covers only who
        is enrolled under which number.
        """
        return manifest.gallery_sha256 != self._held.sha256 or manifest.gallery_gen > self._held.gen

    def fetch(self, api: CentralAPI) -> None:
        """Bring the gallery up to date. Raises CentralError or GalleryError; what is held stays then."""
        page = api.templates(self._held.gen, self._model_id)
        try:
            change = self._checked(page)
        except GalleryError:
            if page.full:
                raise
            log.info("the change does not fit what is held; everybody is fetched anew")
            change = self._checked(api.templates(0, self._model_id))
        try:
            self._use(change)
        except GalleryDamaged as error:
            log.error("%s; everybody is fetched anew", error)
            self._file.wipe()
            self._use(self._checked(api.templates(0, self._model_id)))

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

    def enforce_lease(self) -> None:
        """Forget everybody when the server was silent for too long: this box may have been stolen."""
        heard = self._heard
        last_s = heard.at_s if heard else self._file.touched_at()
        lease_s = heard.manifest.lease_s if heard else DEFAULT_LEASE_S
        if self._held.owners and last_s is not None and time.time() - last_s > lease_s:
            log.error("no word from the server for %d days: the gallery is wiped", lease_s // 86_400)
            self._file.wipe()
            self._held.gallery.without(self._held.owners, gen=0)  # overwritten, whoever still searches it
            self._held = self._anchored(HeldGallery.empty(self._model_id))
