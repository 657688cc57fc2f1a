"""Things that are done again and again, each in a thread of its own, and things done at a time of day."""

import logging
import threading
import time as clock
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, time
from random import random
from zoneinfo import ZoneInfo

from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.cron import CronTrigger

from common.backoff import delay_s

log = logging.getLogger("hadir.scheduler")

MISFIRE_GRACE_S = 6 * 3600


class Loop:
    """Does something every so often. A failure is logged and tried again; it never ends the thread."""

    def __init__(self, name: str, every_s: float, do: Callable[[], object]) -> None:
        self.name, self.every_s, self._do = name, every_s, do
        self.failures = 0
        self.last_turn = clock.monotonic()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def is_stuck(self, after_s: float) -> bool:
        """Tell whether one turn has lasted for longer than after_s."""
        return clock.monotonic() - self.last_turn > self.every_s + after_s

    def stop(self, patience_s: float = 10.0) -> None:
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(patience_s)

    def _run(self) -> None:
        while not self._stopping.is_set():
            began = self.last_turn = clock.monotonic()
            self._try()
            wait_s = max(0.0, self.every_s - (clock.monotonic() - began))
            if self.failures:
                wait_s = max(wait_s, delay_s(self.failures, chance=random(), most_s=30.0))
            self._stopping.wait(wait_s)

    def _try(self) -> None:
        try:
            self._do()
        except Exception as error:
            self.failures += 1
            if self.failures == 1:
                log.exception("%s failed; it is tried again", self.name)
            else:
                log.error("%s failed %d times: %s", self.name, self.failures, error)
            return
        if self.failures:
            log.warning("%s works again after %d failures", self.name, self.failures)
        self.failures = 0


@dataclass(frozen=True, slots=True)
class Daily:
    """Something to do once a day at a local time."""

    at: time
    timezone: str  # IANA
    do: Callable[[], object]


class DailySchedule:
    """Jobs by name, at their own local times. plan() may be called again and again: only changes count."""

    def __init__(self) -> None:
        self._scheduler = BackgroundScheduler(timezone="UTC")
        self._planned: dict[str, tuple[time, str]] = {}

    def start(self) -> None:
        self._scheduler.start()

    def stop(self) -> None:
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)

    def plan(self, jobs: Mapping[str, Daily]) -> None:
        """Make these the jobs of each day, and forget every other."""
        for name in self._planned.keys() - jobs.keys():
            self._scheduler.remove_job(name)
            del self._planned[name]
        for name, job in jobs.items():
            if self._planned.get(name) == (job.at, job.timezone):
                continue
            self._scheduler.add_job(
                job.do,
                daily_trigger(job.at, job.timezone),
                id=name,
                name=name,
                replace_existing=True,
                coalesce=True,
                max_instances=1,
                misfire_grace_time=MISFIRE_GRACE_S,
            )
            self._planned[name] = (job.at, job.timezone)

    def next_times(self) -> dict[str, datetime]:
        """Return when each job is due next, in its own time zone."""
        return {job.id: job.next_run_time for job in self._scheduler.get_jobs()}


def daily_trigger(at: time, timezone: str) -> CronTrigger:
    """Return the trigger of a local time of day, written in fields: crontab's 1-5 means Tue-Sat here."""
    return CronTrigger(hour=at.hour, minute=at.minute, second=at.second, timezone=ZoneInfo(timezone))
