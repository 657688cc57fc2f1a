"""What has happened so far, read from the demo's database and from the sandbox's phones."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime
from zoneinfo import ZoneInfo

import requests
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from central_server.db.models import Alert, Employee, EnrolmentPhoto, Event, Presence
from deploy.demo.company import TIMEZONE


@dataclass
class Watch:
    """Call look() now and then: it says what is new, and remembers what counts for the story."""

    engine: Engine
    sandbox_url: str
    say: Callable[[str], None]
    recognised: set[str] = field(default_factory=set)
    unknown_events: int = 0
    alert_text: str = ""
    business_date: date = date.min  # of the newest event
    _last_event: int = 0
    _alerts: dict[int, str] = field(default_factory=dict)
    _presence: dict[str, str] = field(default_factory=dict)
    _messages: set[str] = field(default_factory=set)

    def skip_the_past(self) -> None:
        """Forget, aloud nowhere, what an earlier demo left in the database."""
        aloud, self.say = self.say, lambda _: None
        self.look()
        self.say = aloud
        self.recognised, self.unknown_events, self.alert_text = set(), 0, ""

    def look(self) -> None:
        with Session(self.engine) as session:
            names = dict(session.execute(select(Employee.employee_id, Employee.name)).tuples().all())
            self._look_at_events(session, names)
            self._look_at_presence(session, names)
            self._look_at_alerts(session, names)
        self._look_at_phones()

    def enrolled(self) -> tuple[int, list[str]]:
        """Return how many photos have been decided, and what was said of the refused ones."""
        with Session(self.engine) as session:
            photos = session.scalars(select(EnrolmentPhoto)).all()
            decided = [photo for photo in photos if photo.state in ("accepted", "rejected")]
            return len(decided), [
                f"{each.filename}: {each.reason}" for each in decided if each.state == "rejected"
            ]

    def _look_at_events(self, session: Session, names: dict[str, str]) -> None:
        for event in session.scalars(select(Event).where(Event.id > self._last_event).order_by(Event.id)):
            self._last_event, self.business_date = event.id, event.business_date
            if event.kind == "unknown":
                self.unknown_events += 1
                self.say(f"{_clock(event.ts)}  somebody unknown is at {event.camera_id}")
            elif event.kind == "seen" and event.employee_id:
                self.recognised.add(event.employee_id)
                similarity = f"similarity {event.sim_score:.2f}" if event.sim_score is not None else ""
                self.say(f"{_clock(event.ts)}  {names.get(event.employee_id)} was recognised ({similarity})")

    def _look_at_presence(self, session: Session, names: dict[str, str]) -> None:
        for person in session.scalars(select(Presence)):
            before = self._presence.get(person.employee_id)
            self._presence[person.employee_id] = person.state
            if before == "available" and person.state == "off" and person.reason == "out_of_area":
                self.say(f"{_clock(person.since)}  {names[person.employee_id]} has left the area")

    def _look_at_alerts(self, session: Session, names: dict[str, str]) -> None:
        for alert in session.scalars(select(Alert).order_by(Alert.alert_id)):
            if self._alerts.get(alert.alert_id) == alert.state:
                continue
            self._alerts[alert.alert_id] = alert.state
            who = names.get(alert.employee_id or "", alert.camera_id or alert.agent_id or "?")
            if alert.state == "open":
                self.say(f"{_clock(alert.ts)}  alert opened: {alert.kind.replace('_', ' ')}, {who}")
            elif alert.closed_at is not None:
                self.say(f"{_clock(alert.closed_at)}  alert closed: {who} ({alert.close_reason})")

    def _look_at_phones(self) -> None:
        try:
            reply = requests.get(f"{self.sandbox_url}/sandbox/messages", timeout=2)
            messages = reply.json()["messages"] if reply.ok else []
        except (requests.RequestException, ValueError, KeyError):
            return
        for message in messages:
            if message["id"] in self._messages or message.get("direction") != "out":
                continue
            self._messages.add(message["id"])
            text = message.get("text", "")
            self.say(f"          WhatsApp to {message['phone']}:\n" + _indented(text))
            if text.startswith("[ALERT]") and not self.alert_text:
                self.alert_text = text


def _clock(moment: datetime) -> str:
    return moment.astimezone(ZoneInfo(TIMEZONE)).strftime("%H:%M:%S")


def _indented(text: str) -> str:
    return "\n".join(f"            | {line}" for line in text.splitlines())
