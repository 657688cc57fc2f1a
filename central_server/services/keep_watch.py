"""Keep the record of when each camera watched: with each heartbeat its proof goes on, or a gap begins."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from sqlalchemy import select

from central_server.db.models import Agent, Camera, CoverageGap
from central_server.db.stores import coverage, days_due, first_watch
from central_server.db.unit_of_work import UnitOfWork
from central_server.domain import gaps
from central_server.domain.coverage import MISSED_HEARTBEATS, MOST_SKEW, is_cloned
from central_server.domain.intervals import Interval
from common.events import CameraState, EventKind

RECENT = timedelta(hours=6)  # what was lost before is further back than any threshold
LATEST_MS = 4_102_444_800_000  # the year 2100


@dataclass(frozen=True, slots=True)
class Heard:
    """What was known of a camera before it was heard of again."""

    state: str
    reason: str
    covered_since: datetime | None

    @classmethod
    def of(cls, camera: Camera) -> Self:
        return cls(camera.state, camera.reason, camera.covered_since)


def keep_watch(
    work: UnitOfWork, agent: Agent, cameras: Iterable[Camera], before: Mapping[str, Heard], now: datetime
) -> None:
    """Carry on the proof of an agent's cameras, of which something was just heard.

    Closed days that turn out otherwise are noted, to be computed again.
    """
    record, cameras = _Record(work, agent, now), list(cameras)
    lost = coverage.lost(work.session, [each.camera_id for each in cameras], now - RECENT)
    for camera in cameras:
        if camera.covered_since is not None and camera.camera_id in lost:
            camera.covered_since = max(camera.covered_since, lost[camera.camera_id])
        record.heard(camera, before.get(camera.camera_id) or Heard.of(camera))
    record.finish()


def note_lost(work: UnitOfWork, rows: Iterable[Mapping[str, Any]], now: datetime) -> None:
    """Write down that an agent had to drop what its cameras saw: of that time nothing is proven."""
    for row in rows:
        told, off_ms = row["extra"] or {}, row["clock_off_ms"]
        first, last = (told.get(name) for name in ("from_ts", "to_ts"))
        if row["kind"] != EventKind.GAP.value or not (_is_moment(first) and _is_moment(last)):
            continue
        span = Interval(_instant(first - off_ms), min(_instant(last - off_ms), now))
        agent = work.session.get_one(Agent, row["agent_id"])
        record = _Record(work, agent, now)
        for camera in work.session.scalars(select(Camera).where(Camera.agent_id == agent.agent_id)):
            if camera.state != CameraState.DISABLED.value and span.start < span.end:
                record.write(camera, span, gaps.LOST)
                if camera.covered_since is not None:
                    camera.covered_since = max(camera.covered_since, span.end)
        record.finish()


class _Record:
    """What changes with one message of an agent."""

    def __init__(self, work: UnitOfWork, agent: Agent, now: datetime) -> None:
        self.work, self.agent, self.now = work, agent, now
        self.patience = MISSED_HEARTBEATS * timedelta(seconds=agent.heartbeat_interval_s)
        skew = timedelta(milliseconds=(agent.skew_ms or 0) - agent.clock_off_ms)
        is_credible = abs(skew) <= MOST_SKEW and not is_cloned(agent.cloned_at, now)
        self.reported_to = agent.reported_to if is_credible and agent.revoked_at is None else None
        self.touched: list[Interval] = []

    def heard(self, camera: Camera, before: Heard) -> None:
        if camera.state == CameraState.DISABLED.value:
            self._take_away(camera, before)
        elif camera.covered_since is not None and self.reported_to is not None:
            self._carry_on(camera, before, camera.covered_since, self.reported_to)

    def write(self, camera: Camera, gap: Interval, reason: str) -> None:
        self.work.session.add(
            CoverageGap(
                camera_id=camera.camera_id,
                site_id=camera.site_id,
                zone_id=camera.zone_id,
                starts_at=gap.start,
                ends_at=gap.end,
                reason=reason[:24],
            )
        )
        self.touched.append(gap)

    def finish(self) -> None:
        """Note the closed days that have become something else."""
        if not self.touched:
            return
        span = Interval(min(each.start for each in self.touched), max(each.end for each in self.touched))
        self.work.session.flush()
        days_due.mark(
            self.work.session, coverage.closed_days(self.work.session, self.agent.site_id, span), self.now
        )

    def _carry_on(self, camera: Camera, before: Heard, since: datetime, reported_to: datetime) -> None:
        if before.covered_since is None or since < before.covered_since:
            self._shrink(camera, since)
        was = camera.proven_to
        proof = gaps.carried_on(was, covered_since=since, reported_to=reported_to)
        camera.proven_to = proof.to
        if was is None and proof.to is not None:
            self._begin(camera, before, since)
        if proof.to is not None and (was is None or proof.gap is not None):
            first_watch.forget_gone(self.work.session, camera.site_id)
        if proof.gap is not None:
            self.write(camera, proof.gap, gaps.why(before.state, before.reason))
        known_to = was or since
        if proof.to and proof.to - known_to > self.patience:  # days may have closed in doubt
            self.touched.append(Interval(known_to, proof.to))

    def _begin(self, camera: Camera, before: Heard, since: datetime) -> None:
        """It watches for the first time, perhaps in the place of the last one that had watched."""
        gap = first_watch.note_first(self.work.session, camera, since)
        if gap is not None and gap.length > gaps.SLACK:
            self.write(camera, gap, gaps.why(before.state, before.reason))

    def _take_away(self, camera: Camera, before: Heard) -> None:
        if camera.proven_to is None:
            return
        was_watching = before.state in (CameraState.ONLINE.value, CameraState.DISABLED.value)
        at = camera.state_at or self.now
        proof = gaps.taken_away(
            camera.proven_to, at=at, was_watching=was_watching, patience=self.patience
        )  # fmt: skip
        is_last = first_watch.is_last(self.work.session, camera)
        camera.proven_to = max(at, camera.proven_to) if is_last else proof.to
        if proof.gap is not None:
            self.write(camera, proof.gap, gaps.why(before.state, before.reason))

    def _shrink(self, camera: Camera, since: datetime) -> None:
        """It watched for longer than was known."""
        wanted = select(CoverageGap).where(
            CoverageGap.camera_id == camera.camera_id,
            CoverageGap.ends_at > since,
            CoverageGap.reason != gaps.LOST,
        )
        for row in self.work.session.scalars(wanted).all():
            was = Interval(row.starts_at, row.ends_at)
            left = gaps.shrunk(was, since)
            self.touched.append(was)
            if left is None:
                self.work.session.delete(row)
            else:
                row.ends_at = left.end


def _is_moment(value: Any) -> bool:
    return type(value) is int and 0 <= value <= LATEST_MS


def _instant(ms: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)
