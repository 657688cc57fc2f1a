"""One agent's cameras and thresholds, set on the dashboard; and how far the agent has followed."""

import math
from typing import Any

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from central_server.blueprints import camera_form, config_words
from central_server.blueprints.camera_form import CameraForm
from central_server.blueprints.extensions import db, hadir, limiter, utc_now
from central_server.blueprints.photos import private_image
from central_server.blueprints.request_facts import is_background, places, user
from central_server.db.models import Agent
from central_server.db.queries import configuration as reading
from central_server.db.queries.devices import camera_lines
from central_server.domain import camera_address
from central_server.ports import SealBroken, Sealing
from central_server.services import configure_agent, take_still
from central_server.services.configure_agent import Change, ConfigRefused
from common.agent_settings import AgentSettings, Problem
from common.camera_settings import KEPT, CameraConfig, MatchOverrides

blueprint = Blueprint("configuration", __name__, url_prefix="/cameras/agents/<agent_id>")


def _agent(agent_id: str) -> Agent:
    found = db.session.get(Agent, agent_id)
    if found is None or found.revoked_at is not None:
        abort(404)
    return found


def _seal() -> Sealing:
    return hadir().seal(configure_agent.PURPOSE)


def _change() -> Change:
    base = request.form.get("base", "")
    return Change(int(base) if base.isascii() and base.isdecimal() else -1, user().username, utc_now())


def _base(agent: Agent) -> AgentSettings | None:
    """Return what a change here builds on; None when the box's own file counts."""
    settings = configure_agent.base_settings(db.session(), agent, _seal())
    return None if settings is None or settings.is_local else settings


def _taken_back(agent: Agent) -> tuple[CameraConfig, ...]:
    """Return the cameras of the generation that was rolled back, if one was: they can be put right."""
    if not configure_agent.is_rolled_back(agent):
        return ()
    settings = configure_agent.wanted_settings(db.session(), agent, _seal())
    return settings.cameras if settings else ()


# -- the agent ---------------------------------------------------------------------------------------------


@blueprint.get("/")
def show(agent_id: str) -> str:
    return render_template("agent_config.html", **_facts(_agent(agent_id)))


@blueprint.get("/state")
def state(agent_id: str) -> str:
    """The part of the page that changes while the agent follows."""
    return render_template("_config_parts.html", **_facts(_agent(agent_id)))


def _facts(agent: Agent) -> dict[str, Any]:
    try:
        base, taken_back, is_sealed = _base(agent), _taken_back(agent), False
    except SealBroken:
        base, taken_back, is_sealed = None, (), True
    shown = base or configure_agent.reported_settings(agent)
    addresses = configure_agent.shown_addresses(agent)
    return {
        "line": reading.config_line(db.session(), agent),
        "history": reading.generations(db.session(), agent, places()),
        "standing": camera_lines(db.session(), agent, places(), now=utc_now()),
        "cameras": [(each, _place(each, addresses)) for each in shown.cameras],
        "taken_back": [each.camera_id for each in taken_back if shown.camera(each.camera_id) is None],
        "match": shown.match,
        "is_ours": base is not None,
        "is_sealed": is_sealed,
        "words": config_words,
    }


def _place(camera: CameraConfig, addresses: dict[str, str]) -> str:
    """Return where a camera is, without any secret."""
    if camera.url == KEPT:
        return addresses.get(camera.camera_id, "")
    return camera_address.shown(camera.url).place


@blueprint.post("/take-over")
def take_over(agent_id: str) -> Response:
    return _saved(agent_id, configure_agent.take_over)


@blueprint.post("/give-back")
def give_back(agent_id: str) -> Response:
    return _saved(agent_id, configure_agent.give_back)


@blueprint.post("/use/<int:generation_id>")
def use_again(agent_id: str, generation_id: int) -> Response:
    return _saved(agent_id, configure_agent.use_again, generation_id)


@blueprint.post("/match")
def match(agent_id: str) -> Response:
    """Set what is asked of a match; an empty field leaves it to the model."""
    try:
        numbers = [_number(name) for name in ("threshold", "margin")]
    except ValueError:
        flash(str(config_words.PROBLEMS["number"]), "bad")
        return redirect(url_for("configuration.show", agent_id=agent_id))
    return _saved(agent_id, configure_agent.set_match, MatchOverrides(*numbers))


def _number(name: str) -> float | None:
    text = request.form.get(name, "").strip().replace(",", ".")
    value = float(text) if text else None
    if value is not None and not math.isfinite(value):
        raise ValueError(text)
    return value


@blueprint.post("/camera/<camera_id>/remove")
def remove(agent_id: str, camera_id: str) -> Response:
    return _saved(agent_id, configure_agent.remove_camera, camera_id)


def _saved(agent_id: str, do: Any, *arguments: Any) -> Response:
    """Do one of the use cases, and go back to the agent's page with what came of it."""
    try:
        _do(agent_id, do, *arguments)
    except ConfigRefused as refused:
        for each in refused.problems:
            flash(config_words.problem_words(each), "bad")
    except SealBroken:
        flash(_("What was saved here cannot be opened any more. Begin anew."), "bad")
    else:
        flash(_("Saved. The agent gets it now."), "good")
    return redirect(url_for("configuration.show", agent_id=agent_id))


def _do(agent_id: str, do: Any, *arguments: Any) -> None:
    _agent(agent_id)
    with hadir().work() as work:
        agent = work.session.get_one(Agent, agent_id)
        do(work, agent, _seal(), *arguments, _change())


# -- a camera ----------------------------------------------------------------------------------------------


@blueprint.route("/camera", methods=["GET", "POST"])
def add(agent_id: str) -> ResponseReturnValue:
    return _camera_page(agent_id, None)


@blueprint.route("/camera/<camera_id>", methods=["GET", "POST"])
def edit(agent_id: str, camera_id: str) -> ResponseReturnValue:
    agent = _agent(agent_id)
    try:
        base, taken_back = _base(agent), _taken_back(agent)
    except SealBroken:
        base, taken_back = None, ()
    cameras = (*(base.cameras if base else ()), *taken_back)
    found = next((each for each in cameras if each.camera_id == camera_id), None)
    if found is None:
        abort(404)
    return _camera_page(agent_id, found)


def _camera_page(agent_id: str, before: CameraConfig | None) -> ResponseReturnValue:
    agent = _agent(agent_id)
    form = camera_form.filled(before)
    if not form.is_submitted():
        return _camera_form(agent, form, before)
    if form.validate():
        camera, problems = camera_form.camera_in(form, before)
        try:
            if problems:
                raise ConfigRefused(*problems)
            _do_camera(agent_id, camera, before)
            flash(_("Saved. The agent gets it now."), "good")
            return redirect(url_for("configuration.show", agent_id=agent_id))
        except ConfigRefused as refused:
            for words in camera_form.put_problems(form, _mine(refused.problems, camera)):
                flash(words, "bad")
        except SealBroken:
            flash(_("What was saved here cannot be opened any more. Begin anew."), "bad")
    camera_form.forget_secrets(form)
    return _camera_form(agent, form, before), 422


def _mine(problems: tuple[Problem, ...], camera: CameraConfig) -> list[Problem]:
    """Return problems as they concern this camera's form; those of another one lose their field."""
    mine = f"cameras.{camera.camera_id}."
    return [
        each if each.key.startswith(mine) or "." not in each.key else Problem("", each.code, each.words)
        for each in problems
    ]


def _do_camera(agent_id: str, camera: CameraConfig, before: CameraConfig | None) -> None:
    change = _change()
    with hadir().work() as work:
        agent = work.session.get_one(Agent, agent_id)
        instead_of = before.camera_id if before else ""
        configure_agent.put_camera(work, agent, _seal(), camera, change, instead_of)


def _camera_form(agent: Agent, form: CameraForm, before: CameraConfig | None) -> str:
    line = reading.config_line(db.session(), agent)
    camera_id = before.camera_id if before else ""
    address = camera_address.shown(before.url) if before else None
    return render_template(
        "camera_form.html",
        line=line,
        form=form,
        camera_id=camera_id,
        address=address,
        place=_place(before, configure_agent.shown_addresses(agent)) if before else "",
        has_hidden_sub=bool(before and before.sub_url and not form.sub_address.data),
        errors=[config_words.agent_words(each) for each in line.errors_of(camera_id)],
        zones=reading.zone_names(db.session(), agent.site_id),
        still=_still_facts(agent, camera_id) if camera_id else None,
        base=request.form.get("base") or line.wanted,
    )


# -- a picture to draw on ----------------------------------------------------------------------------------


@blueprint.post("/camera/<camera_id>/still")
@limiter.limit("20 per minute")
def ask(agent_id: str, camera_id: str) -> ResponseReturnValue:
    """Ask the agent for a picture of one of its cameras."""
    agent = _agent(agent_id)
    if camera_id not in configure_agent.shown_addresses(agent):
        abort(404)
    with hadir().work() as work:
        row = work.session.get_one(Agent, agent_id)
        take_still.ask_for_still(work, row, camera_id, by=user().username, now=utc_now())
    db.session.rollback()  # it has read before that, and would not see it
    if is_background():
        return _still_facts(agent, camera_id)
    return redirect(url_for("configuration.edit", agent_id=agent_id, camera_id=camera_id))


@blueprint.get("/camera/<camera_id>/still")
def still(agent_id: str, camera_id: str) -> ResponseReturnValue:
    return _still_facts(_agent(agent_id), camera_id), 200, {"Cache-Control": "no-store"}


def _still_facts(agent: Agent, camera_id: str) -> dict[str, Any]:
    """Return how it stands with the picture, for the page's script."""
    found = take_still.still_of(db.session(), hadir().config.home, agent, camera_id, now=utc_now())
    taken = str(int(found.taken_at.timestamp() * 1000)) if found.taken_at else ""
    where = {"agent_id": agent.agent_id, "camera_id": camera_id}
    words = {
        "none": _("No picture yet."),
        "waiting": _("The agent is bringing a picture…"),
        "ready": _("This picture is deleted ten minutes after it was taken."),
        "failed": config_words.agent_words(found.detail) if found.detail else _("The agent did not answer."),
    }[found.state]
    url = url_for("configuration.picture", taken=taken, **where) if found.state == "ready" else ""
    return {"state": found.state, "words": words, "url": url}


@blueprint.get("/camera/<camera_id>/picture")
def picture(agent_id: str, camera_id: str) -> Response:
    """Show the picture, and write down who looked at it: people may be in it."""
    path = take_still.still_file(hadir().config.home, _agent(agent_id).agent_id, camera_id, now=utc_now())
    if path is None:
        abort(404)
    with hadir().work() as work:
        take_still.note_look(work, user().actor, agent_id, camera_id, now=utc_now())
    return private_image(path)
