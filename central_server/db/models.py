"""The tables: columns, constraints and indexes; no rules. Instants are UTC; `*_on` and `*_date` are dates."""

from datetime import date, datetime, time
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from central_server.db.base import Base

Slug = String(32)
Code = String(64)


# -- places and devices ------------------------------------------------------------------------------------


class Site(Base):
    __tablename__ = "Site"
    site_id: Mapped[str] = mapped_column(Slug, primary_key=True)
    name: Mapped[str] = mapped_column(String(120))
    timezone: Mapped[str] = mapped_column(String(64))  # IANA
    report_at: Mapped[time] = mapped_column(default=time(17, 30))  # local time of the daily report


class Zone(Base):
    __tablename__ = "Zone"
    zone_id: Mapped[str] = mapped_column(Slug, primary_key=True)
    site_id: Mapped[str] = mapped_column(ForeignKey("Site.site_id"))
    name: Mapped[str] = mapped_column(String(120))
    threshold_s: Mapped[int | None]  # unseen for longer is out of area; NULL: the server's default
    is_public: Mapped[bool] = mapped_column(default=False)  # identification forbidden by law
    is_entrance: Mapped[bool] = mapped_column(default=False)  # who comes or goes passes here


class Agent(Base):
    __tablename__ = "Agent"
    agent_id: Mapped[str] = mapped_column(Slug, primary_key=True)
    site_id: Mapped[str] = mapped_column(ForeignKey("Site.site_id"))
    name: Mapped[str] = mapped_column(String(120))
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)  # SHA-256 of a 256-bit random token
    manifest_key: Mapped[str] = mapped_column(String(64))  # HMAC key for the manifest, hex
    hardware_id: Mapped[str] = mapped_column(String(64), default="")
    joined_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
    state: Mapped[str] = mapped_column(String(16), default="offline")  # common.events.LinkState
    sid: Mapped[str] = mapped_column(String(64), default="")
    state_at: Mapped[datetime | None]
    heartbeat_at: Mapped[datetime | None]  # by the server's clock
    heartbeat_interval_s: Mapped[float] = mapped_column(default=15.0)
    reported_to: Mapped[datetime | None]  # the watermark: every event up to here has been recorded
    skew_ms: Mapped[int | None] = mapped_column(
        BigInteger
    )  # the agent's clock minus the server's, as well as it is known
    clock: Mapped[str] = mapped_column(String(8), default="rtc")
    spool_depth: Mapped[int] = mapped_column(default=0)
    spool_oldest_at: Mapped[datetime | None]
    engine: Mapped[str] = mapped_column(String(40), default="")
    model_id: Mapped[str] = mapped_column(String(120), default="")
    version: Mapped[str] = mapped_column(String(40), default="")
    gallery_gen: Mapped[int] = mapped_column(default=0)  # applied, as the agent last said
    health: Mapped[dict[str, Any]] = mapped_column(default=dict)  # the last heartbeat's other figures
    road: Mapped[str] = mapped_column(String(8), default="mqtt")  # by which it was last heard: mqtt | http
    instances: Mapped[list[str]] = mapped_column(default=list)  # processes born, the newest last; a few
    cloned_at: Mapped[datetime | None]  # when two live processes with this identity were last noticed
    boots: Mapped[dict[str, Any]] = mapped_column(default=dict)  # domain.clocks: readings by boot
    clock_off_ms: Mapped[int] = mapped_column(BigInteger, default=0)  # taken off the instants it says
    config_gen: Mapped[int] = mapped_column(default=0)  # wanted: the newest AgentConfig; 0: none
    config_applied: Mapped[int] = mapped_column(default=0)  # in force, as the agent last said
    config_tried: Mapped[int] = mapped_column(default=0)  # the newest that the agent has tried
    config_origin: Mapped[str] = mapped_column(String(16), default="local")  # common.events.ConfigOrigin
    config_errors: Mapped[list[Any]] = mapped_column(default=list)  # [key, words] of the one tried


class AgentConfig(Base):
    """Append-only: what the dashboard wants an agent to look after. The newest generation counts."""

    __tablename__ = "AgentConfig"
    id: Mapped[int] = mapped_column(primary_key=True)
    agent_id: Mapped[str] = mapped_column(ForeignKey("Agent.agent_id"), index=True)
    gen: Mapped[int]
    body: Mapped[bytes]  # JSON, sealed with the server's key: cameras' passwords are in it
    made_at: Mapped[datetime]
    made_by: Mapped[str] = mapped_column(String(64))
    note: Mapped[str] = mapped_column(String(200), default="")
    __table_args__ = (UniqueConstraint("agent_id", "gen"),)


class JoinRequest(Base):
    """A box that asks to be let in without a code; an administrator compares what both show, and decides."""

    __tablename__ = "JoinRequest"
    request_id: Mapped[str] = mapped_column(Code, primary_key=True)
    pairing: Mapped[str] = mapped_column(String(32))  # what the box shows
    hardware_id: Mapped[str] = mapped_column(String(64))
    name: Mapped[str] = mapped_column(String(120))
    version: Mapped[str] = mapped_column(String(40), default="")
    address: Mapped[str] = mapped_column(String(64), default="")
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)  # of the token that the box has made
    secrets: Mapped[bytes]  # sealed: what else the box has made for itself
    asked_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    state: Mapped[str] = mapped_column(String(16), default="open")  # open | approved | refused
    decided_at: Mapped[datetime | None]
    decided_by: Mapped[str] = mapped_column(String(64), default="")
    site_id: Mapped[str | None] = mapped_column(ForeignKey("Site.site_id"))
    agent_id: Mapped[str | None] = mapped_column(Slug)


class Camera(Base):
    __tablename__ = "Camera"
    camera_id: Mapped[str] = mapped_column(Slug, primary_key=True)
    agent_id: Mapped[str] = mapped_column(ForeignKey("Agent.agent_id"), index=True)
    site_id: Mapped[str] = mapped_column(ForeignKey("Site.site_id"))
    zone_id: Mapped[str | None] = mapped_column(ForeignKey("Zone.zone_id"), index=True)
    name: Mapped[str] = mapped_column(String(120))
    state: Mapped[str] = mapped_column(String(16), default="offline")  # common.events.CameraState
    reason: Mapped[str] = mapped_column(String(16), default="")
    detail: Mapped[str] = mapped_column(String(400), default="")
    state_at: Mapped[datetime | None]
    covered_since: Mapped[datetime | None]  # start of unbroken coverage; NULL while it is not online
    proven_to: Mapped[datetime | None]  # up to here it is known when it watched: see CoverageGap
    fps: Mapped[float] = mapped_column(default=0.0)
    last_frame_at: Mapped[datetime | None]


class CoverageGap(Base):
    """Append-only: a time in which a camera that should have watched did not. What is open still is not here:
    it is everything after the camera's proven_to.
    """

    __tablename__ = "CoverageGap"
    id: Mapped[int] = mapped_column(primary_key=True)
    camera_id: Mapped[str] = mapped_column(Slug, index=True)
    site_id: Mapped[str] = mapped_column(Slug)
    zone_id: Mapped[str | None] = mapped_column(Slug)
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    reason: Mapped[str] = mapped_column(String(24), default="")  # what was wrong, as far as it is known
    __table_args__ = (Index("ix_CoverageGap_site", "site_id", "ends_at"),)


class Kiosk(Base):
    """A tablet at the door, for people who are not recognised by face. Only the hash of its token is kept."""

    __tablename__ = "Kiosk"
    kiosk_id: Mapped[str] = mapped_column(Slug, primary_key=True)
    site_id: Mapped[str] = mapped_column(ForeignKey("Site.site_id"))
    zone_id: Mapped[str | None] = mapped_column(ForeignKey("Zone.zone_id"))
    name: Mapped[str] = mapped_column(String(120))
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[datetime]
    created_by: Mapped[str] = mapped_column(String(64))
    revoked_at: Mapped[datetime | None]
    used_at: Mapped[datetime | None]


class JoinCode(Base):
    """A one-time code with which an agent joins a site. Only its hash is kept."""

    __tablename__ = "JoinCode"
    id: Mapped[int] = mapped_column(primary_key=True)
    code_hash: Mapped[str] = mapped_column(String(64), unique=True)
    site_id: Mapped[str] = mapped_column(ForeignKey("Site.site_id"))
    agent_name: Mapped[str] = mapped_column(String(120), default="")
    created_at: Mapped[datetime]
    created_by: Mapped[str] = mapped_column(String(64), default="")
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    used_by_agent: Mapped[str | None] = mapped_column(Slug)
    used_by_hardware: Mapped[str] = mapped_column(String(64), default="")


class AgentCommand(Base):
    __tablename__ = "AgentCommand"
    command_id: Mapped[str] = mapped_column(Code, primary_key=True)
    agent_id: Mapped[str] = mapped_column(ForeignKey("Agent.agent_id"), index=True)
    kind: Mapped[str] = mapped_column(String(16))
    args: Mapped[dict[str, Any]] = mapped_column(default=dict)
    created_at: Mapped[datetime]
    published_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    ok: Mapped[bool | None]
    detail: Mapped[str] = mapped_column(String(400), default="")


# -- people ------------------------------------------------------------------------------------------------


class Employee(Base):
    __tablename__ = "Employee"
    employee_id: Mapped[str] = mapped_column(Code, primary_key=True)  # the company's code, e.g. EMP001
    site_id: Mapped[str] = mapped_column(ForeignKey("Site.site_id"), index=True)
    name: Mapped[str] = mapped_column(String(120))
    department: Mapped[str] = mapped_column(String(120), default="")
    role: Mapped[str] = mapped_column(String(120), default="")  # what the person works as, e.g. Security
    phone: Mapped[str] = mapped_column(String(32), default="")  # digits with country code, e.g. 6281234567890
    email: Mapped[str] = mapped_column(String(200), default="")
    status: Mapped[str] = mapped_column(String(16), default="active")  # active | suspended | resigned
    started_on: Mapped[date | None]
    resigned_on: Mapped[date | None]  # the last day of employment
    consent_at: Mapped[datetime | None]  # when biometric consent was recorded; NULL: none
    consent_by: Mapped[str] = mapped_column(String(64), default="")  # the user who recorded it
    consent_withdrawn_at: Mapped[datetime | None]
    is_watched: Mapped[bool] = mapped_column(default=True)  # False: known, never alerted about
    created_at: Mapped[datetime]


class EmployeeZone(Base):
    """Where somebody works. Without any: where the cameras have seen them lately."""

    __tablename__ = "EmployeeZone"
    employee_id: Mapped[str] = mapped_column(ForeignKey("Employee.employee_id"), primary_key=True)
    zone_id: Mapped[str] = mapped_column(ForeignKey("Zone.zone_id"), primary_key=True)


class RoleThreshold(Base):
    """How long somebody of a role may be unseen, where that differs from what the zone says."""

    __tablename__ = "RoleThreshold"
    role: Mapped[str] = mapped_column(String(120), primary_key=True)
    threshold_s: Mapped[int]


class Badge(Base):
    """With what somebody punches at a kiosk. Neither the PIN nor the badge's code can be read back."""

    __tablename__ = "Badge"
    employee_id: Mapped[str] = mapped_column(ForeignKey("Employee.employee_id"), primary_key=True)
    pin_hash: Mapped[str] = mapped_column(String(200), default="")  # argon2id; empty: no PIN
    code_hash: Mapped[str | None] = mapped_column(String(64), unique=True)  # SHA-256 of the QR code's content
    given_at: Mapped[datetime]
    given_by: Mapped[str] = mapped_column(String(64))
    failed: Mapped[int] = mapped_column(default=0)  # wrong PINs in a row
    locked_until: Mapped[datetime | None]


class OrgHierarchy(Base):
    """Who is told about whom. Level 1 is the supervisor, 2 the manager, and so on."""

    __tablename__ = "OrgHierarchy"
    id: Mapped[int] = mapped_column(primary_key=True)
    employee_id: Mapped[str] = mapped_column(ForeignKey("Employee.employee_id"), index=True)
    supervisor_id: Mapped[str] = mapped_column(ForeignKey("Employee.employee_id"), index=True)
    level: Mapped[int] = mapped_column(default=1)
    valid_from: Mapped[date | None]
    valid_to: Mapped[date | None]


class EnrolmentPhoto(Base):
    """A portrait given by HR; an agent turns it into a template or says why it cannot."""

    __tablename__ = "EnrolmentPhoto"
    photo_id: Mapped[str] = mapped_column(Code, primary_key=True)
    employee_id: Mapped[str] = mapped_column(ForeignKey("Employee.employee_id"), index=True)
    filename: Mapped[str] = mapped_column(String(200))
    path: Mapped[str] = mapped_column(String(400))  # below the server's data folder
    sha256: Mapped[str] = mapped_column(String(64))
    uploaded_at: Mapped[datetime]
    uploaded_by: Mapped[str] = mapped_column(String(64))
    state: Mapped[str] = mapped_column(String(16), default="pending")  # pending | sent | accepted | rejected
    reason: Mapped[str] = mapped_column(
        String(40), default=""
    )  # no_face | several_faces | too_small | blurred | …
    agent_id: Mapped[str | None] = mapped_column(Slug)
    decided_at: Mapped[datetime | None]
    __table_args__ = (UniqueConstraint("employee_id", "sha256"),)


class FaceTemplate(Base):
    __tablename__ = "FaceTemplate"
    template_id: Mapped[int] = mapped_column(primary_key=True)
    employee_id: Mapped[str] = mapped_column(ForeignKey("Employee.employee_id"), index=True)
    model_id: Mapped[str] = mapped_column(String(120), index=True)
    embedding: Mapped[bytes]  # float32, little-endian, unit length
    dimension: Mapped[int]
    source: Mapped[str] = mapped_column(String(16), default="photo")  # photo | camera
    photo_id: Mapped[str | None] = mapped_column(ForeignKey("EnrolmentPhoto.photo_id"))
    quality: Mapped[float] = mapped_column(default=0.0)
    created_at: Mapped[datetime]
    # The number of an erased template must not come back: an agent that still holds it could not tell.
    __table_args__ = ({"sqlite_autoincrement": True},)


class TemplateLog(Base):
    """Append-only: the gallery's generations. Agents ask for what came after the one they hold."""

    __tablename__ = "TemplateLog"
    gen: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    op: Mapped[str] = mapped_column(String(4))  # add | del
    template_id: Mapped[int]
    employee_id: Mapped[str] = mapped_column(Code)
    model_id: Mapped[str] = mapped_column(String(120))
    at: Mapped[datetime]
    __table_args__ = ({"sqlite_autoincrement": True},)


# -- working time ------------------------------------------------------------------------------------------


class Shift(Base):
    __tablename__ = "Shift"
    shift_id: Mapped[str] = mapped_column(Slug, primary_key=True)
    name: Mapped[str] = mapped_column(String(120))
    starts: Mapped[time]  # local wall time at the site
    ends: Mapped[time]  # at or before starts: the next day
    weekdays: Mapped[str] = mapped_column(String(32), default="mon,tue,wed,thu,fri")
    late_grace_min: Mapped[int] = mapped_column(default=10)
    early_leave_grace_min: Mapped[int] = mapped_column(default=10)
    early_in_min: Mapped[int] = mapped_column(default=120)  # sightings so long before belong to this shift
    late_out_min: Mapped[int] = mapped_column(default=240)  # and so long after


class Rotation(Base):
    """Shifts that follow each other day by day, and begin again: 2 mornings, 2 nights, 2 days off."""

    __tablename__ = "Rotation"
    rotation_id: Mapped[str] = mapped_column(Slug, primary_key=True)
    name: Mapped[str] = mapped_column(String(120))
    starts_on: Mapped[date]  # a day on which the pattern begins
    pattern: Mapped[str] = mapped_column(String(1000))  # shift ids and `off`, one a day, by commas


class ShiftAssignment(Base):
    """Who works which shift, or rotation, from when to when. Without an employee: the site's default.

    Of those valid on a day, the one that began last counts.
    """

    __tablename__ = "ShiftAssignment"
    id: Mapped[int] = mapped_column(primary_key=True)
    site_id: Mapped[str] = mapped_column(ForeignKey("Site.site_id"), index=True)
    employee_id: Mapped[str | None] = mapped_column(ForeignKey("Employee.employee_id"), index=True)
    shift_id: Mapped[str | None] = mapped_column(ForeignKey("Shift.shift_id"))  # this, or
    rotation_id: Mapped[str | None] = mapped_column(ForeignKey("Rotation.rotation_id"))  # this
    valid_from: Mapped[date | None]
    valid_to: Mapped[date | None]


class BreakWindow(Base):
    """When a break is. Of those with one name that apply to a day, the ones that began last count."""

    __tablename__ = "BreakWindow"
    id: Mapped[int] = mapped_column(primary_key=True)
    site_id: Mapped[str] = mapped_column(ForeignKey("Site.site_id"), index=True)
    shift_id: Mapped[str | None] = mapped_column(ForeignKey("Shift.shift_id"))  # NULL: every shift
    name: Mapped[str] = mapped_column(String(120))
    starts: Mapped[time]
    ends: Mapped[time]
    weekdays: Mapped[str] = mapped_column(String(32), default="mon,tue,wed,thu,fri,sat,sun")
    is_paid: Mapped[bool] = mapped_column(default=False)  # counts as work, e.g. a prayer
    valid_from: Mapped[date | None]
    valid_to: Mapped[date | None]


class Holiday(Base):
    __tablename__ = "Holiday"
    id: Mapped[int] = mapped_column(primary_key=True)
    site_id: Mapped[str | None] = mapped_column(ForeignKey("Site.site_id"))  # NULL: every site
    day: Mapped[date] = mapped_column(index=True)
    name: Mapped[str] = mapped_column(String(120))
    kind: Mapped[str] = mapped_column(String(16), default="national")  # national | collective | company
    is_certain: Mapped[bool] = mapped_column(default=True)  # False: foreseen, and not announced yet


class Leave(Base):
    __tablename__ = "Leave"
    id: Mapped[int] = mapped_column(primary_key=True)
    employee_id: Mapped[str] = mapped_column(ForeignKey("Employee.employee_id"), index=True)
    kind: Mapped[str] = mapped_column(String(40), default="leave")  # domain.shifts.LeaveKind
    first_on: Mapped[date]
    last_on: Mapped[date]
    note: Mapped[str] = mapped_column(String(200), default="")


# -- facts and what follows from them ----------------------------------------------------------------------


class Event(Base):
    """What a camera saw: append-only, one row an event_id, whatever arrives how often."""

    __tablename__ = "Event"
    id: Mapped[int] = mapped_column(primary_key=True)
    event_id: Mapped[str] = mapped_column(String(120), unique=True)
    agent_id: Mapped[str] = mapped_column(Slug)
    epoch: Mapped[str] = mapped_column(String(32))
    seq: Mapped[int]
    site_id: Mapped[str] = mapped_column(Slug)
    zone_id: Mapped[str | None] = mapped_column(Slug)
    camera_id: Mapped[str] = mapped_column(Slug)
    track_id: Mapped[str] = mapped_column(Code)
    kind: Mapped[str] = mapped_column(String(8))  # common.events.EventKind; of a kiosk: in | out
    employee_id: Mapped[str | None] = mapped_column(Code)  # NULL: unknown
    sim_score: Mapped[float | None]
    threshold: Mapped[float | None]
    margin: Mapped[float | None]
    ts: Mapped[datetime]
    last_seen: Mapped[datetime]
    received_at: Mapped[datetime]
    business_date: Mapped[date]
    is_late: Mapped[bool] = mapped_column(default=False)  # arrived too long after it happened to be news
    clock: Mapped[str] = mapped_column(String(8), default="rtc")
    clock_off_ms: Mapped[int] = mapped_column(BigInteger, default=0)  # taken off the agent's ts and last_seen
    frames: Mapped[int] = mapped_column(default=0)
    quality: Mapped[float | None]
    model_id: Mapped[str] = mapped_column(String(120), default="")
    gallery_gen: Mapped[int] = mapped_column(default=0)
    snapshot: Mapped[str | None] = mapped_column(String(120))
    extra: Mapped[dict[str, Any]] = mapped_column(default=dict)
    __table_args__ = (
        UniqueConstraint("agent_id", "epoch", "seq"),
        Index("ix_Event_employee_day", "employee_id", "business_date"),
        Index("ix_Event_camera_ts", "camera_id", "ts"),
        Index("ix_Event_ts", "ts"),
    )


class EventMark(Base):
    """How far the events of one epoch of one agent have been recorded without a hole."""

    __tablename__ = "EventMark"
    agent_id: Mapped[str] = mapped_column(Slug, primary_key=True)
    epoch: Mapped[str] = mapped_column(String(32), primary_key=True)
    seq: Mapped[int]
    repeats: Mapped[int] = mapped_column(default=0)  # events that came again, and changed nothing
    updated_at: Mapped[datetime]


class DayDue(Base):
    """A person-day whose attendance is still to be recomputed: events that came late, many at once."""

    __tablename__ = "DayDue"
    employee_id: Mapped[str] = mapped_column(Code, primary_key=True)
    business_date: Mapped[date] = mapped_column(primary_key=True)
    marked_at: Mapped[datetime] = mapped_column(index=True)


class BadMessage(Base):
    """A message that could not be read, with the reason; parked and acknowledged."""

    __tablename__ = "BadMessage"
    id: Mapped[int] = mapped_column(primary_key=True)
    received_at: Mapped[datetime] = mapped_column(index=True)
    topic: Mapped[str] = mapped_column(String(200))
    agent_id: Mapped[str | None] = mapped_column(Slug)
    reason: Mapped[str] = mapped_column(String(400))
    payload: Mapped[bytes]  # the first 8 kB


class Snapshot(Base):
    """A face crop that came with an event; deleted when it expires (30 days at most)."""

    __tablename__ = "Snapshot"
    snapshot_id: Mapped[str] = mapped_column(String(120), primary_key=True)  # the event's
    agent_id: Mapped[str] = mapped_column(Slug)
    employee_id: Mapped[str | None] = mapped_column(Code, index=True)
    path: Mapped[str] = mapped_column(String(400))
    taken_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)


class Presence(Base):
    """Where each employee is now, as far as the site's watermark has come."""

    __tablename__ = "Presence"
    employee_id: Mapped[str] = mapped_column(ForeignKey("Employee.employee_id"), primary_key=True)
    site_id: Mapped[str] = mapped_column(Slug, index=True)
    state: Mapped[str] = mapped_column(String(16))  # available | off | unknown
    reason: Mapped[str] = mapped_column(String(24))  # domain.presence.Reason
    since: Mapped[datetime]
    last_seen: Mapped[datetime | None]
    zone_id: Mapped[str | None] = mapped_column(Slug)
    camera_id: Mapped[str | None] = mapped_column(Slug)
    business_date: Mapped[date | None]
    episode: Mapped[int] = mapped_column(default=0)  # counts the absences of this person
    zones: Mapped[dict[str, Any]] = mapped_column(default=dict)  # where seen lately: the last business date
    is_punched_in: Mapped[bool] = mapped_column(default=False)  # at a kiosk, and not out again
    check_at: Mapped[datetime | None] = mapped_column(index=True)  # before, time alone changes nothing
    version: Mapped[int] = mapped_column(default=0)


class Attendance(Base):
    """One person-day: a pure recomputation of its events, corrections and rules."""

    __tablename__ = "Attendance"
    id: Mapped[int] = mapped_column(primary_key=True)
    employee_id: Mapped[str] = mapped_column(ForeignKey("Employee.employee_id"))
    business_date: Mapped[date] = mapped_column(index=True)
    site_id: Mapped[str] = mapped_column(Slug)
    shift_id: Mapped[str | None] = mapped_column(Slug)
    first_in_ts: Mapped[datetime | None]
    last_out_ts: Mapped[datetime | None]
    timezone: Mapped[str] = mapped_column(String(64), default="")  # in which the day was judged
    seconds: Mapped[int] = mapped_column(default=0)  # in the area: sum of intervals
    span_seconds: Mapped[int] = mapped_column(default=0)  # last_out_ts - first_in_ts
    break_seconds: Mapped[int] = mapped_column(default=0)  # unpaid breaks within the span and the shift
    work_seconds: Mapped[int | None]  # span less breaks, within the shift; NULL: cannot be told
    status: Mapped[str] = mapped_column(String(16))  # domain.attendance.Status
    late_min: Mapped[int] = mapped_column(default=0)
    early_leave_min: Mapped[int] = mapped_column(default=0)
    overtime_min: Mapped[int] = mapped_column(default=0)
    overtime_paid_min: Mapped[int] = mapped_column(default=0)  # of it, what counts as work
    leave_kind: Mapped[str] = mapped_column(String(40), default="")  # of a day of leave
    is_verified: Mapped[bool] = mapped_column(default=True)  # False: nobody watched when it mattered
    is_provisional: Mapped[bool] = mapped_column(default=True)
    revision: Mapped[int] = mapped_column(default=1)
    changes: Mapped[dict[str, Any]] = mapped_column(default=dict)  # field: [before, after] of this revision
    updated_at: Mapped[datetime]
    __table_args__ = (UniqueConstraint("employee_id", "business_date"),)


class AttendanceCorrection(Base):
    """Append-only overlay by HR; the last one for a field counts."""

    __tablename__ = "AttendanceCorrection"
    id: Mapped[int] = mapped_column(primary_key=True)
    employee_id: Mapped[str] = mapped_column(ForeignKey("Employee.employee_id"))
    business_date: Mapped[date]
    field: Mapped[str] = mapped_column(String(24))  # first_in_ts | last_out_ts | status | overtime_min
    before: Mapped[str] = mapped_column(String(40), default="")
    after: Mapped[str] = mapped_column(String(40), default="")
    reason: Mapped[str] = mapped_column(String(400))
    made_by: Mapped[str] = mapped_column(String(64))
    made_at: Mapped[datetime]
    __table_args__ = (Index("ix_AttendanceCorrection_day", "employee_id", "business_date"),)


class Dispute(Base):
    """An employee does not agree with a day; HR settles it, with or without a correction."""

    __tablename__ = "Dispute"
    id: Mapped[int] = mapped_column(primary_key=True)
    employee_id: Mapped[str] = mapped_column(ForeignKey("Employee.employee_id"))
    business_date: Mapped[date]
    words: Mapped[str] = mapped_column(String(600))
    noted_by: Mapped[str] = mapped_column(String(64))
    noted_at: Mapped[datetime]
    answer: Mapped[str] = mapped_column(String(600), default="")
    settled_by: Mapped[str] = mapped_column(String(64), default="")
    settled_at: Mapped[datetime | None] = mapped_column(index=True)
    __table_args__ = (Index("ix_Dispute_day", "employee_id", "business_date"),)


# -- telling people ----------------------------------------------------------------------------------------


class Alert(Base):
    __tablename__ = "Alert"
    alert_id: Mapped[int] = mapped_column(primary_key=True)
    dedupe_key: Mapped[str] = mapped_column(String(160), unique=True)
    kind: Mapped[str] = mapped_column(String(24))  # domain.alerts.Kind
    level: Mapped[str] = mapped_column(String(16), default="warning")  # info | warning | critical
    ts: Mapped[datetime] = mapped_column(index=True)  # when it was opened
    employee_id: Mapped[str | None] = mapped_column(ForeignKey("Employee.employee_id"), index=True)
    site_id: Mapped[str] = mapped_column(Slug)
    zone_id: Mapped[str | None] = mapped_column(Slug)
    camera_id: Mapped[str | None] = mapped_column(Slug)
    agent_id: Mapped[str | None] = mapped_column(Slug)
    episode: Mapped[int] = mapped_column(default=0)
    last_seen: Mapped[datetime | None]
    log: Mapped[str] = mapped_column(String(1024))  # the words, as sent
    supervisor_id: Mapped[str | None] = mapped_column(Code)
    supervisor_name: Mapped[str] = mapped_column(String(120), default="")
    state: Mapped[str] = mapped_column(String(16), default="open", index=True)  # open | closed
    closed_at: Mapped[datetime | None]
    close_reason: Mapped[str] = mapped_column(String(120), default="")
    contradicted_by: Mapped[datetime | None]  # late news: the person was seen then, so it was wrong
    acknowledged_at: Mapped[datetime | None]
    acknowledged_by: Mapped[str] = mapped_column(String(120), default="")


class Notification(Base):
    """The outbox: one message to one recipient on one channel."""

    __tablename__ = "Notification"
    notification_id: Mapped[str] = mapped_column(Code, primary_key=True)
    dedupe_key: Mapped[str] = mapped_column(String(200), unique=True)
    kind: Mapped[str] = mapped_column(String(16))  # alert | report | test
    channel: Mapped[str] = mapped_column(String(16))  # whatsapp | email
    alert_id: Mapped[int | None] = mapped_column(ForeignKey("Alert.alert_id"), index=True)
    report_run_id: Mapped[int | None] = mapped_column(ForeignKey("ReportRun.id"), index=True)
    recipient: Mapped[str] = mapped_column(String(200))  # phone or address
    recipient_name: Mapped[str] = mapped_column(String(120), default="")
    payload: Mapped[dict[str, Any]]  # see central_server/domain/messages.py
    state: Mapped[str] = mapped_column(String(16), default="pending")
    attempts: Mapped[int] = mapped_column(default=0)
    next_attempt_at: Mapped[datetime]
    leased_until: Mapped[datetime | None]
    expires_at: Mapped[datetime]  # later it is dropped and shown, never sent
    provider_message_id: Mapped[str | None] = mapped_column(String(200), index=True)
    error_class: Mapped[str] = mapped_column(String(24), default="")
    error_code: Mapped[str] = mapped_column(String(24), default="")
    error_text: Mapped[str] = mapped_column(String(400), default="")
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    __table_args__ = (Index("ix_Notification_due", "state", "next_attempt_at"),)


class DeliveryAttempt(Base):
    __tablename__ = "DeliveryAttempt"
    id: Mapped[int] = mapped_column(primary_key=True)
    notification_id: Mapped[str] = mapped_column(ForeignKey("Notification.notification_id"), index=True)
    at: Mapped[datetime]
    outcome: Mapped[str] = mapped_column(
        String(16)
    )  # accepted | retry | failed | ambiguous | sent | delivered | read
    error_code: Mapped[str] = mapped_column(String(24), default="")
    provider_words: Mapped[str] = mapped_column(String(400), default="")
    provider_message_id: Mapped[str | None] = mapped_column(String(200))  # which sending this is about
    duration_ms: Mapped[int | None]


class ChannelHold(Base):
    """A channel that is not used for a while, because the provider refused us rather than one message."""

    __tablename__ = "ChannelHold"
    channel: Mapped[str] = mapped_column(String(16), primary_key=True)  # whatsapp | email
    since: Mapped[datetime]  # when the trouble began
    until: Mapped[datetime]  # when one message may try again
    error_code: Mapped[str] = mapped_column(String(24), default="")
    words: Mapped[str] = mapped_column(String(400), default="")


class Conversation(Base):
    """When a phone last wrote to us: free text may be sent for 24 hours after that."""

    __tablename__ = "Conversation"
    phone: Mapped[str] = mapped_column(String(32), primary_key=True)
    last_inbound_at: Mapped[datetime]


class WebhookReceipt(Base):
    """A provider's callback as it came, kept before it is worked on."""

    __tablename__ = "WebhookReceipt"
    id: Mapped[int] = mapped_column(primary_key=True)
    provider: Mapped[str] = mapped_column(String(24))
    received_at: Mapped[datetime]
    body: Mapped[bytes]
    handled_at: Mapped[datetime | None] = mapped_column(index=True)


class ReportRecipient(Base):
    """Who gets the daily report of a site."""

    __tablename__ = "ReportRecipient"
    id: Mapped[int] = mapped_column(primary_key=True)
    site_id: Mapped[str] = mapped_column(ForeignKey("Site.site_id"), index=True)
    name: Mapped[str] = mapped_column(String(120))
    role: Mapped[str] = mapped_column(String(16))  # hr | manager | it
    phone: Mapped[str] = mapped_column(String(32), default="")
    email: Mapped[str] = mapped_column(String(200), default="")
    language: Mapped[str] = mapped_column(String(8), default="id")


class ReportRun(Base):
    __tablename__ = "ReportRun"
    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(16), default="daily")
    site_id: Mapped[str] = mapped_column(ForeignKey("Site.site_id"))
    business_date: Mapped[date]
    revision: Mapped[int] = mapped_column(default=1)
    state: Mapped[str] = mapped_column(String(16), default="due")  # due | ready | failed
    pdf_path: Mapped[str] = mapped_column(String(400), default="")
    csv_path: Mapped[str] = mapped_column(String(400), default="")
    totals: Mapped[dict[str, Any]] = mapped_column(default=dict)
    error: Mapped[str] = mapped_column(String(400), default="")
    created_at: Mapped[datetime]
    __table_args__ = (UniqueConstraint("kind", "site_id", "business_date", "revision"),)


class HrisPush(Base):
    """One revision of one person-day on its way to the HRIS."""

    __tablename__ = "HrisPush"
    id: Mapped[int] = mapped_column(primary_key=True)
    message_id: Mapped[str] = mapped_column(Code, unique=True)  # the same on every retry
    connector: Mapped[str] = mapped_column(String(24))
    employee_id: Mapped[str] = mapped_column(Code)
    business_date: Mapped[date]
    revision: Mapped[int]
    payload: Mapped[dict[str, Any]]
    state: Mapped[str] = mapped_column(String(16), default="pending")  # pending | done | failed
    attempts: Mapped[int] = mapped_column(default=0)
    next_attempt_at: Mapped[datetime]
    leased_until: Mapped[datetime | None]
    error: Mapped[str] = mapped_column(String(400), default="")
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    __table_args__ = (
        UniqueConstraint("connector", "employee_id", "business_date", "revision"),
        Index("ix_HrisPush_due", "state", "next_attempt_at"),
    )


# -- who may do what, and who did --------------------------------------------------------------------------


class User(Base):
    __tablename__ = "User"
    user_id: Mapped[int] = mapped_column(primary_key=True)
    username: Mapped[str] = mapped_column(String(64), unique=True)
    name: Mapped[str] = mapped_column(String(120), default="")
    password_hash: Mapped[str] = mapped_column(String(200))  # argon2id
    role: Mapped[str] = mapped_column(String(16))  # admin | hr | supervisor | viewer
    employee_id: Mapped[str | None] = mapped_column(ForeignKey("Employee.employee_id"))
    language: Mapped[str] = mapped_column(String(8), default="id")
    created_at: Mapped[datetime]
    disabled_at: Mapped[datetime | None]
    last_login_at: Mapped[datetime | None]


class ApiToken(Base):
    __tablename__ = "ApiToken"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(120))
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    scopes: Mapped[str] = mapped_column(String(200), default="read")
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class AuditLog(Base):
    """Append-only: what was done, or read of biometric data, and by whom."""

    __tablename__ = "AuditLog"
    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(index=True)
    actor: Mapped[str] = mapped_column(String(120))  # user:sari | agent:gate | system
    action: Mapped[str] = mapped_column(String(60))
    subject: Mapped[str] = mapped_column(String(120), default="")
    detail: Mapped[dict[str, Any]] = mapped_column(default=dict)


class Lease(Base):
    """Who holds a thing that only one may do, and until when."""

    __tablename__ = "Lease"
    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    owner: Mapped[str] = mapped_column(Code)
    until: Mapped[datetime]
