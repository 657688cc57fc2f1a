"""A generation of the dashboard's, made into what this box can run: its own addresses filled in."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from common.agent_settings import Problem, Unreadable, camera_body, from_json
from common.camera_settings import KEPT, CameraConfig, MatchOverrides, shown_address
from common.events import ConfigError, ConfigOrigin
from edge_agent.config import EdgeConfig
from edge_agent.core.config_change import Document, Held, Stage

MOST_BYTES = 50_000  # of what a birth message tells of the cameras


@dataclass(frozen=True, slots=True)
class Plan:
    """What to run."""

    cameras: tuple[CameraConfig, ...]
    match: MatchOverrides
    is_local: bool  # from the box's own file


@dataclass(frozen=True, slots=True)
class Reading:
    """A document as read here. With errors it must not begin a trial; notices are told, and do no harm."""

    plan: Plan
    errors: tuple[ConfigError, ...] = ()
    notices: tuple[ConfigError, ...] = ()


def local_plan(config: EdgeConfig) -> Plan:
    return Plan(config.cameras, config.match, is_local=True)


def read_document(document: Document, local: EdgeConfig) -> Reading:
    """Return what document asks for; local is the box's own file."""
    try:
        found = from_json(document.text.encode())
    except Unreadable as error:
        return Reading(local_plan(local), (ConfigError(key="configuration", words=str(error)),))
    errors = [_told(each) for each in found.problems]
    if found.settings.gen != document.gen:
        errors.append(ConfigError(key="configuration", words="it is of another generation than announced"))
    words = "this agent does not know this setting, and does without; bring it up to date"
    notices = tuple(ConfigError(key=each, words=words) for each in found.ignored)
    if found.settings.is_local:
        return Reading(local_plan(local), tuple(errors), notices)
    cameras, lacking = filled_in(found.settings.cameras, local.cameras)
    errors += lacking
    return Reading(Plan(cameras, found.settings.match, is_local=False), tuple(errors), notices)


def filled_in(
    wanted: Iterable[CameraConfig], own: Iterable[CameraConfig]
) -> tuple[tuple[CameraConfig, ...], list[ConfigError]]:
    """Return wanted with the addresses of the box's own file where they are to be kept.

    A camera whose address is not there is left out, and an error tells of it.
    """
    known = {each.camera_id: each for each in own}
    cameras, lacking = [], []
    for camera in wanted:
        mine = known.get(camera.camera_id)
        if KEPT not in (camera.url, camera.sub_url):
            cameras.append(camera)
        elif mine is None:
            words = "the box is to keep its own address, but its file has no such camera"
            lacking.append(ConfigError(key=f"cameras.{camera.camera_id}.url", words=words))
        else:
            url = mine.url if camera.url == KEPT else camera.url
            sub_url = mine.sub_url if camera.sub_url == KEPT else camera.sub_url
            cameras.append(replace(camera, url=url, sub_url=sub_url))
    return tuple(cameras), lacking


def plan_in_force(held: Held, local: EdgeConfig) -> tuple[Plan, tuple[ConfigError, ...]]:
    """Return what to run at the start of the agent, and what of it cannot be run after all.

    (A document that was right may not be any longer: the box's own file has lost a camera since.)
    """
    if not local.remote or held.in_force is None:
        return local_plan(local), ()
    reading = read_document(held.in_force, local)
    return reading.plan, reading.errors


def origin_of(held: Held, plan: Plan, local: EdgeConfig) -> ConfigOrigin:
    if not local.remote:
        return ConfigOrigin.REFUSED
    if held.stage is Stage.ROLLED_BACK:
        return ConfigOrigin.ROLLED_BACK
    return ConfigOrigin.LOCAL if plan.is_local else ConfigOrigin.REMOTE


def without_secrets(plan: Plan) -> dict[str, Any]:
    """Return a plan for the dashboard to show, and to begin with when it takes over: no address in full.

    A broker hangs up on messages that are too long: then it is cut to the bare list, and says so.
    """
    cameras = []
    for camera in plan.cameras:
        body = camera_body(camera) | {"url": KEPT, "shown": shown_address(camera.url)}
        cameras.append(body | ({"sub_url": KEPT} if camera.sub_url else {}))
    is_cut = len(json.dumps(cameras)) > MOST_BYTES
    if is_cut:
        cameras = [{name: each[name] for name in ("camera_id", "name", "url", "shown")} for each in cameras]
    match = {"threshold": plan.match.threshold, "margin": plan.match.margin}
    return {"cameras": cameras, "match": match} | ({"is_cut": True} if is_cut else {})


def _told(problem: Problem) -> ConfigError:
    return ConfigError(key=problem.key, words=problem.words)
