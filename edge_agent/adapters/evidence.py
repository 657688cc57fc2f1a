"""Face crops that go with events: kept as JPEG until the server has them, or until they expire."""

import logging
import secrets
import time
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from edge_agent.adapters.central_api import CentralAPI, CentralError
from edge_agent.adapters.identity_file import write_private
from edge_agent.adapters.outbox import Outbox

log = logging.getLogger("hadir.evidence")

LONGEST_SIDE_PX = 240
QUALITY = 85


@dataclass(slots=True)
class Evidence:
    """The crops in one folder. `days` is how long a crop that the server never took is kept."""

    folder: Path
    days: float = 30
    _last_words: str = field(default="", init=False, repr=False)  # of why crops cannot be kept

    def keep(self, crop: np.ndarray) -> str | None:
        """Store a BGR crop; return its name, or None when it cannot be stored (an event is worth more)."""
        side = max(crop.shape[:2])
        if side > LONGEST_SIDE_PX:
            scale = LONGEST_SIDE_PX / side
            crop = cv2.resize(crop, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        encoded, jpeg = cv2.imencode(".jpg", crop, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
        name = f"{secrets.token_hex(12)}.jpg"
        try:
            if encoded:
                write_private(self.folder / name, jpeg.tobytes())
        except OSError as error:
            level = logging.DEBUG if str(error) == self._last_words else logging.WARNING
            self._last_words = str(error)
            log.log(level, "face crops cannot be kept: %s", error)
            return None
        return name if encoded else None

    def send(self, outbox: Outbox, api: CentralAPI) -> int:
        """Upload the crops whose events the server has, and delete them here. Raises CentralError."""
        sent = 0
        for pending in outbox.snapshots_to_send():
            path = self.folder / pending.name
            try:
                api.put_snapshot(pending.event_id, path.read_bytes())
                sent += 1
            except FileNotFoundError:
                pass  # it expired
            except CentralError as error:
                if not error.permanent:
                    raise
                log.info("the server does not want the crop of %s: %s", pending.event_id, error)
            outbox.forget_snapshots([pending.name])
            path.unlink(missing_ok=True)
        return sent

    def forget_all(self) -> None:
        """Delete every crop."""
        for path in self.folder.glob("*.jpg"):
            path.unlink(missing_ok=True)

    def expire(self, *, now: float | None = None) -> int:
        """Delete what has been here for too long, whether it was sent or not; return how many."""
        before = (time.time() if now is None else now) - self.days * 86_400
        expired = [path for path in self.folder.glob("*.jpg") if path.stat().st_mtime < before]
        for path in expired:
            path.unlink(missing_ok=True)
        return len(expired)
