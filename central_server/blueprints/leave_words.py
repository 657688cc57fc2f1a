"""Why somebody is not expected at work, in the page's language."""

from collections.abc import Mapping

from flask_babel import LazyString
from flask_babel import lazy_gettext as lazy

LEAVE_KINDS: Mapping[str, LazyString] = {
    "annual": lazy("Annual leave"),
    "sick": lazy("Sick leave"),
    "maternity": lazy("Maternity leave"),
    "unpaid": lazy("Unpaid leave"),
    "leave": lazy("Other leave"),
    "trip": lazy("Business trip"),
}
