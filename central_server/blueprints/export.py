"""Lists as downloads: workbooks, or CSV that a spreadsheet in the reader's language splits by itself."""

from collections.abc import Iterable, Sequence
from typing import Any

from flask import Response, abort
from flask_babel import get_locale

from central_server.adapters.spreadsheet import csv_bytes, csv_pieces, xlsx_bytes

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def table_response(
    filename: str, ending: str, head: Sequence[str], rows: Iterable[Sequence[Any]], *, is_long: bool = False
) -> Response:
    """Return a file for a spreadsheet, in which no cell is ever a formula. Another ending is not found.

    is_long: a CSV file goes out while its rows are still being fetched; they must not need the request.
    """
    if ending not in ("xlsx", "csv"):
        abort(404)
    headers = {
        "Content-Disposition": f'attachment; filename="{filename}.{ending}"',
        "Cache-Control": "no-store",
    }
    if ending == "xlsx":
        return Response(xlsx_bytes(head, rows), mimetype=XLSX, headers=headers)
    written = csv_pieces if is_long else csv_bytes
    return Response(written(head, rows, _language()), mimetype="text/csv", headers=headers)


def _language() -> str:
    locale = get_locale()
    return locale.language if locale else "en"
