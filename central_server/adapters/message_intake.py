"""What agents said, by topic, to the use cases it is for. What cannot be read is parked, never fatal."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import Engine

from central_server.adapters.event_intake import read_envelope
from central_server.adapters.health_intake import sane_birth, sane_heartbeat, sane_state, sane_status
from central_server.config import RulesConfig
from central_server.db.models import Agent, AgentCommand
from central_server.db.unit_of_work import UnitOfWork
from central_server.services import record_health
from central_server.services.record_event import Delivery, record_deliveries, record_events
from common import topics, wire
from common.events import (
    Ack,
    AgentState,
    Birth,
    CameraStatus,
    CommandResult,
    Envelope,
    Heartbeat,
)
from common.letters import Letter

Acks = dict[str, Ack]  # by agent: the newest


def record_messages(
    letters: Iterable[Letter], work: UnitOfWork, rules: RulesConfig, now: datetime, *, road: str = "mqtt"
) -> Acks:
    """Record messages, events after the rest; return what to acknowledge. road: by which they came."""
    deliveries: list[Delivery] = []
    for topic, payload in letters:
        try:
            if payload and (delivery := _record(topic, payload, work, now, road)):
                deliveries.append(delivery)
        except wire.MalformedMessage as problem:
            record_health.park_message(topic, payload, str(problem), work, now)
    return _record_deliveries(deliveries, work, rules, now)


def record_stubborn_message(
    letter: Letter, engine: Engine, rules: RulesConfig, now: datetime, reason: str
) -> Acks:
    """Record a message that failed unexpectedly: its events one by one, and what fails again is parked."""
    topic, payload = letter
    with UnitOfWork(engine) as work:
        record_health.park_message(topic, payload, reason, work, now)
    address = topics.parse(topic)
    if address is None or address.leaf != "ev":
        return {}
    try:
        envelope = read_envelope(payload).envelope
    except wire.MalformedMessage:
        return {}
    acks, prev = {}, envelope.prev
    for event in envelope.events:
        single = Envelope(epoch=envelope.epoch, first=envelope.first, prev=prev, events=(event,))
        prev = event.seq if prev is not None else None
        acks[address.agent_id] = _record_single(address.agent_id, single, engine, rules, now)
    return acks


def _record_single(agent_id: str, single: Envelope, engine: Engine, rules: RulesConfig, now: datetime) -> Ack:
    try:
        with UnitOfWork(engine) as work:
            return record_events(agent_id, single, work, rules, now=now)
    except Exception as error:
        parked = {single.events[0].seq: f"{type(error).__name__}: {error}"}
        blank = Envelope(epoch=single.epoch, first=single.first, prev=single.prev, events=())
        with UnitOfWork(engine) as work:
            return record_events(agent_id, blank, work, rules, now=now, parked=parked)


def _record_deliveries(
    deliveries: Sequence[Delivery], work: UnitOfWork, rules: RulesConfig, now: datetime
) -> Acks:
    if not deliveries:
        return {}
    acks = record_deliveries(deliveries, work, rules, now=now)
    return {delivery.agent_id: ack for delivery, ack in zip(deliveries, acks, strict=True)}


def _record(topic: str, payload: bytes, work: UnitOfWork, now: datetime, road: str) -> Delivery | None:
    """Record a message that carries no events; return those of one that does. Raises MalformedMessage."""
    address = topics.parse(topic)
    if address is None or address.direction != "up":
        raise wire.MalformedMessage("not a topic of an agent")
    agent = work.session.get(Agent, address.agent_id)
    if agent is None or agent.revoked_at is not None:
        raise wire.MalformedMessage("the agent is not known here, or was revoked")
    if address.leaf == "ev":
        return _delivery(address.agent_id, topic, payload, work, now)
    if address.leaf == "hb":
        agent.road = road
    _record_other(address, payload, work, now)
    return None


def _delivery(agent_id: str, topic: str, payload: bytes, work: UnitOfWork, now: datetime) -> Delivery:
    intake = read_envelope(payload)
    for bad in intake.bad:
        record_health.park_message(topic, bad.payload, bad.reason, work, now)
    return Delivery(agent_id, intake.envelope, intake.parked)


def _record_other(address: topics.Address, payload: bytes, work: UnitOfWork, now: datetime) -> None:
    agent_id = address.agent_id
    match address.leaf:
        case "state":
            record_health.record_state(agent_id, sane_state(wire.decode(AgentState, payload)), work, now)
        case "birth":
            record_health.record_birth(agent_id, sane_birth(wire.decode(Birth, payload)), work, now)
        case "hb":
            record_health.record_heartbeat(
                agent_id, sane_heartbeat(wire.decode(Heartbeat, payload)), work, now
            )
        case "cam":
            status = sane_status(wire.decode(CameraStatus, payload))
            if status.camera_id != address.item:
                raise wire.MalformedMessage(f"camera {status.camera_id} on the topic of {address.item}")
            record_health.record_camera(agent_id, status, work, now)
        case "res":
            _record_result(agent_id, wire.decode(CommandResult, payload), work, now)
        case "trial":
            pass  # `hadir agent doctor` tries whether the agent may publish
        case leaf:
            raise wire.MalformedMessage(f"nobody listens to {leaf!r}")


def _record_result(agent_id: str, result: CommandResult, work: UnitOfWork, now: datetime) -> None:
    command = work.session.get(AgentCommand, result.command_id)
    if command is None or command.agent_id != agent_id:
        raise wire.MalformedMessage(f"a result of {result.command_id!r}, which this agent was not asked for")
    command.detail = result.detail[:400]
    if result.ok is not None and command.finished_at is None:
        command.ok, command.finished_at = result.ok, now
