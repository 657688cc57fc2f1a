"""HR at the dashboard, over HTTP as a browser would: signs in, uploads portraits, asks for the report."""

import re
import time
from dataclasses import dataclass, field

import requests

from deploy.demo.cast import Player

_TOKEN = re.compile(r'name="csrf_token"[^>]*value="([^"]+)"')


class DashboardError(Exception):
    """The dashboard did not do what HR asked."""


@dataclass
class HR:
    base_url: str
    session: requests.Session = field(default_factory=requests.Session)

    def wait_until_up(self, patience_s: float) -> None:
        """Wait until the dashboard answers. Raises DashboardError when it does not in time."""
        until = time.monotonic() + patience_s
        while time.monotonic() < until:
            try:
                if self.session.get(f"{self.base_url}/health/live", timeout=2).ok:
                    return
            except requests.RequestException:
                pass
            time.sleep(0.1)
        raise DashboardError(f"the dashboard does not answer at {self.base_url}")

    def sign_in(self, username: str, password: str) -> None:
        token = self._token("/login")
        form = {"csrf_token": token, "username": username, "password": password}
        reply = self.session.post(f"{self.base_url}/login", data=form, timeout=15, allow_redirects=False)
        if reply.status_code not in (302, 303):
            raise DashboardError(f"the dashboard did not let HR in (HTTP {reply.status_code})")

    def enrol(self, player: Player) -> None:
        """Upload the player's photos. An agent turns them into templates as soon as it can."""
        page = f"/people/{player.employee_id}"
        photos = [("photos", (name, content, "image/jpeg")) for name, content in player.photos]
        headers = {"X-CSRFToken": self._token(page), "Referer": self.base_url + page}
        reply = self.session.post(f"{self.base_url}{page}/photos", files=photos, headers=headers, timeout=60)
        if not reply.ok:
            raise DashboardError(f"the photos of {player.name} were refused (HTTP {reply.status_code})")

    def _token(self, page: str) -> str:
        reply = self.session.get(self.base_url + page, timeout=15)
        found = _TOKEN.search(reply.text)
        if found is None:
            raise DashboardError(f"no form on {page} (HTTP {reply.status_code})")
        return found.group(1)
