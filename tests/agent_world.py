"""An agent's end without cameras, joined to a real web server over a real socket."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path

import cv2

from central_server.db import models
from central_server.db.unit_of_work import UnitOfWork
from central_server.services.join_agent import make_join_code
from central_server.services.record_health import record_birth
from common.events import Birth, CameraInfo, Command, CommandResult
from common.ids import AgentId, CameraId
from common.join_link import JoinLink
from edge_agent.adapters import uptime
from edge_agent.adapters.central_api import CentralAPI
from edge_agent.adapters.evidence import Evidence
from edge_agent.adapters.gallery_download import GalleryDownload
from edge_agent.adapters.gallery_file import GalleryFile
from edge_agent.adapters.identity_file import Identity
from edge_agent.adapters.outbox import Outbox
from edge_agent.core.geometry import Box
from edge_agent.core.lease import Reading
from edge_agent.errands import Errands
from edge_agent.gallery_keeper import GalleryKeeper
from edge_agent.join import join
from tests import builders
from tests.delivery_world import serving
from tests.link_world import wait_until
from tests.vision_world import TEXTURE, Scripted, ScriptedAnalyser
from tests.web_world import WebWorld, a_web_world, post

HR = {"X-Requested-With": "hadir"}
FACE_BOX = Box(100, 100, 300, 300)
PORTRAIT = cv2.imencode(".jpg", TEXTURE)[1].tobytes()
CORRUPT = b"\xff\xd8\xff\xe0" + bytes(range(256)) * 8  # begins as a JPEG does
DAY_S = 86_400


@dataclass
class AgentWorld:
    """A site `plant` with EMP001 and EMP002, who never consented; its web server listens at `url`."""

    web: WebWorld
    url: str

    @property
    def secret_key(self) -> str:
        return self.web.app.extensions["hadir"].config.secret_key

    def code(self, *, at: datetime | None = None) -> str:
        with UnitOfWork(self.web.engine) as work:
            return make_join_code(
                work, "plant", by="admin", secret_key=self.secret_key, now=at or datetime.now(UTC)
            )

    def join(self, home: Path, code: str | None = None) -> Identity:
        return join(JoinLink(self.url, code or self.code()), home / "identity.json", name="Gate box")

    def stored_photo(self, employee_id: str, content: bytes = PORTRAIT) -> str:
        """Have HR record consent and upload a photo; return the photo's id."""
        client = self.web.client("hr")
        post(client, f"/people/{employee_id}/consent", {"agreed": "yes"})
        form = {"photos": [(BytesIO(content), "portrait.jpg")]}
        url = f"/people/{employee_id}/photos"
        reply = post(client, url, form, headers=HR, content_type="multipart/form-data")
        assert reply.json["results"][0]["ok"], reply.text
        (photo,) = (e for e in self.web.rows(models.EnrolmentPhoto) if e.employee_id == employee_id)
        return photo.photo_id

    def photo(self, photo_id: str) -> models.EnrolmentPhoto:
        return next(each for each in self.web.rows(models.EnrolmentPhoto) if each.photo_id == photo_id)

    def resign(self, employee_id: str) -> None:
        yesterday = datetime.now(UTC) - timedelta(days=1)
        form = {"last_day": yesterday.date().isoformat(), "sure": "y"}
        assert post(self.web.client("hr"), f"/people/{employee_id}/resign", form).status_code == 302

    def command_for(self, photo_id: str) -> Command:
        """Return the command that the worker would publish for a photo."""
        (row,) = (e for e in self.web.rows(models.AgentCommand) if e.args == {"photo_id": photo_id})
        return Command(command_id=row.command_id, kind=row.kind, ts=0, args=row.args)


@dataclass
class Clocks:
    """A machine's clocks, ahead of the real ones by as much as a test says."""

    wall_ahead_s: float = 0.0
    up_ahead_s: float = 0.0
    boot_id: str = ""

    def __call__(self) -> Reading:
        now = uptime.clocks()
        wall_s, up_s = now.wall_s + self.wall_ahead_s, now.up_s + self.up_ahead_s
        return Reading(wall_s, up_s, self.boot_id or now.boot_id)

    def passes(self, seconds: float) -> None:
        """Let time pass while the machine runs."""
        self.wall_ahead_s += seconds
        self.up_ahead_s += seconds

    def is_off(self, seconds: float) -> None:
        """Switch the machine off, and on again after that time."""
        now = uptime.clocks()
        self.wall_ahead_s += seconds
        self.up_ahead_s, self.boot_id = -now.up_s, f"{self.boot_id}x"


@dataclass
class EdgeBox:
    """What `edge_agent.agent` wires together, less the cameras and the MQTT link."""

    identity: Identity
    home: Path
    analyser: ScriptedAnalyser = field(default_factory=ScriptedAnalyser)
    reports: list[CommandResult] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.api = CentralAPI(self.identity.server_url, self.identity.token)
        self.file = GalleryFile(self.home / "gallery.db")
        self.clocks = Clocks()
        self.keeper = self.restarted_keeper()
        self.downloads = GalleryDownload(self.api, self.file.incoming)
        self.outbox = Outbox(self.home / "spool.db", self.identity.agent_id)
        self.evidence = Evidence(self.home / "crops")
        errands_api = CentralAPI(self.identity.server_url, self.identity.token, self.analyser.model_id)
        self.errands = Errands(
            errands_api, self.keeper, self.analyser, self.outbox, self.evidence, self.reports.append
        )

    def restarted_keeper(self) -> GalleryKeeper:
        """Return a keeper that knows only what the disk holds."""
        key = self.identity.manifest_key
        return GalleryKeeper(
            self.file, key, self.analyser.model_id, self.analyser.dimension, clocks=self.clocks
        )

    def obey(self, command: Command) -> CommandResult:
        """Hand a command over as the link does; return what is reported of it."""
        before = len(self.reports)
        self.errands.do(command)
        wait_until(lambda: len(self.reports) > before, about=f"{command.kind} is reported")
        return self.reports[-1]

    def sync(self) -> None:
        """Poll, and be up to date with what the poll heard."""
        assert self.obey(Command(command_id="sync-1", kind="sync", ts=0)).ok
        wait_until(lambda: not self.keeper.is_due(), about="the gallery is fetched")

    def sees(self, *names: str) -> None:
        """Script the faces of the next photo: side by side, all of them large."""
        self.analyser.faces = [
            Scripted(name, Box(FACE_BOX.left + 210 * place, 100, FACE_BOX.right + 210 * place, 300))
            for place, name in enumerate(names)
        ]

    @property
    def people(self) -> tuple[str, ...]:
        return self.keeper.current().people

    def enrol(self, world: AgentWorld, employee_id: str) -> None:
        """Let HR enrol somebody, and this agent embed the photo and fetch the gallery."""
        self.sees(employee_id)
        result = self.obey(world.command_for(world.stored_photo(employee_id)))
        assert result.ok, result.detail
        self.sync()


@contextmanager
def an_agent_world(engine, home: Path, **settings: str) -> Iterator[AgentWorld]:
    web = a_web_world(engine, home, **settings)
    with UnitOfWork(engine) as work:
        work.session.add(models.Site(site_id="plant", name="Plant One", timezone="Asia/Jakarta"))
        work.session.flush()
        for code in ("EMP001", "EMP002"):
            builders.an_employee(work.session, code, is_enrolled=False, consent_at=None)
    with serving(web.app) as url:
        yield AgentWorld(web, url)


@contextmanager
def a_box(world: AgentWorld, home: Path, *names: str, model_id: str = "test:0") -> Iterator[EdgeBox]:
    """Join, say what an agent says at birth, and run its errands; the first poll (of these faces) is over."""
    box = EdgeBox(world.join(home), home, ScriptedAnalyser(model_id=model_id))
    box.sees(*names)
    birth = Birth(
        sid="s1", ts=0, version="test", model_id=box.analyser.model_id, engine=box.analyser.engine,
        epoch=box.outbox.epoch, cameras=(CameraInfo(camera_id=CameraId("door")),),
    )  # fmt: skip
    with UnitOfWork(world.web.engine) as work:
        record_birth(AgentId(box.identity.agent_id), birth, work, datetime.now(UTC))
    box.errands.start()
    try:
        box.sync()
        yield box
    finally:
        box.errands.stop()
        box.outbox.close()
