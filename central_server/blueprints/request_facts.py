"""What most pages need to know about a request: places, the user's team, today, and cleaned arguments."""

from datetime import date, datetime

from flask import Response, after_this_request, g, request

from central_server.blueprints.access import HR, SignedIn
from central_server.blueprints.extensions import db, hadir, utc_now
from central_server.db.queries.places import Places, read_places
from central_server.db.queries.teams import Team, team_of


def user() -> SignedIn:
    found: SignedIn = g.user
    return found


def sees_leave_kinds() -> bool:
    """Tell whether this user may know why somebody is on leave: it can be illness, so only HR may."""
    return user().role in HR


def places() -> Places:
    """Return the sites, zones and cameras; asked once a request."""
    if "places" not in g:
        g.places = read_places(db.session(), hadir().config.timezone)
    found: Places = g.places
    return found


def local_now(site_id: str | None = None) -> datetime:
    return utc_now().astimezone(places().timezone(site_id))


def today() -> date:
    """Return the business date at the first site: before the cut-off it is still yesterday."""
    now, cutoff = local_now(), hadir().config.rules.day_cutoff
    return date.fromordinal(now.date().toordinal() - (now.time() < cutoff))


def team() -> Team:
    """Return whom this user may see; asked once a request."""
    if "team" not in g:
        g.team = team_of(db.session(), user().role, user().employee_id, today())
    found: Team = g.team
    return found


def text(name: str, most: int = 120) -> str:
    """Return an argument of the address, trimmed, without control characters."""
    raw = request.args.get(name, "")
    return "".join(each for each in raw if each.isprintable()).strip()[:most]


def day_asked(name: str = "date") -> date:
    """Return the day in the address, or today when there is none or it makes no sense."""
    try:
        asked = date.fromisoformat(request.args.get(name, ""))
    except ValueError:
        return today()
    return asked if 2000 <= asked.year <= 2100 else today()


def is_background() -> bool:
    """Tell whether the page's own script asks."""
    return request.headers.get("X-Requested-With") == "hadir"


def keep_no_copy() -> None:
    """Let nobody get the page of this request back from the browser: something on it is shown only once."""

    @after_this_request
    def mark(response: Response) -> Response:
        response.headers["Cache-Control"] = "no-store"
        return response
