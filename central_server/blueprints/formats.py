"""How instants, days, durations and numbers are written on a page, in the reader's language."""

from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta

from babel.dates import format_date, format_time
from babel.numbers import format_decimal
from flask_babel import get_locale, ngettext
from flask_babel import gettext as _


def ago(moment: datetime | None, now: datetime) -> str:
    """Return "just now", "3 min ago", "2 h ago" or "4 days ago"."""
    if moment is None:
        return "–"
    minutes = int(max(timedelta(0), now - moment).total_seconds() // 60)
    if minutes < 1:
        return _("just now")
    if minutes < 60:
        return _("%(count)s min ago", count=minutes)
    if minutes < 60 * 24:
        return _("%(count)s h ago", count=minutes // 60)
    days = minutes // (60 * 24)
    return ngettext("%(num)d day ago", "%(num)d days ago", days)


def clock(moment: datetime | None) -> str:
    """Return the local time of an instant that already is in its site's time zone: 07:58."""
    return moment.strftime("%H:%M") if moment else "–"


def clock_s(moment: datetime | None) -> str:
    """Return the local time with seconds: 07:58:03."""
    return moment.strftime("%H:%M:%S") if moment else "–"


def moment(when: datetime | None) -> str:
    """Return day and time: 5 Jan 2026, 07:58."""
    return f"{day(when.date())}, {when:%H:%M}" if when else "–"


def day(when: date | None, style: str = "medium") -> str:
    """Return a date in words: 5 Jan 2026; with style "full": Monday, 5 January 2026."""
    pattern = {"medium": "d MMM y", "full": "EEEE, d MMMM y", "short": "d MMM", "weekday": "EEE"}[style]
    return format_date(when, pattern, locale=get_locale()) if when else "–"


def duration(seconds: float | None) -> str:
    """Return hours and minutes: "7 h 05 min"; under an hour "12 min"; unknown "–"."""
    if seconds is None:
        return "–"
    hours, minutes = divmod(int(seconds) // 60, 60)
    if not hours:
        return _("%(minutes)s min", minutes=minutes)
    return _("%(hours)s h %(minutes)s min", hours=hours, minutes=f"{minutes:02d}")


def number(value: float | None, pattern: str = "#,##0.##") -> str:
    return "–" if value is None else format_decimal(value, pattern, locale=get_locale())


def zone_name(when: datetime) -> str:
    """Return the name people give the time zone: WIB, WITA, WIT, or the offset."""
    names = {7: "WIB", 8: "WITA", 9: "WIT"}
    offset = when.utcoffset() or timedelta(0)
    return names.get(offset // timedelta(hours=1), format_time(when, "ZZZZ", locale="en"))


def initials(name: str) -> str:
    """Return one or two letters that stand for a person where there is no photo."""
    words = [word for word in name.split() if word[0].isalpha()] or ["?"]
    return (words[0][0] + (words[-1][0] if len(words) > 1 else "")).upper()


FILTERS: Mapping[str, Callable[..., str]] = {
    "ago": ago,
    "clock": clock,
    "clock_s": clock_s,
    "moment": moment,
    "day": day,
    "duration": duration,
    "number": number,
    "zone_name": zone_name,
    "initials": initials,
}
