"""Read-only questions of the pages, answered with values that templates only have to show."""
