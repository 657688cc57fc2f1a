"""Open alerts: the words, the recipient, and the messages in the outbox, all in one transaction."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from central_server.config import RulesConfig
from central_server.db.models import Site, Zone
from central_server.db.stores import alerts, people
from central_server.db.unit_of_work import UnitOfWork
from central_server.domain.alerts import CloseAlert, Kind, OpenAlert, OpenOne, outage_alerts
from central_server.domain.coverage import AgentFacts, CameraFacts
from central_server.domain.messages import OutOfArea, flat, out_of_area_text
from central_server.domain.people import Person, Recipient
from central_server.services.find_supervisor import find_supervisor

TOLD_NOBODY = "Nobody was told: no superior can be reached, and the site has no HR recipient."


@dataclass(frozen=True, slots=True)
class AlertTemplate:
    """The WhatsApp template that Meta approved for alerts."""

    name: str = "out_of_area_v1"
    language: str = "en"


def open_out_of_area(
    work: UnitOfWork,
    alert: OpenAlert,
    person: Person,
    rules: RulesConfig,
    *,
    now: datetime,
    template: AlertTemplate,
) -> None:
    """Store the alert about a person and the message to the supervisor; once, however often decided."""
    on = alert.business_date or now.date()
    recipient = find_supervisor(work, person, rules, on=on, now=now).chosen
    zone = work.session.get(Zone, alert.zone_id) if alert.zone_id else None
    facts = OutOfArea(
        employee_id=person.employee_id,
        employee_name=person.name,
        last_seen=alert.last_seen or alert.opened_at,
        opened_at=alert.opened_at,
        zone_name=zone.name if zone else "",
        supervisor_name=recipient.name if recipient else "",
    )
    text = out_of_area_text(facts)
    alert_id = alerts.add(
        work.session,
        alert,
        log=text if recipient else f"{text}\n{TOLD_NOBODY}",
        supervisor_id=recipient.employee_id if recipient else None,
        supervisor_name=recipient.name if recipient else "",
    )
    if alert_id is None or recipient is None:
        return
    filled = {"name": template.name, "language": template.language, "params": facts.template_params()}
    subject = f"[ALERT] {flat(person.employee_id)} - {flat(person.name)}"
    channel = "whatsapp" if recipient.phone else "email"
    _enqueue(work, alert_id, alert, recipient, channel, text, subject, rules, now, filled)


def open_outages(
    work: UnitOfWork,
    site_id: str,
    open_now: list[OpenOne],
    rules: RulesConfig,
    agents: list[AgentFacts],
    cameras: list[CameraFacts],
    *,
    now: datetime,
    heard: datetime,
) -> None:
    """Open and close the alerts about agents and cameras, which go to those who repair them.

    heard: when this server began to listen.
    """
    names = {each.agent_id: each.name for each in agents} | {each.camera_id: each.name for each in cameras}
    for decision in outage_alerts(agents, cameras, open_now, site_id=site_id, now=now, listening_since=heard):
        if isinstance(decision, CloseAlert):
            alerts.close(work.session, decision.alert_id, decision.reason, now)
        else:
            _open_outage(work, decision, names, rules, now)


def outage_text(alert: OpenAlert, name: str, site_name: str) -> str:
    """Return what those who repair cameras and agents are told."""
    if alert.kind is Kind.AGENT_CLONED:
        return (
            f"[ALERT] AGENT {alert.agent_id} - {flat(name)}\n"
            "Status: TWO BOXES with this one identity\n"
            f"Location: {flat(site_name)}\n"
            "They throw each other out. Stop the copy, and let it join with a code of its own."
        )
    thing = "CAMERA" if alert.kind is Kind.CAMERA_DOWN else "AGENT"
    thing_id = alert.camera_id if alert.kind is Kind.CAMERA_DOWN else alert.agent_id
    return (
        f"[ALERT] {thing} {thing_id} - {flat(name)}\n"
        f"Status: DOWN ({flat(alert.reason)})\n"
        f"Location: {flat(site_name)}\n"
        "Presence there is unknown until it is back; no one is reported out of area meanwhile."
    )


def _open_outage(
    work: UnitOfWork, alert: OpenAlert, names: dict[str, str], rules: RulesConfig, now: datetime
) -> None:
    site = work.session.get(Site, alert.site_id)
    name = names.get((alert.camera_id if alert.kind is Kind.CAMERA_DOWN else alert.agent_id) or "", "")
    text = outage_text(alert, name, site.name if site else alert.site_id)
    alert_id = alerts.add(work.session, alert, log=text)
    if alert_id is None:
        return
    subject = text.splitlines()[0]
    for recipient in people.recipients(work.session, alert.site_id, "it"):
        for channel in ("whatsapp", "email"):
            if recipient.phone if channel == "whatsapp" else recipient.email:
                _enqueue(work, alert_id, alert, recipient, channel, text, subject, rules, now)


def _enqueue(
    work: UnitOfWork,
    alert_id: int,
    alert: OpenAlert,
    recipient: Recipient,
    channel: str,
    text: str,
    subject: str,
    rules: RulesConfig,
    now: datetime,
    template: dict[str, Any] | None = None,
) -> None:
    address = recipient.phone if channel == "whatsapp" else recipient.email
    payload: dict[str, Any] = {"text": text}
    if channel == "email":
        payload |= {"subject": subject, "attachments": []}
    elif template:
        payload["template"] = template
    message = {
        "dedupe_key": f"{alert.dedupe_key}:{channel}:{address}"[:200],
        "kind": "alert",
        "channel": channel,
        "alert_id": alert_id,
        "recipient": address,
        "recipient_name": recipient.name,
        "payload": payload,
    }
    alerts.enqueue(work.session, message, now=now, expires_at=now + rules.alert_expiry)
