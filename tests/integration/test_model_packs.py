"""Where the recogniser comes from: downloads over real sockets, and the order of choice."""

from dataclasses import replace
from pathlib import Path

import pytest

from edge_agent.adapters.model_packs import PackError, download_pack, installed_pack, is_known
from edge_agent.adapters.pack_record import PackRecord, write_record
from edge_agent.core.packs import CATALOGUE, PRODUCTION
from edge_agent.engines import InstallError, NoEngineError, choose_engine
from tests.packs_world import FILES, a_pack, zipped

PACK = "buffalo_sc"
FAKE = a_pack(PACK)


def fetch(httpserver, folder: Path, seen: list | None = None, pack=FAKE) -> Path:
    progress = (lambda done, total: seen.append((done, total))) if seen is not None else lambda *_: None
    return download_pack(folder, pack, progress, base_url=httpserver.url_for(""))


def left_behind(folder: Path) -> list[str]:
    return sorted(str(each.relative_to(folder)) for each in folder.rglob("*"))


def test_a_pack_is_fetched_checked_and_found(httpserver, tmp_path):
    """Progress reaches the end, only the pinned files arrive, and the next start finds the pack."""
    body = zipped(FILES | {"../../evil.txt": b"x", "notes.txt": b"y"})
    httpserver.expect_request(f"/{PACK}.zip").respond_with_data(body)
    seen: list = []
    pack = fetch(httpserver, tmp_path, seen)
    assert seen[-1] == (len(body), len(body))
    assert installed_pack(tmp_path, PACK) == pack and is_known(pack, FAKE.files)
    assert left_behind(tmp_path) == [PACK, *(f"{PACK}/{name}" for name in FILES)]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"<html>blocked by the proxy</html>", "not a zip archive"),
        (zipped(FILES | {"detector.onnx": b"another"}), "not the file that we know"),
        (zipped({"detector.onnx": FILES["detector.onnx"]}), "holds no recogniser.onnx"),
    ],
)
def test_what_is_not_the_pack_is_refused_and_removed(httpserver, tmp_path, body, words):
    """A page of a proxy, a changed file, half a pack: said in words, and nothing of it stays."""
    httpserver.expect_request(f"/{PACK}.zip").respond_with_data(body)
    with pytest.raises(PackError, match=words):
        fetch(httpserver, tmp_path)
    assert left_behind(tmp_path) == []
    assert installed_pack(tmp_path, PACK) is None


def test_a_broken_download_goes_on_where_it_stopped(httpserver, tmp_path):
    """The second try asks for the rest only."""
    body = zipped(FILES)
    (tmp_path / f".{PACK}.zip.part").write_bytes(body[:4000])
    rest = httpserver.expect_request(f"/{PACK}.zip", headers={"Range": "bytes=4000-"})
    rest.respond_with_data(body[4000:], status=206)
    assert is_known(fetch(httpserver, tmp_path), FAKE.files)


def test_a_disk_without_room_is_noticed_before_the_download(httpserver, tmp_path):
    """Nothing is asked of the server, and both numbers are told."""
    with pytest.raises(PackError, match="MB free, and it needs 1000000000000 MB"):
        fetch(httpserver, tmp_path, pack=replace(FAKE, zip_size=10**18))
    assert left_behind(tmp_path) == [] and httpserver.log == []


def test_an_archive_without_end_is_cut_off(httpserver, tmp_path):
    """A server that sends far more than the pack is not listened to until the disk is full."""
    httpserver.expect_request(f"/{PACK}.zip").respond_with_data(b"x" * 5_000_000)
    with pytest.raises(PackError, match="far larger"):
        fetch(httpserver, tmp_path)


@pytest.mark.parametrize(
    ("url", "words"),
    [("http://no-such-host.invalid", "cannot be resolved"), ("http://127.0.0.1:9", "cannot be reached")],
)
def test_no_internet_is_said_in_words(tmp_path, url, words):
    """Quickly, and without a stack of library names."""
    with pytest.raises(PackError, match=words):
        download_pack(tmp_path, FAKE, lambda *_: None, base_url=url)


def test_a_server_s_refusal_is_told(httpserver, tmp_path):
    """A 503 names the host and the status."""
    httpserver.expect_request(f"/{PACK}.zip").respond_with_data("busy", status=503)
    with pytest.raises(PackError, match="answered 503"):
        fetch(httpserver, tmp_path)


class Choice:
    """One call of choose_engine, and what it said."""

    def __init__(self, tmp_path: Path, monkeypatch, base_url: str = "http://127.0.0.1:9") -> None:
        monkeypatch.delenv("HADIR_MODELS", raising=False)
        self.said: list[str] = []
        self.folder, self.base_url = tmp_path / "packs", base_url

    def __call__(self, models: Path | None = None, **allowed: bool):
        def install(say) -> None:
            raise InstallError("no package index")

        allowed = {"allow_dlib": False, "allow_download": False} | allowed
        return choose_engine(
            models,
            say=self.said.append,
            folder=self.folder,
            base_url=self.base_url,
            install=install,
            **allowed,
        )


def test_a_pack_that_was_asked_for_is_used_or_fails(tmp_path, monkeypatch):
    """Nothing stands in for it: a missing folder and one without models are errors."""
    choose = Choice(tmp_path, monkeypatch)
    with pytest.raises(NoEngineError, match="There is no model pack"):
        choose(tmp_path / "nowhere", allow_dlib=True, allow_download=True)
    (tmp_path / "empty").mkdir()
    with pytest.raises(NoEngineError, match="holds no"):
        choose(tmp_path / "empty", allow_dlib=True)
    (tmp_path / "empty" / "model.onnx").write_bytes(b"rubbish")
    with pytest.raises(NoEngineError, match="not a usable ONNX model"):
        choose(tmp_path / "empty", allow_dlib=True)


def test_the_reasons_are_told_when_nothing_can_be_had(tmp_path, monkeypatch):
    """Each road that was tried stands in the one message, with why it ended."""
    with pytest.raises(NoEngineError) as refused:
        Choice(tmp_path, monkeypatch)(allow_download=True)
    told = str(refused.value)
    assert f"no {PRODUCTION}, {PACK} or other" in told and "cannot be downloaded" in told
    assert f"hadir agent models install {PRODUCTION}" in told


def test_the_environment_names_a_pack(shared_data, tmp_path, monkeypatch):
    """HADIR_MODELS counts as asked for; the reason and the licence are said aloud."""
    choose = Choice(tmp_path, monkeypatch)
    monkeypatch.setenv("HADIR_MODELS", str(shared_data / "models" / "field_sc"))
    assert choose().engine == "insightface"
    assert "as named by HADIR_MODELS" in choose.said[-1] and "non-commercial" in choose.said[-1]


def test_a_pack_that_is_installed_comes_before_a_download(shared_data, tmp_path, monkeypatch):
    """It is found by its name, and said to be none of the known files when it is not."""
    choose = Choice(tmp_path, monkeypatch)
    choose.folder.mkdir()
    (choose.folder / PACK).symlink_to(shared_data / "models" / "field_sc", target_is_directory=True)
    assert choose(allow_download=True).engine == "insightface"
    assert "not those that we know" in choose.said[-1]
    assert not any("Downloading" in words for words in choose.said)


def test_the_best_of_the_installed_packs_is_taken(shared_data, tmp_path, monkeypatch):
    """The production pack goes before the small one; one that does not load is said and passed over."""
    choose = Choice(tmp_path, monkeypatch)
    choose.folder.mkdir()
    for name in (PACK, PRODUCTION):
        (choose.folder / name).symlink_to(shared_data / "models" / "field_sc", target_is_directory=True)
    assert choose().engine == "insightface"
    assert f"pack {PRODUCTION} (it is installed" in choose.said[-1]
    (choose.folder / PRODUCTION).unlink()
    (choose.folder / PRODUCTION).mkdir()
    (choose.folder / PRODUCTION / "rubbish.onnx").write_bytes(b"rubbish")
    assert choose().engine == "insightface"
    assert "rubbish.onnx is not a usable" in choose.said[-2] and f"pack {PACK}" in choose.said[-1]


def test_a_pack_may_be_asked_for_by_its_name(shared_data, tmp_path, monkeypatch):
    """It is looked for where packs are kept; nothing stands in for it, and how to install it is said."""
    choose = Choice(tmp_path, monkeypatch)
    choose.folder.mkdir()
    (choose.folder / PACK).symlink_to(shared_data / "models" / "field_sc", target_is_directory=True)
    assert choose(Path(PACK)).engine == "insightface"
    assert "as named in the settings" in choose.said[-1] and "not those that we know" in choose.said[-1]
    with pytest.raises(NoEngineError, match=f"Install it: hadir agent models install {PRODUCTION}"):
        choose(Path(PRODUCTION), allow_dlib=True, allow_download=True)


def test_a_pack_that_changed_since_it_was_trusted_is_told(shared_data, tmp_path, monkeypatch):
    """Who trusted a pack of their own on first use hears at the next start that its files are others now."""
    choose, ours = Choice(tmp_path, monkeypatch), tmp_path / "ours"
    ours.mkdir()
    for file in (shared_data / "models" / "field_sc").glob("*.onnx"):
        (ours / file.name).write_bytes(file.read_bytes())
    record = PackRecord(
        pack="ours",
        source="usb",
        files={"det_500m.onnx": CATALOGUE[PACK].detector.sha256},
        is_pinned=False,
        licence_id=None,
        licence_version=None,
        accepted_by="budi",
        accepted_at="2026-11-25T00:00:00+00:00",
    )
    write_record(ours, record)
    choose(ours)
    assert "(as named in the settings or the command; " in choose.said[-1]
    write_record(ours, replace(record, files={"det_500m.onnx": "0" * 64}))
    choose(ours)
    assert "have changed since it was installed" in choose.said[-1]


def test_who_has_no_pack_hears_of_the_production_one(tmp_path, monkeypatch):
    """Before anything stands in for it, with what its licence forbids."""
    choose = Choice(tmp_path, monkeypatch)
    with pytest.raises(NoEngineError):
        choose(allow_download=True)
    assert f"hadir agent models install {PRODUCTION}" in choose.said[0]
    assert "non-commercial" in choose.said[0] and "non-commercial" in choose.said[1]
    assert "Downloading" in choose.said[1]


def test_every_known_pack_is_pinned():
    """Two files with a whole SHA-256 each, smaller together than their archive allows, and a licence."""
    for pack in CATALOGUE.values():
        assert {len(file.sha256) for file in pack.files} == {64}
        assert all(set(file.sha256) <= set("0123456789abcdef") for file in pack.files)
        assert sum(file.size for file in pack.files) < 1.1 * pack.zip_size
        assert "non-commercial" in pack.licence.text and pack.licence.url.startswith("https://")


def test_the_pins_are_those_of_the_files(shared_data):
    """The detector of the small packs, measured on the very file."""
    pack = CATALOGUE[PACK]
    assert is_known(shared_data / "models" / "field_sc", [pack.detector])


def test_dlib_is_what_is_left(tmp_path, monkeypatch):
    """Without a pack and without internet the dlib engine works, and says why it was chosen."""
    pytest.importorskip("dlib")
    choose = Choice(tmp_path, monkeypatch)
    assert choose(allow_dlib=True, allow_download=True).engine == "dlib"
    assert "cannot be downloaded" in choose.said[-1]
