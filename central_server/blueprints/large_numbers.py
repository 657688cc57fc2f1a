"""A number in an address that no row can have leads nowhere: a database would answer it with an error."""

from flask import Flask, abort, request

LARGEST = 2**31 - 1  # what the databases keep as an id
MOST_PAGES = 1_000_000


def refuse_large() -> None:
    """Before each request: there is no page of such a number."""
    for value in (request.view_args or {}).values():
        if isinstance(value, int) and value > LARGEST:
            abort(404)
    page = request.args.get("page", "")
    if len(page) > len(str(MOST_PAGES)):
        abort(404)


def install_large_numbers(app: Flask) -> None:
    app.before_request(refuse_large)
