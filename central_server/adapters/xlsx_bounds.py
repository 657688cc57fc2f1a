"""Whether a workbook is small enough to be opened. A file of 200 kB may unpack to what fills the memory.

openpyxl reads whole parts at once and fills up rows that were left out, so each part is read here first, bit
by bit and keeping nothing: its size, its elements, and the numbers of its rows.
"""

import zipfile
from collections.abc import Mapping
from xml.parsers import expat

MOST_UNPACKED = 64 * 1024 * 1024  # bytes: fifty thousand rows of twelve columns are about forty
MOST_ELEMENTS = 2_500_000  # a cell is two or three
MOST_BESIDE = 300_000  # elements of all that is neither a sheet nor its texts: styles, themes
LAST_ROW = 1_048_576  # of Excel
_CHUNK = 256 * 1024
_TABLES = ("xl/worksheets/", "xl/sharedstrings")


class TooMuch(Exception):
    """The workbook holds more than is read."""


class NoWorkbook(Exception):
    """No program that keeps to the format has written this."""


def check_workbook(packed: zipfile.ZipFile) -> None:
    """Raise TooMuch or NoWorkbook for what is not safe to open."""
    parts = packed.infolist()
    if sum(each.file_size for each in parts) > MOST_UNPACKED:
        raise TooMuch
    elements = beside = 0
    for each in parts:
        if _is_xml(packed, each):
            is_table = each.filename.lower().startswith(_TABLES)
            found = _elements(
                packed, each, (MOST_ELEMENTS - elements) if is_table else (MOST_BESIDE - beside)
            )
            elements, beside = (elements + found, beside) if is_table else (elements, beside + found)


def _is_xml(packed: zipfile.ZipFile, part: zipfile.ZipInfo) -> bool:
    """Tell whether anything could take the part for XML, whatever it is called."""
    if part.filename.lower().endswith((".xml", ".rels")):
        return True
    with packed.open(part) as content:
        head = content.read(64)
    return b"<" in head or head.startswith(b"\x4c")  # that is a `<` too, on a mainframe


def _elements(packed: zipfile.ZipFile, part: zipfile.ZipInfo, most: int) -> int:
    """Return how many elements the part has."""
    count = 0

    def begin(name: str, attributes: Mapping[str, str]) -> None:
        nonlocal count
        count += 1
        if count > most:
            raise TooMuch
        if name.endswith("row") and len(attributes.get("r", "")) > len(str(LAST_ROW)):
            raise NoWorkbook

    parser = expat.ParserCreate("utf-8")
    parser.StartElementHandler = begin
    parser.XmlDeclHandler = _declared
    parser.StartDoctypeDeclHandler = _doctype
    try:
        with packed.open(part) as content:
            while chunk := content.read(_CHUNK):
                parser.Parse(chunk)
            parser.Parse(b"", True)
    except expat.ExpatError as error:
        raise NoWorkbook from error
    return count


def _declared(_version: str, encoding: str | None, _standalone: int) -> None:
    """Refuse what another parser could read as something else than was counted."""
    if encoding is not None and encoding.lower() != "utf-8":
        raise NoWorkbook


def _doctype(*_: object) -> None:
    """Refuse entities: a few bytes that say a gigabyte, or name a file of the server."""
    raise NoWorkbook
