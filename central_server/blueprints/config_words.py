"""What the pages of configuration say, in both languages: states, notes of the history, problems, errors."""

import re
from collections.abc import Mapping

from flask_babel import LazyString
from flask_babel import gettext as _
from flask_babel import lazy_gettext as lazy

from central_server.blueprints.wording import CAMERA_REASONS, Word, phrase
from common.agent_settings import Problem

STATES: Mapping[str, Word] = {
    "local": Word(
        lazy("In the box's own file"), "idle", "box", lazy("Its cameras are set in the box's own file.")
    ),
    "no_say": Word(
        lazy("Only in the box's file"),
        "idle",
        "box",
        lazy("The box's own file says that the dashboard has no say (remote: no)."),
    ),
    "waiting": Word(
        lazy("On its way"), "info", "clock", lazy("The agent gets it as soon as it is connected.")
    ),
    "trying": Word(
        lazy("Being tried"),
        "info",
        "clock",
        lazy("It stays if every camera that had a picture has one again within two minutes."),
    ),
    "applied": Word(lazy("Applied"), "good", "check", lazy("The agent does what is set here.")),
    "refused": Word(
        lazy("Not usable"),
        "bad",
        "triangle",
        lazy("The agent cannot use this and goes on with what it had. Correct what is named below."),
    ),
    "rolled_back": Word(
        lazy("Rolled back"),
        "bad",
        "triangle",
        lazy("A camera lost its picture, so the agent went back to what worked before."),
    ),
    "ahead": Word(
        lazy("The box knows a later one"),
        "warn",
        "question",
        lazy("The box has tried a later generation than this server knows of. Save here to replace it."),
    ),
}

NOTES: Mapping[str, LazyString] = {
    "take_over": lazy("Taken over from the box's own file"),
    "give_back": lazy("Given back to the box's own file"),
    "match": lazy("Thresholds changed"),
    "add": lazy("Added"),
    "change": lazy("Changed"),
    "remove": lazy("Removed"),
    "again": lazy("Used again: generation"),
}

PROBLEMS: Mapping[str, LazyString] = {
    "needed": lazy("This is needed."),
    "slug": lazy("Only a-z, 0-9 and -, at most 32 of them."),
    "twice": lazy("Another camera of this agent has this name."),
    "stream": lazy("Write the address of a stream (rtsp://…) or a webcam (webcam:0)."),
    "address": lazy("This address cannot be read. Write the user and password into their own fields."),
    "other_host": lazy("The smaller stream must come from the same camera."),
    "password_again": lazy("The address is another one: type the password again."),
    "again": lazy("Type the password again."),
    "long": lazy("This is too long."),
    "choice": lazy("Choose one of the list."),
    "step": lazy("Use a multiple of 32."),
    "whole": lazy("Use a whole number."),
    "number": lazy("That is not a number."),
    "corners": lazy("Each line needs three corners or more, like 0,0 0.3,0 0.3,0.4, from 0 to 1."),
    "zone_name": lazy("Write a name and a colon before the corners."),
    "changed_meanwhile": lazy("Somebody else has changed it meanwhile. Look at it, and try again."),
    "is_cut": lazy("The box has more settings than it can tell. Add its cameras here one by one."),
    "too_many": lazy("These are more cameras than one agent takes."),
    "unknown": lazy("That generation is not kept any longer."),
}  # fmt: skip

# What agents say in English, word for word: edge_agent/wanted_config.py and config_keeper.py.
AGENT_WORDS: Mapping[str, LazyString] = {
    "the box's own file says that the dashboard has no say (remote: no)": lazy(
        "The box's own file says that the dashboard has no say (remote: no)."
    ),
    "this agent does not know this setting, and does without; bring it up to date": lazy(
        "This agent does not know this setting. Bring it up to date."
    ),
    "the box is to keep its own address, but its file has no such camera": lazy(
        "The box's own file has no such camera any more. Give the address here."
    ),
}
_NO_PICTURE = re.compile(r"no picture \((\w+)\)")
_ENDED = re.compile(r"the agent ended (\d+) times .*")


def problem_words(problem: Problem) -> str:
    if problem.code == "between":
        return _("From %(low)s to %(high)s.", low=f"{problem.low:g}", high=f"{problem.high:g}")
    if problem.code == "taken":
        return _("This camera belongs to another agent. Choose another name.")
    return str(PROBLEMS.get(problem.code, problem.words))


def agent_words(words: str) -> str:
    """Return what an agent said, in the page's language where it is known."""
    if found := _NO_PICTURE.fullmatch(words):
        return _("No picture.") + " " + phrase(CAMERA_REASONS, found[1])
    if found := _ENDED.fullmatch(words):
        return _("The agent ended %(times)s times before this could prove itself.", times=found[1])
    return str(AGENT_WORDS.get(words, words))


def note_words(note: str) -> str:
    """Return a note of the history, e.g. change:gate-1, in words."""
    what, _colon, subject = note.partition(":")
    return f"{NOTES.get(what, what)} {subject}".strip()
