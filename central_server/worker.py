"""The worker process: hears the agents, keeps presence up to date, sends messages, makes the day's report.

The composition root of `hadir server worker`. Exactly one runs: it holds the lease `worker`; another one
waits until the lease is free. Each task has a thread of its own, so a slow mail server never delays presence.
"""

import logging
import secrets
import signal
import threading
from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from random import random

from sqlalchemy import Engine, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from central_server.adapters.email import SMTPSender
from central_server.adapters.hris.webhook import WebhookSink
from central_server.adapters.mqtt_subscriber import Subscriber
from central_server.adapters.report_files import RENDERERS
from central_server.adapters.scheduler import Daily, DailySchedule, Loop
from central_server.adapters.whatsapp.cloud import WhatsAppCloudSender
from central_server.config import ServerConfig
from central_server.db.engine import open_engine
from central_server.db.migrate import is_engine_current
from central_server.db.models import Site
from central_server.db.stores import lease
from central_server.db.unit_of_work import UnitOfWork
from central_server.domain.delivery import Sender
from central_server.ports import AttendanceSink
from central_server.services.build_report import ReportOptions
from central_server.services.close_day import close_in_portions
from central_server.services.deliver_notifications import deliver_due
from central_server.services.evaluate_presence import evaluate_site
from central_server.services.handle_webhook import handle_receipts
from central_server.services.open_alerts import AlertTemplate
from central_server.services.purge_expired import purge_expired
from central_server.services.push_attendance import push_due, queue_day, queue_revisions
from central_server.services.recompute_attendance import recompute_days_due
from central_server.services.send_due_reports import send_due_reports
from central_server.services.site_scene import SiteMemory

log = logging.getLogger("hadir.worker")

LEASE, LINK_LEASE = "worker", "broker"  # the second is held while the broker can be heard: the board asks
LEASE_LIFE = timedelta(seconds=15)
RENEW_EVERY_S = 3.0
GIVE_UP_AFTER = timedelta(seconds=60)  # who cannot renew cannot write, and does no harm meanwhile
PURGE_AT = time(3, 0)
STUCK_AFTER_S = 600.0
LATE_DAYS_AFTER = timedelta(seconds=10)  # more events of the same days are on their way
MOST_LATE_DAYS = 50  # at a time: live events go before


def now() -> datetime:
    return datetime.now(UTC)


def senders_of(config: ServerConfig) -> dict[str, Sender]:
    """Return the channels that are configured."""
    senders: dict[str, Sender] = {}
    if config.whatsapp.phone_number_id:
        senders["whatsapp"] = WhatsAppCloudSender(config.whatsapp)
    if config.email.host:
        senders["email"] = SMTPSender(config.email)
    return senders


def sink_of(config: ServerConfig) -> AttendanceSink | None:
    """Return the HRIS, if one is configured."""
    if not config.hris.webhook_url:
        return None
    return WebhookSink(config.hris.webhook_url, config.hris.webhook_secret)


class Worker:
    """The tasks of the one worker. start(), then is_well() until stop()."""

    def __init__(self, config: ServerConfig, engine: Engine, me: lease.Owner) -> None:
        self.config, self.engine, self.me = config, engine, me
        self.subscriber = Subscriber(config, engine)
        self.senders, self.sink = senders_of(config), sink_of(config)
        self.listening_since: datetime | None = None
        self.started_at = now()
        self.memory: dict[str, SiteMemory] = {}  # by site: what the last evaluation knew
        self._reporting = threading.Lock()
        self.schedule = DailySchedule()
        self.template = AlertTemplate(config.whatsapp.alert_template, config.whatsapp.language)
        self.report_options = ReportOptions(config.language, config.whatsapp.report_template)
        self.loops = [
            Loop("link", min(RENEW_EVERY_S, config.tick_s), self.tell_of_link),
            Loop("presence", config.tick_s, self.evaluate),
            Loop("delivery", min(1.0, config.tick_s), self.deliver),
            Loop("reports", 60.0, self.report),
            Loop("days", 2.0, self.recompute),
            Loop("closing", 300.0, self.close_days),
            Loop(
                "purge", 6 * 3600.0, self.purge
            ),  # and at PURGE_AT: a server that is off at night purges too
        ]
        if self.sink:
            self.loops.append(Loop("hris", 5.0, self.push))

    def start(self) -> None:
        for channel in sorted({"whatsapp", "email"} - self.senders.keys()):
            log.warning("%s is not configured: its messages wait, and expire", channel)
        self.subscriber.start()
        self.schedule.start()
        for loop in self.loops:
            loop.start()

    def is_well(self) -> bool:
        """Tell whether every thread lives and moves; the log says which one does not."""
        threads = {"subscriber": self.subscriber, **{loop.name: loop for loop in self.loops}}
        dead = [name for name, thread in threads.items() if not thread.is_alive()]
        dead += [loop.name for loop in self.loops if loop.is_stuck(STUCK_AFTER_S)]
        for name in dead:
            log.critical("the thread %s has ended, or hangs", name)
        return not dead

    def stop(self) -> None:
        self.schedule.stop()
        self.subscriber.stop()
        for loop in self.loops:
            loop.stop()

    def tell_of_link(self) -> None:
        """Leave word in the database whether the broker can be heard; a page says so when it cannot."""
        with UnitOfWork(self.engine) as work:
            if self.subscriber.is_online:
                lease.take(work.session, LINK_LEASE, self.me, now=now(), life=LEASE_LIFE)
            else:
                lease.give_back(work.session, LINK_LEASE, self.me, now=now())

    def evaluate(self) -> None:
        """Bring every site's presence up to its watermark."""
        if not self.subscriber.is_online:
            self.listening_since = None
        elif self.listening_since is None:
            self.listening_since = now()
        for site_id in self._sites():
            memory = self.memory.pop(site_id, SiteMemory())
            with UnitOfWork(self.engine) as work:
                moment = now()
                evaluate_site(
                    work,
                    site_id,
                    self.config.rules,
                    now=moment,
                    listening_since=self.listening_since or moment,
                    waiting_since=self.listening_since or self.started_at,
                    template=self.template,
                    memory=memory,
                )
            self.memory[site_id] = memory  # committed: what it knows is so

    def deliver(self) -> None:
        """Read what providers called back with, then send what is due."""
        handle_receipts(self.engine, now())
        deliver_due(self.engine, self.senders, now=now, chance=random)

    def report(self) -> None:
        """Plan the daily jobs as the sites want them now, and make up for what was missed."""
        with Session(self.engine) as session:
            sites = session.scalars(select(Site)).all()
        daily = {
            f"report of {site.site_id}": Daily(
                site.report_at, site.timezone, self._safely("report", self._reports)
            )
            for site in sites
        }
        daily["purge"] = Daily(PURGE_AT, self.config.timezone, self._safely("purge", self.purge))
        self.schedule.plan(daily)
        self._reports()

    def recompute(self) -> None:
        """Recompute the person-days that many late events at once have touched."""
        with UnitOfWork(self.engine) as work:
            recompute_days_due(work, self.config.rules, now=now(), after=LATE_DAYS_AFTER, most=MOST_LATE_DAYS)

    def close_days(self) -> None:
        """Close the days that are over, and tell the HRIS."""
        for site_id in self._sites():
            closed = close_in_portions(self.engine, site_id, self.config.rules, now=now())
            for day in closed if self.sink else ():
                with UnitOfWork(self.engine) as work:
                    queue_day(work, self.sink.connector, site_id, day, now=now())

    def push(self) -> None:
        """Push attendance, and what has been revised since, to the HRIS."""
        if self.sink is None:
            return
        with UnitOfWork(self.engine) as work:
            queue_revisions(work, self.sink.connector, now=now())
        push_due(self.engine, self.sink, now=now, chance=random)

    def purge(self) -> None:
        """Delete what is past its time."""
        with UnitOfWork(self.engine) as work:
            purged = purge_expired(work, self.config.rules, self.config.home, now=now())
        log.info(
            "purged %d snapshots, %d unreadable messages, %d people who left",
            purged.snapshots,
            purged.bad_messages,
            purged.departed,
        )

    def _reports(self) -> None:
        with self._reporting:  # the schedule and the loop may come at the same moment
            made = send_due_reports(
                self.engine,
                self.config.home,
                now=now(),
                rules=self.config.rules,
                renderers=RENDERERS,
                options=self.report_options,
                hris_connector=self.sink.connector if self.sink else None,
            )
        for run in made:
            log.info("report of %s for %s: %s", run.site_id, run.business_date, run.state)

    def _sites(self) -> list[str]:
        with Session(self.engine) as session:
            return list(session.scalars(select(Site.site_id)))

    @staticmethod
    def _safely(name: str, do: Callable[[], object]) -> Callable[[], None]:
        def run() -> None:
            try:
                do()
            except Exception:
                log.exception("%s failed; it is tried again within a minute or a day", name)

        return run


def run(config: ServerConfig) -> int:
    """Work until SIGINT or SIGTERM; return the exit code: 1 when a thread died or the lease is lost."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    engine = open_engine(config.database_url)
    if not is_engine_current(engine):
        log.critical("The database is not up to date: run `hadir server migrate` first.")
        return 1
    me = lease.Owner.this_process(secrets.token_hex(4))
    if not _wait_for_lease(engine, me, stop):
        return 0
    worker = Worker(config, engine, me)
    worker.start()
    log.info("the worker runs, as %s", me)
    try:
        code = _watch(worker, engine, me, stop)
    finally:
        worker.stop()
    with UnitOfWork(engine) as work:
        for name in (LEASE, LINK_LEASE):
            lease.give_back(work.session, name, me, now=now())
    engine.dispose()
    log.info("the worker has stopped")
    return code


def _watch(worker: Worker, engine: Engine, me: lease.Owner, stop: threading.Event) -> int:
    """Renew the lease until told to stop (0), or until a thread or the lease is gone (1)."""
    renewed_at = now()
    while not stop.wait(RENEW_EVERY_S):
        if not worker.is_well():
            return 1
        try:
            if not _take_lease(engine, me):
                log.critical("another worker has taken over; this one ends")
                return 1
            renewed_at = now()
        except OperationalError as error:
            log.error("the lease could not be renewed: %s", error.orig)
            if now() - renewed_at > GIVE_UP_AFTER:
                return 1
    return 0


def _take_lease(engine: Engine, me: lease.Owner) -> bool:
    with UnitOfWork(engine) as work:
        return lease.take(work.session, LEASE, me, now=now(), life=LEASE_LIFE)


def _wait_for_lease(engine: Engine, me: lease.Owner, stop: threading.Event) -> bool:
    """Wait until this is the one worker; False when told to stop before."""
    is_waiting = False
    while not _take_lease(engine, me):
        if not is_waiting:
            log.warning("another worker holds the lease; waiting for it to end")
            is_waiting = True
        if stop.wait(1.0):
            return False
    return True
