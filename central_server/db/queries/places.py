"""The sites, zones and cameras by name, and each site's time zone: small, read once a request."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from central_server.db.models import Camera, Kiosk, Site, Zone


@dataclass(frozen=True, slots=True)
class Place:
    place_id: str
    name: str
    site_id: str


@dataclass(frozen=True, slots=True)
class Places:
    sites: Mapping[str, Place]
    zones: Mapping[str, Place]
    cameras: Mapping[str, Place]  # and kiosks: events name both in one column
    timezones: Mapping[str, tzinfo]
    default_timezone: tzinfo

    def timezone(self, site_id: str | None) -> tzinfo:
        return self.timezones.get(site_id or "", self.default_timezone)

    def local(self, instant: datetime | None, site_id: str | None = None) -> datetime | None:
        """Return an instant in the time zone of its site."""
        return instant.astimezone(self.timezone(site_id)) if instant else None

    def where(self, zone_id: str | None, camera_id: str | None) -> str:
        """Return the zone's name, else the camera's, else nothing."""
        zone, camera = self.zones.get(zone_id or ""), self.cameras.get(camera_id or "")
        if zone:
            return zone.name
        return camera.name if camera else (camera_id or "")

    def camera_name(self, camera_id: str | None) -> str:
        camera = self.cameras.get(camera_id or "")
        return camera.name if camera and camera.name else (camera_id or "")


def read_places(session: Session, default_timezone: str) -> Places:
    """Return every place. The time zone of the first site stands for what belongs to none."""
    sites = session.execute(select(Site.site_id, Site.name, Site.timezone).order_by(Site.name)).all()
    zones = session.execute(select(Zone.zone_id, Zone.name, Zone.site_id).order_by(Zone.name))
    cameras = session.execute(select(Camera.camera_id, Camera.name, Camera.site_id).order_by(Camera.name))
    kiosks = session.execute(select(Kiosk.kiosk_id, Kiosk.name, Kiosk.site_id).order_by(Kiosk.name))
    return Places(
        sites={each.site_id: Place(each.site_id, each.name, each.site_id) for each in sites},
        zones={each.zone_id: Place(*each) for each in zones},
        cameras={each[0]: Place(*each) for each in (*cameras, *kiosks)},
        timezones={each.site_id: ZoneInfo(each.timezone) for each in sites},
        default_timezone=ZoneInfo(sites[0].timezone if sites else default_timezone),
    )
