"""What a kiosk says. It carries both languages, to change them and to explain without the server."""

from collections.abc import Mapping

from flask_babel import LazyString, force_locale
from flask_babel import lazy_gettext as lazy

LANGUAGES = ("id", "en")

WORDS: Mapping[str, LazyString] = {
    "start": lazy("Are you coming or leaving?"),
    "in": lazy("Clock in"),
    "out": lazy("Clock out"),
    "in_hint": lazy("I am coming to work"),
    "out_hint": lazy("I am leaving"),
    "badge_read": lazy("Badge read. Are you coming or leaving?"),
    "badge_hint": lazy("With a badge: hold it to the scanner at any time."),
    "who": lazy("Show your badge, or type your code and PIN"),
    "code": lazy("Employee code"),
    "pin": lazy("PIN"),
    "confirm": lazy("Confirm"),
    "cancel": lazy("Cancel"),
    "erase": lazy("Delete the last character"),
    "keys": lazy("Keys on the screen"),
    "letters": lazy("Letters for the code"),
    "camera": lazy("Scan the badge with the camera"),
    "camera_title": lazy("Hold the badge in front of the camera"),
    "camera_hint": lazy("The picture stays in this tablet: it is neither kept nor sent."),
    "camera_no": lazy("The camera cannot be used. Type your code and PIN instead."),
    "camera_late": lazy("No badge was found. Hold it nearer, in better light, or type your code and PIN."),
    "missing": lazy("Type your code and all six digits of your PIN."),
    "busy": lazy("One moment…"),
    "hello": lazy("Welcome, {name}"),
    "hello_at": lazy("In at {time}"),
    "goodbye": lazy("Goodbye, {name}"),
    "goodbye_at": lazy("Out at {time}"),
    "again_in": lazy("You had clocked in at {time} already. If you are leaving, clock out now."),
    "again_out": lazy("You had clocked out at {time} already. If you are coming back, clock in now."),
    "refused": lazy("Not recorded"),
    "wrong": lazy("This code and this PIN do not belong together."),
    "wrong_what": lazy(
        "Try again. After five wrong tries a PIN rests for five minutes or more; HR can give you a new one."
    ),
    "wrong_badge": lazy("This badge is not valid."),
    "wrong_badge_what": lazy("Use your code and PIN, or ask HR for a new badge."),
    "inactive": lazy("You cannot clock in or out here today."),
    "inactive_what": lazy("Please see HR: they can put this right, also for today."),
    "throttled": lazy("Too many wrong tries at this kiosk."),
    "throttled_what": lazy("Wait five minutes, or use a badge."),
    "unsure": lazy("No answer yet"),
    "unsure_what": lazy("Trying again by itself. However often it is sent, it counts once."),
    "given_up": lazy("Not confirmed"),
    "given_up_what": lazy("The server did not answer. Clock again later, and tell HR when you came or left."),
    "retry": lazy("Try again"),
    "done": lazy("Done"),
    "offline": lazy("No connection"),
    "offline_what": lazy(
        "Nothing can be recorded at this kiosk now. Tell HR or your supervisor when you came or left."
    ),
    "revoked": lazy("This tablet is not a kiosk"),
    "revoked_what": lazy("Ask an administrator for a link, and open it on this tablet."),
    "link": lazy("Use this device as a kiosk?"),
    "link_what": lazy(
        "Do this on the tablet at the door only. The link works once; afterwards no other device can use it."
    ),
    "link_yes": lazy("Use this device"),
    "link_gone": lazy("This link has been used, or is too old. Ask an administrator for a new one."),
    "link_lost": lazy("The server did not answer. Try again."),
    "language": lazy("Language"),
}


def kiosk_words() -> dict[str, dict[str, str]]:
    """Return the words by language."""
    found: dict[str, dict[str, str]] = {}
    for language in LANGUAGES:
        with force_locale(language):
            found[language] = {name: str(words) for name, words in WORDS.items()}
    return found
