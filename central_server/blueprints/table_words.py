"""Tables, their columns, and what can be wrong with a value, in the words of the page's language."""

from collections.abc import Mapping

from flask_babel import LazyString
from flask_babel import lazy_gettext as lazy

from central_server.ports import UnreadableTable
from central_server.services.exchange.table import Problem, Table

TABLES: Mapping[str, tuple[LazyString, LazyString]] = {
    "sites": (lazy("Sites"), lazy("Places with a time zone and a daily report of their own.")),
    "zones": (lazy("Zones"), lazy("The parts of a site that cameras watch.")),
    "roles": (lazy("Roles"), lazy("How long somebody of a role may be unseen.")),
    "employees": (lazy("Employees"), lazy("Everybody, with department, phone, site and zones.")),
    "hierarchy": (lazy("Supervisors"), lazy("Who is told about whom, from when to when.")),
    "leaves": (lazy("Leave and business trips"), lazy("Whole days on which somebody is not expected.")),
    "shifts": (lazy("Shifts"), lazy("From when to when people work, and on which days.")),
    "rotations": (lazy("Rotations"), lazy("Shifts that follow each other day by day and begin again.")),
    "assignments": (
        lazy("Who works when"),
        lazy("The default of each site, and people's own."),
    ),
    "breaks": (lazy("Breaks"), lazy("Lunch, prayers, Friday prayer, Ramadan: when nobody is missing.")),
    "holidays": (lazy("Holidays"), lazy("National days, collective leave and the company's own.")),
}

COLUMNS: Mapping[str, LazyString] = {
    "sites.site_id": lazy("A short name of a-z, 0-9 and '-'. It cannot be changed later."),
    "sites.name": lazy("As people call it."),
    "sites.timezone": lazy("WIB, WITA, WIT, or a name like Asia/Singapore."),
    "sites.report_at": lazy("Local time of the daily report."),
    "zones.zone_id": lazy("A short name of a-z, 0-9 and '-'. It cannot be changed later."),
    "zones.site_id": lazy("The short name of the site."),
    "zones.name": lazy("As people call it."),
    "zones.threshold_s": lazy("Seconds for which somebody may be unseen. Empty: as usual, five minutes."),
    "zones.is_public": lazy("yes: visitors pass here too, so nobody may be recognised."),
    "zones.is_entrance": lazy("yes: whoever comes or goes passes here."),
    "roles.role": lazy("As it stands at the employees."),
    "roles.threshold_s": lazy("Seconds for which somebody of this role may be unseen. Empty: as usual."),
    "employees.employee_id": lazy("The code of your HR system. It cannot be changed later."),
    "employees.name": lazy("The full name."),
    "employees.department": lazy("As reports show it."),
    "employees.role": lazy("What the person works as, for example Satpam."),
    "employees.phone": lazy("For WhatsApp. 0812… becomes +62812…."),
    "employees.email": lazy("For messages by e-mail."),
    "employees.site_id": lazy("The short name of the site. Empty: stays as it is."),
    "employees.started_on": lazy("The first day of work."),
    "employees.resigned_on": lazy("The last day. It is shown only: record it on the person's page."),
    "employees.is_watched": lazy("no: nobody is alerted about this person."),
    "employees.zones": lazy("Where the person works: short names of zones with ; between them."),
    "employees.supervisor_id": lazy("The code of the direct supervisor, from today on."),
    "hierarchy.employee_id": lazy("The code of the employee."),
    "hierarchy.supervisor_id": lazy("The code of the supervisor."),
    "hierarchy.level": lazy("1 is the direct supervisor, 2 the one to ask next."),
    "hierarchy.valid_from": lazy("The first day. Empty: always."),
    "hierarchy.valid_to": lazy("The last day. Empty: until further notice."),
    "leaves.employee_id": lazy("The code of the employee."),
    "leaves.kind": lazy("leave, annual, sick, maternity, unpaid, or trip for a business trip."),
    "leaves.first_on": lazy("The first day. It tells the leaves of one person apart."),
    "leaves.last_on": lazy("The last day."),
    "leaves.note": lazy("Anything you want to keep with it."),
    "shifts.shift_id": lazy("A short name of a-z, 0-9 and '-'. It cannot be changed later."),
    "shifts.ends": lazy("At or before the start it means the next day: 22:00 to 06:00 is a night."),
    "shifts.weekdays": lazy("mon-fri, or mon,wed,fri. In a rotation they do not count."),
    "shifts.early_in_min": lazy("Who is seen this long before the start has come for this shift."),
    "shifts.late_out_min": lazy("Who is seen this long after the end was still at work."),
    "shifts.late_grace_min": lazy("Minutes that are not yet late."),
    "shifts.early_leave_grace_min": lazy("Minutes that are not yet left early."),
    "rotations.rotation_id": lazy("A short name of a-z, 0-9 and '-'. It cannot be changed later."),
    "rotations.starts_on": lazy("A day on which the pattern begins. It goes on in both directions."),
    "rotations.pattern": lazy("Short names of shifts, and off for a day off, one a day, with commas."),
    "assignments.employee_id": lazy("The code of the employee. Empty: the default of the site."),
    "assignments.shift_id": lazy("The short name of a shift. Either this or a rotation."),
    "assignments.rotation_id": lazy("The short name of a rotation. Either this or a shift."),
    "assignments.valid_from": lazy("Empty: always. What begins later replaces it from that day."),
    "assignments.valid_to": lazy(
        "Empty: until something newer begins. After this day what was there before counts."
    ),
    "breaks.shift_id": lazy("The short name of a shift. Empty: every shift."),
    "breaks.name": lazy(
        "A break with dates replaces the one of the same name on those dates, for example Lunch."
    ),
    "breaks.weekdays": lazy("mon-fri, or mon,wed,fri. Empty: every day."),
    "breaks.is_paid": lazy("yes: it counts as work, for example a short prayer."),
    "holidays.kind": lazy("national, collective or company."),
    "holidays.site_id": lazy("The short name of the site. Empty: every site."),
    "holidays.is_certain": lazy("no: foreseen, and not announced yet."),
}

PROBLEMS: Mapping[str, LazyString] = {
    "empty": lazy("%(column)s is empty."),
    "no_rows": lazy("There are no rows in this file."),
    "missing_column": lazy("The column %(column)s is missing."),
    "unknown_column": lazy("There is no column %(column)s in this table."),
    "repeated": lazy("The same row is on line %(value)s already."),
    "no_date": lazy("%(column)s: %(value)s is not a date like 2026-11-25 or 25/11/2026."),
    "no_time": lazy("%(column)s: %(value)s is not a time like 08:30."),
    "no_number": lazy("%(column)s: %(value)s is not a whole number, or it is out of range."),
    "no_yes_or_no": lazy("%(column)s: %(value)s is neither yes nor no."),
    "no_slug": lazy("%(column)s: %(value)s may hold only a-z, 0-9 and '-', at most 32."),
    "too_long": lazy("%(column)s is too long."),
    "no_choice": lazy("%(column)s: %(value)s is none of the words that can stand here: %(among)s."),
    "no_weekdays": lazy("%(column)s: %(value)s is no weekday. Write mon-fri, senin-jumat, or mon,wed,fri."),
    "order": lazy("%(column)s: %(value)s is before the beginning."),
    "no_site": lazy("There is no site %(value)s."),
    "no_site_named": lazy("No site is named. Name it in the column site_id, or choose one for the new rows."),
    "too_many_values": lazy("There are more values than headings. Is a comma in a text without quotes?"),
    "no_zone": lazy("There is no zone %(value)s."),
    "no_employee": lazy("Nobody has the code %(value)s."),
    "in_use": lazy("It cannot be removed while other things belong to it: %(value)s."),
    "exists": lazy("That is there already."),
    "taken": lazy("There is one called %(value)s already."),
    "no_timezone": lazy("%(value)s is not a time zone like Asia/Jakarta, or WIB, WITA, WIT."),
    "public_entrance": lazy("In a public zone nobody is recognised, so it cannot be the entrance."),
    "zone_moves": lazy("Cameras or people belong to this zone, so it cannot move to another site."),
    "no_code": lazy("%(value)s is no code: 1 to 64 characters, without / or \\."),
    "no_phone": lazy("%(value)s is not a phone number. Write it like 0812-3456-7890."),
    "no_email": lazy("%(value)s is not an e-mail address."),
    "only_shown": lazy("Nobody leaves by a table, because that erases face data: use the person's page."),
    "own_superior": lazy("Nobody can be their own supervisor."),
    "circular": lazy("Then this person and %(value)s would be above each other."),
    "level_taken": lazy("%(value)s has that level on some of these days. End that first."),
    "no_shift": lazy("There is no shift %(value)s."),
    "no_rotation": lazy("There is no rotation %(value)s."),
    "off_is_taken": lazy("A shift cannot be called off: that is the word for a day off."),
    "one_of_two": lazy("Choose a shift or a rotation."),
    "same_start": lazy("From the same day, and on a same weekday, %(value)s is given too."),
    "same_name": lazy("Two breaks called %(value)s begin on one day and share a weekday. Rename one."),
    "other_site": lazy("This person belongs to the site %(value)s. Name that one."),
    "overlaps": lazy("It overlaps the leave that begins on %(value)s."),
}

UNREADABLE: Mapping[str, LazyString] = {
    "empty_file": lazy("There is nothing in the file."),
    "not_text": lazy("This is no table: neither text nor an Excel workbook."),
    "old_excel": lazy("This is of an old Excel. Save it as .xlsx or as CSV."),
    "too_large": lazy("The file is too large. Import it in parts."),
    "too_much": lazy("There is far more in this file than a table has, perhaps in rows that look empty."),
    "too_many_rows": lazy("More than %(value)s rows. Import them in parts."),
    "repeated_heading": lazy("The heading %(value)s stands there twice."),
    "broken_csv": lazy("A quotation mark is open, or in the wrong place, at line %(value)s or before."),
    "broken_excel": lazy("The Excel workbook is damaged, or has a password."),
}


def table_name(table: Table) -> str:
    return str(TABLES[table.name][0]) if table.name in TABLES else table.name.replace("_", " ").capitalize()


def table_words(table: Table) -> str:
    return str(TABLES[table.name][1]) if table.name in TABLES else ""


def column_words(table: Table, column: str) -> str:
    """Return what to write into a column; nothing when nobody said it."""
    return str(COLUMNS.get(f"{table.name}.{column}", ""))


def problem_words(problem: Problem, label: str = "") -> str:
    """Return the sentence; label: what the field is called on a form, else the column's heading."""
    if problem.code not in PROBLEMS:
        return problem.words
    said = {"column": label or problem.column, "value": problem.value, "among": problem.among}
    return str(PROBLEMS[problem.code]) % said


def column_and_problem(problem: Problem) -> str:
    """Return the sentence with the column's heading before it, where it does not name it itself."""
    words = problem_words(problem)
    return words if not problem.column or problem.column in words else f"{problem.column}: {words}"


def unreadable_words(error: UnreadableTable) -> str:
    return str(UNREADABLE[error.code]) % {"value": error.value}
