"""Import and export on the dashboard: what is shown is what is done, and nothing else ever is."""

import re
from io import BytesIO

import pytest

from central_server.adapters.sealing import Seal
from central_server.adapters.table_files import read_table
from central_server.blueprints import exchange, table_words
from central_server.db import models
from central_server.db.unit_of_work import UnitOfWork
from central_server.ports import UnreadableTable
from central_server.services.exchange.every import TABLES
from central_server.services.exchange.table import WORDS
from tests import builders
from tests.web_world import WebWorld, a_web_world, inhabit, post

FILE = b"\xef\xbb\xbfemployee_id;name;department\r\nEMP001;Budi S.;Gudang\r\n"
FILE += b"N1;Wulan;\r\nEMP003;Ahmad Hidayat;Gudang\r\n"
URL = "/exchange/employees/"


@pytest.fixture
def world(engine, tmp_path) -> WebWorld:
    found = a_web_world(engine, tmp_path)
    inhabit(found)
    return found


def upload(client, content: bytes, url: str = URL, **more: str):
    data = {"file": (BytesIO(content), "table.csv"), **more}
    return post(client, url, data, content_type="multipart/form-data")


def sealed_on(page: str) -> str:
    return page.split('name="sealed" value="')[1].split('"')[0]


def names(world: WebWorld) -> dict[str, str]:
    return {each.employee_id: each.name for each in world.rows(models.Employee)}


def test_what_is_shown_is_what_is_done(world):
    """The preview changes nothing; confirmed, it does exactly that, once, and the log has it."""
    client = world.client("hr")
    page = upload(client, FILE).text
    counts = re.findall(r"<dt>(\w+)</dt><dd>(\d+)</dd>", page)
    assert counts == [("New", "1"), ("Changed", "1"), ("Unchanged", "1")]
    assert "Budi Santoso" in page and "Budi S." in page
    before = names(world)
    assert before["EMP001"] == "Budi Santoso" and not world.rows(models.AuditLog)
    sealed = sealed_on(page)
    assert post(client, f"{URL}confirm", {"sealed": sealed}).location == "/exchange/"
    assert names(world) == before | {"EMP001": "Budi S.", "N1": "Wulan"}
    assert "1 new, 1 changed" in client.get("/exchange/").text
    post(client, f"{URL}confirm", {"sealed": sealed})
    assert "imported already" in client.get("/exchange/").text
    assert [each.action for each in world.rows(models.AuditLog)] == ["employees.import"]


def test_what_changed_since_is_shown_again(world):
    """Somebody else was faster: nothing is done that was not seen, and the new preview can be confirmed."""
    client = world.client("hr")
    sealed = sealed_on(upload(client, FILE).text)
    with UnitOfWork(world.engine) as work:
        work.session.get_one(models.Employee, "EMP001").name = "Budi Hartono"
    again = post(client, f"{URL}confirm", {"sealed": sealed})
    assert "Look at it again." in again.text and "Budi Hartono" in again.text
    assert names(world)["EMP001"] == "Budi Hartono"
    assert post(client, f"{URL}confirm", {"sealed": sealed_on(again.text)}).status_code == 302
    assert names(world)["EMP001"] == "Budi S."


def test_bad_rows_are_told_with_their_lines(world):
    """In words, all of them; nothing can be confirmed."""
    client = world.client("hr")
    reply = upload(client, b"employee_id,name,phone\nEMP001,,1\n\nN1,New,call me\n")
    assert reply.status_code == 422
    assert "3 problems" in reply.text and 'name="sealed"' not in reply.text
    assert "name is empty." in reply.text
    assert "Line 4" in reply.text and "call me is not a phone number" in reply.text


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "There is nothing in the file."),
        (b"\x89PNG\x00", "This is no table"),
        (b"a,A\n1,2\n", "stands there twice"),
        (b"<script>alert(1)</script>,name\nx,y\n", "&lt;script&gt;"),
    ],
)
def test_what_is_no_table_is_said(world, content, words):
    """In a sentence beside the field; nothing of the file runs on the page."""
    reply = upload(world.client("hr"), content)
    assert reply.status_code == 422
    assert words in reply.text


def test_only_what_was_shown_to_oneself_can_be_confirmed(world):
    """Not another user's preview, not another table's, not an altered, old or made-up one."""
    client = world.client("hr")
    sealed = sealed_on(upload(client, FILE).text)
    before = names(world)
    seal = Seal("a key for tests", exchange.PURPOSE)
    old = seal.open(sealed.encode())
    tries = [
        (world.client("admin"), URL, sealed),
        (client, "/exchange/leaves/", sealed),
        (client, URL, sealed[:-8] + "AAAAAAA="),
        (client, URL, ""),
        (client, URL, "nonsense"),
        (client, URL, Seal("a key for tests", "agent config").close(old).decode()),
    ]
    for who, url, given in tries:
        assert post(who, f"{url}confirm", {"sealed": given}).location == url
    assert names(world) == before


def test_a_preview_is_good_for_an_hour(world, monkeypatch):
    """Then the file is chosen again."""
    client = world.client("hr")
    sealed = sealed_on(upload(client, FILE).text)
    later = builders.now() + exchange.GOOD_FOR
    monkeypatch.setattr(exchange, "utc_now", lambda: later)
    assert post(client, f"{URL}confirm", {"sealed": sealed}).location == URL
    assert "N1" not in names(world)


def test_the_site_of_new_rows_is_chosen_where_there_are_several(world):
    """With one site nobody is asked; with two a new row needs one."""
    client = world.client("hr")
    assert "Site of new rows" not in client.get(URL).text
    with UnitOfWork(world.engine) as work:
        builders.a_site(work.session, "depot")
    assert "Site of new rows" in client.get(URL).text
    assert "No site is named." in upload(client, FILE).text
    sealed = sealed_on(upload(client, FILE, site_id="depot").text)
    post(client, f"{URL}confirm", {"sealed": sealed})
    assert next(each for each in world.rows(models.Employee) if each.employee_id == "N1").site_id == "depot"


@pytest.mark.parametrize("kind", TABLES)
def test_every_table_goes_out_and_comes_back(world, kind):
    """A download is for a spreadsheet, is written down, and uploaded again changes nothing."""
    client = world.client("hr")
    reply = client.get(f"/exchange/{kind}/rows.csv")
    assert (reply.mimetype, reply.headers["Cache-Control"]) == ("text/csv", "no-store")
    assert reply.data.startswith(b"\xef\xbb\xbf")
    assert [each.action for each in world.rows(models.AuditLog)] == [f"{kind}.export"]
    again = upload(client, reply.data, f"/exchange/{kind}/")
    if reply.data.count(b"\n") == 1:
        assert again.status_code == 422 and "There are no rows in this file." in again.text
    else:
        assert again.status_code == 200
        assert "<dt>New</dt><dd>0</dd></div><div><dt>Changed</dt><dd>0</dd>" in again.text
    book = client.get(f"/exchange/{kind}/rows.xlsx")
    assert read_table(book.data) == read_table(reply.data), "the workbook says the same"
    assert list(read_table(client.get(f"/exchange/{kind}/empty.csv").data).rows[0])


def test_a_company_of_ten_thousand_fits(world):
    """Ten thousand people in one file: previewed and taken over from the page."""
    lines = "".join(
        f"K{number:05d};Karyawan {number * 7919 % 10007};Dept {number % 40};0812{number * 7919 % 10**8:08d}\n"
        for number in range(10_000)
    )
    client = world.client("hr")
    page = upload(client, f"employee_id;name;department;phone\n{lines}".encode())
    assert page.status_code == 200, page.text[:3000]
    assert "and 9800 more" in page.text
    assert post(client, f"{URL}confirm", {"sealed": sealed_on(page.text)}).status_code == 302
    assert len(world.rows(models.Employee)) == 10_003


def test_what_is_too_much_for_a_page_is_said(world, monkeypatch):
    """Rather than a form that the server then refuses."""
    monkeypatch.setattr(exchange, "MOST_SEALED", 100)
    reply = upload(world.client("hr"), FILE)
    assert reply.status_code == 422
    assert "Too many rows for a page." in reply.text


def test_every_problem_has_its_words_on_the_pages():
    """What a command says in English a page says in its own language."""
    assert set(WORDS) == set(table_words.PROBLEMS)
    assert set(UnreadableTable.WORDS) == set(table_words.UNREADABLE)
    columns = {f"{each.name}.{column.name}" for each in TABLES.values() for column in each.columns}
    assert {name for name in table_words.COLUMNS if name.split(".")[0] in TABLES} <= columns
    assert set(TABLES) <= set(table_words.TABLES)
