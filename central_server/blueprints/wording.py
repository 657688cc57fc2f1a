"""Every code that a page shows, in words that HR and technicians use, with its colour and shape.

A word is never told by its colour alone: each tone also has a shape and a text.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask_babel import LazyString
from flask_babel import gettext as _
from flask_babel import lazy_gettext as lazy


@dataclass(frozen=True, slots=True)
class Word:
    label: LazyString
    tone: str  # good | bad | warn | info | idle: a colour in hadir.css
    shape: str  # the symbol in icons.svg
    hint: LazyString | str = ""


PRESENCE: Mapping[str, Word] = {
    "in_area": Word(lazy("In area"), "good", "dot"),
    "out_of_area": Word(
        lazy("Out of area"), "bad", "triangle", lazy("Not seen for longer than the time allowed.")
    ),
    "elsewhere": Word(lazy("At another site"), "good", "dot", lazy("Seen at a site that is not their own.")),
    "not_arrived": Word(lazy("Not arrived"), "info", "ring", lazy("Not seen yet today.")),
    "punched_out": Word(
        lazy("Clocked out"), "idle", "leave", lazy("Clocked out at a kiosk before the end of the shift.")
    ),
    "off_shift": Word(lazy("Off shift"), "idle", "moon", lazy("Outside working hours.")),
    "on_break": Word(lazy("On break"), "idle", "pause", lazy("Not seen, during a break.")),
    "on_leave": Word(lazy("On leave"), "idle", "calendar", lazy("On leave today.")),
    "no_coverage": Word(
        lazy("Can't tell"), "warn", "question", lazy("Camera down, so nobody can say. No alert is sent.")
    ),
    "not_enrolled": Word(
        lazy("Not enrolled"), "idle", "dash", lazy("No accepted photo or no consent, and no badge.")
    ),
}
# Where the filter and the big numbers put each of them.
GROUPS: Mapping[str, tuple[str, ...]] = {
    "in": ("in_area", "elsewhere"),
    "out": ("out_of_area",),
    "unsure": ("no_coverage",),
    "absent": ("not_arrived",),
    "away": ("off_shift", "punched_out", "on_break", "on_leave"),
    "blank": ("not_enrolled",),
}
GROUP_WORDS: Mapping[str, Word] = {
    "in": Word(lazy("In area"), "good", "dot"),
    "out": Word(lazy("Out of area"), "bad", "triangle"),
    "unsure": Word(lazy("Can't tell"), "warn", "question"),
    "absent": Word(lazy("Not arrived"), "info", "ring"),
    "away": Word(lazy("Off, break or leave"), "idle", "moon"),
    "blank": Word(lazy("Not enrolled"), "idle", "dash"),
}

EVENTS: Mapping[str, Word] = {
    "seen": Word(lazy("Came into view"), "good", "enter"),
    "still": Word(lazy("Still in view"), "idle", "dot"),
    "left": Word(lazy("Left the view"), "info", "leave"),
    "in": Word(lazy("Clocked in"), "good", "enter"),
    "out": Word(lazy("Clocked out"), "info", "leave"),
    "unknown": Word(lazy("Unknown face"), "warn", "question"),
    "gap": Word(lazy("Gap: some events were lost"), "bad", "triangle"),
}

LIVENESS: Mapping[str, Word] = {
    "doubtful": Word(
        lazy("Maybe a picture"),
        "warn",
        "question",
        lazy("The face may have been a photo or a screen. It counts as seen all the same."),
    ),
}

ATTENDANCE: Mapping[str, Word] = {
    "present": Word(lazy("Present"), "good", "dot"),
    "late": Word(lazy("Late"), "warn", "clock"),
    "absent": Word(lazy("Absent"), "bad", "triangle"),
    "incomplete": Word(
        lazy("Incomplete"), "warn", "question", lazy("No hours can be told: ask, then correct it.")
    ),
    "leave": Word(lazy("On leave"), "idle", "calendar"),
    "holiday": Word(lazy("Holiday"), "idle", "calendar"),
    "off": Word(lazy("Day off"), "idle", "moon"),
    "not_started": Word(lazy("Shift not begun"), "idle", "clock"),
    "none": Word(lazy("Not recorded yet"), "idle", "dash"),
    "not_on_record": Word(lazy("Not on record yet"), "idle", "dash"),
}

ALERTS: Mapping[str, Word] = {
    "out_of_area": Word(lazy("Out of area"), "bad", "triangle"),
    "camera_down": Word(lazy("Camera down"), "warn", "camera"),
    "agent_down": Word(lazy("Agent down"), "warn", "box"),
    "agent_cloned": Word(lazy("Two boxes, one identity"), "warn", "box"),
}
CLOSE_REASONS: Mapping[str, LazyString] = {
    "returned": lazy("The person is back."),
    "off_shift": lazy("The shift is over."),
    "on_leave": lazy("The person is on leave."),
    "not_followed": lazy("The person is not watched any more."),
    "back": lazy("It works again."),
    "contradicted": lazy("Late news: the person was there after all."),
}

NOTIFICATIONS: Mapping[str, Word] = {
    "pending": Word(lazy("Waiting to be sent"), "info", "clock"),
    "leased": Word(lazy("Being sent now"), "info", "clock"),
    "accepted": Word(lazy("Taken by the provider"), "info", "check"),
    "sent": Word(lazy("Sent"), "info", "check"),
    "delivered": Word(lazy("Delivered to the phone"), "good", "check"),
    "read": Word(lazy("Read"), "good", "checks"),
    "failed": Word(lazy("Failed"), "bad", "triangle"),
    "ambiguous": Word(lazy("Unclear whether it was sent"), "warn", "question"),
    "dropped_stale": Word(lazy("Not sent: it was too old to be news"), "warn", "dash"),
    "cancelled": Word(lazy("Not sent: the person was back first"), "idle", "dash"),
}
ATTEMPTS: Mapping[str, LazyString] = {
    "accepted": lazy("The provider took the message."),
    "retry": lazy("It did not go through; it will be tried again."),
    "failed": lazy("The provider refused the message."),
    "ambiguous": lazy("No answer came, so it may or may not have been sent."),
    "sent": lazy("WhatsApp sent it."),
    "delivered": lazy("It reached the phone."),
    "read": lazy("It was read."),
}
CHANNELS: Mapping[str, LazyString] = {"whatsapp": lazy("WhatsApp"), "email": lazy("E-mail")}

PHOTOS: Mapping[str, Word] = {
    "pending": Word(lazy("Waiting for an agent"), "info", "clock"),
    "sent": Word(lazy("Being checked"), "info", "clock"),
    "accepted": Word(lazy("Accepted"), "good", "check"),
    "rejected": Word(lazy("Not usable"), "bad", "triangle"),
}
PHOTO_REASONS: Mapping[str, LazyString] = {
    "no_face": lazy("No face was found. Take it from the front, in good light."),
    "several_faces": lazy("More than one face. Use a photo with this person alone."),
    "too_small": lazy("The face is too small. Come closer, or use the original photo."),
    "blurred": lazy("The photo is blurred. Hold still and try again."),
    "turned": lazy("The face is turned away. Look straight into the camera."),
    "corrupt": lazy("The file cannot be read as a picture. Use a JPEG or PNG photo."),
    "file_gone": lazy("The photo's file is gone from the server. Upload it again."),
    "not_a_photo": lazy("The file is not a JPEG or PNG picture."),
    "too_large": lazy("The file is too large. Use a photo under 15 MB."),
    "no_consent": lazy("Record the person's consent first."),
    "not_active": lazy("This person is not an active employee."),
    "too_many": lazy("Enough photos are here already."),
    "no_photo": lazy("There is no photo to make face data from. Upload one."),
    "unknown": lazy("The photo cannot be used. Try another one."),
}

HOLDS: Mapping[str, Word] = {
    "enrolled": Word(lazy("Holds it"), "good", "check", lazy("As it should: the person is enrolled.")),
    "told": Word(
        lazy("Forgetting it"),
        "info",
        "clock",
        lazy("Wait a minute. If it stays like this, restart the agent on the box."),
    ),
    "away": Word(
        lazy("May hold it"),
        "warn",
        "question",
        lazy("Switch the box on and connect it: it then forgets within seconds. Or wait for the time given."),
    ),
    "revoked": Word(
        lazy("Shut out"),
        "warn",
        "question",
        lazy(
            "It may hold it and cannot connect any more. Get it back and erase its disk, or wait "
            "for the time given."
        ),
    ),
    "lapsed": Word(
        lazy("Its time is over"),
        "idle",
        "dash",
        lazy("If it runs, it has wiped itself. If it is off, it does so when it starts; or erase its disk."),
    ),
}

AGENTS: Mapping[str, Word] = {
    "online": Word(lazy("Online"), "good", "dot"),
    "joined": Word(
        lazy("Joined, not started yet"),
        "info",
        "clock",
        lazy("Start it on the box: sudo systemctl start hadir-agent, or hadir agent run."),
    ),
    "silent": Word(lazy("Silent"), "bad", "triangle", lazy("No heartbeat. Is the box on, and its network?")),
    "offline": Word(
        lazy("Offline"), "bad", "triangle", lazy("The connection broke. Is the box on, and its network?")
    ),
    "stopped": Word(lazy("Stopped"), "warn", "pause", lazy("It was switched off in good order.")),
    "clock": Word(
        lazy("Clock is wrong"), "bad", "clock", lazy("Its clock is minutes off. Set up its time server.")
    ),
    "draining": Word(
        lazy("Catching up"), "warn", "clock", lazy("It is still sending what it saw earlier. Wait a little.")
    ),
}
CAMERAS: Mapping[str, Word] = {
    "online": Word(lazy("Online"), "good", "dot"),
    "degraded": Word(lazy("Degraded"), "warn", "question"),
    "offline": Word(lazy("Offline"), "bad", "triangle"),
    "disabled": Word(lazy("Switched off"), "idle", "dash"),
    "unheard": Word(lazy("Can't tell"), "warn", "question", lazy("Its agent is not connected.")),
}
CAMERA_REASONS: Mapping[str, LazyString] = {
    "starting": lazy("Starting. Wait half a minute."),
    "auth": lazy("The camera refused the user name or password. Correct them in the agent's settings."),
    "dns": lazy("The camera's name cannot be found. Check the address, or use the IP number."),
    "refused": lazy(
        "The camera refused the connection. Is RTSP switched on, and the port right (often 554)?"
    ),
    "timeout": lazy("No answer. Check power, network cable and IP address."),
    "decode": lazy("The picture cannot be decoded. Set the camera to H.264 and restart it."),
    "stalled": lazy("Connected, but no new pictures arrive. Restart the camera; check the network's load."),
    "ended": lazy("The recording has come to its end."),
    "dark": lazy("The picture is dark. Switch on a light or the camera's infrared."),
    "covered": lazy("Something covers the lens. Clean or uncover it."),
    "frozen": lazy("The picture is frozen. Restart the camera."),
    "moved": lazy("The camera has been moved. Point it where it was."),
}

KIOSKS: Mapping[str, Word] = {
    "waiting": Word(lazy("Link not opened yet"), "info", "clock"),
    "online": Word(lazy("In use"), "good", "dot"),
    "silent": Word(
        lazy("Silent"), "bad", "triangle", lazy("Is the tablet on, its page open, and its network there?")
    ),
    "revoked": Word(lazy("Shut out"), "idle", "dash"),
}

REPORTS: Mapping[str, Word] = {
    "due": Word(lazy("Being made"), "info", "clock"),
    "ready": Word(lazy("Ready"), "good", "check"),
    "failed": Word(lazy("Failed"), "bad", "triangle"),
}

ROLE_WORDS: Mapping[str, LazyString] = {
    "admin": lazy("Administrator"),
    "hr": lazy("HR"),
    "supervisor": lazy("Supervisor"),
    "viewer": lazy("Viewer"),
    "manager": lazy("Manager"),
    "it": lazy("IT"),
}
ENROLMENT: Mapping[str, Word] = {
    "enrolled": Word(lazy("Enrolled"), "good", "check"),
    "badge": Word(lazy("Badge or PIN"), "good", "check", lazy("Clocks in and out at a kiosk instead.")),
    "checking": Word(lazy("Photos being checked"), "info", "clock"),
    "no_photo": Word(lazy("No usable photo"), "warn", "question"),
    "no_consent": Word(lazy("No consent"), "warn", "dash"),
    "resigned": Word(lazy("Resigned"), "idle", "dash"),
    "suspended": Word(lazy("Suspended"), "idle", "pause"),
}
PROBLEMS: Mapping[str, LazyString] = {
    "name_empty": lazy("Give a name."),
    "name_taken": lazy("That name is taken."),
    "unknown_role": lazy("Choose a role."),
    "unknown_user": lazy("That account does not exist."),
    "last_admin": lazy("This is the last administrator; make another one first."),
    "password_wrong": lazy("The present password is not right."),
    "password_short": lazy("Use at least 10 characters."),
    "code_wrong": lazy("A code has 1 to 64 characters, without / or \\ and without spaces at its ends."),
    "code_taken": lazy("That code is taken."),
    "phone_wrong": lazy("That is not a phone number. Write it like 0812-3456-7890."),
    "own_supervisor": lazy("Nobody can be their own supervisor."),
    "circular_supervisor": lazy("That supervisor is below this person already."),
    "unknown_zone": lazy("That zone does not exist."),
    "too_long": lazy("That is too long."),
    "unknown_supervisor": lazy("That supervisor does not exist."),
    "unknown_employee": lazy("That employee does not exist."),
    "resigned": lazy("This person no longer works here."),
    "reason_empty": lazy("Say why."),
    "order_wrong": lazy("The last out must be after the first in."),
    "in_future": lazy("That time has not come yet."),
    "camera_value": lazy("What a camera saw cannot be taken away. Give the right time, or a status."),
    "nothing_changed": lazy("Nothing was changed."),
    "minutes_wrong": lazy("Give the overtime in minutes, 0 to 1440."),
    "words_empty": lazy("Write down what the employee says."),
    "answer_empty": lazy("Write down the answer."),
    "settled_already": lazy("This has been answered already."),
    "email_wrong": lazy("That is not an e-mail address."),
    "already_listed": lazy("This address is on the list already."),
    "before_first_day": lazy("The last day cannot be before the first day."),
    "unknown_site": lazy("That site does not exist."),
    "zone_elsewhere": lazy("That zone is at another site."),
    "no_address": lazy("Give a phone number or an e-mail address."),
}


# The names that templates know these tables by.
FOR_TEMPLATES: Mapping[str, Mapping[str, Any]] = {
    "presence_words": PRESENCE,
    "group_words": GROUP_WORDS,
    "event_words": EVENTS,
    "liveness_words": LIVENESS,
    "attendance_words": ATTENDANCE,
    "alert_words": ALERTS,
    "close_reasons": CLOSE_REASONS,
    "notification_words": NOTIFICATIONS,
    "attempt_words": ATTEMPTS,
    "channels": CHANNELS,
    "photo_words": PHOTOS,
    "photo_reasons": PHOTO_REASONS,
    "agent_words": AGENTS,
    "camera_words": CAMERAS,
    "camera_reasons": CAMERA_REASONS,
    "report_words": REPORTS,
    "role_words": ROLE_WORDS,
    "kiosk_words": KIOSKS,
    "enrolment_words": ENROLMENT,
}


def word(words: Mapping[str, Word], code: str) -> Word:
    """Return the word for code; one that this page does not know is shown as it is, in grey."""
    found = words.get(code)
    return found or Word(LazyString(lambda: code.replace("_", " ") or "–"), "idle", "dash")


def phrase(phrases: Mapping[str, Any], code: str) -> str:
    return str(phrases.get(code, code))


def error_words(code: int) -> tuple[str, str]:
    """Return a heading and what to do for an HTTP status."""
    known = {
        400: (
            _("That did not work"),
            _("The page had been open for too long. Go back, reload and try again."),
        ),
        401: (_("Please sign in"), _("You have been signed out.")),
        403: (_("This page is not for you"), _("Ask an administrator if you need it for your work.")),
        405: (_("There is nothing to see here"), _("This address only takes forms. Use the menu to go on.")),
        404: (_("There is no such page"), _("It may have been removed, or the address has a mistake.")),
        413: (_("That is too much at once"), _("Upload fewer or smaller photos.")),
        429: (_("Too many tries"), _("Wait a few minutes, then try again.")),
    }
    return known.get(code, (_("Something went wrong here"), _("It has been noted. Try again in a moment.")))
