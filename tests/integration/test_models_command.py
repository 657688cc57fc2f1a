"""`hadir agent models`: what a technician types, over real sockets and real files."""

import argparse
import io
import json
import os
import pty
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from edge_agent.adapters.pack_record import RECORD_FILE, read_record
from edge_agent.core.packs import CATALOGUE, PRODUCTION
from edge_agent.models import add_parser
from tests.packs_world import FILES, a_pack, breaking_server, zipped

FAKES = {**CATALOGUE, PRODUCTION: a_pack(PRODUCTION)}
Run = Callable[..., int]
UNKNOWN_FIELD = b"\x80\x7d\x01"  # protobuf for a field that ONNX has not: another file, the same model


@pytest.fixture
def packs(tmp_path: Path) -> Path:
    return tmp_path / "packs"


@pytest.fixture
def run(monkeypatch, tmp_path: Path) -> Run:
    """Run `hadir agent models ...` with a small fake in the place of the production pack."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr(sys, "stdin", io.StringIO())

    def command(*words: object, catalogue=FAKES) -> int:
        parser = argparse.ArgumentParser()
        add_parser(parser.add_subparsers(), catalogue)
        args = parser.parse_args(["models", *map(str, words)])
        return args.run(args)

    return command


def a_folder(path: Path, files=FILES) -> Path:
    path.mkdir(parents=True)
    for name, content in files.items():
        (path / name).write_bytes(content)
    return path


def a_zip(path: Path, files=FILES) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(zipped(files))
    return path


def facts(capsys) -> dict:
    """What the last line of standard output says."""
    return json.loads(capsys.readouterr().out.splitlines()[-1])


def left_behind(folder: Path) -> list[str]:
    return sorted(str(each.relative_to(folder)) for each in folder.rglob("*")) if folder.exists() else []


INSTALLED = [PRODUCTION, f"{PRODUCTION}/detector.onnx", f"{PRODUCTION}/{RECORD_FILE}",
             f"{PRODUCTION}/recogniser.onnx"]  # fmt: skip


def test_a_pack_is_downloaded_and_the_acceptance_is_on_record(httpserver, run, packs, capsys):
    """Progress and the licence are shown; who accepted which version of it stands beside the files."""
    httpserver.expect_request(f"/{PRODUCTION}.zip").respond_with_data(zipped(FILES))
    url = httpserver.url_for("/").rstrip("/").replace("://", "://user:secret@")
    assert run("install", PRODUCTION, "--to", packs, "--base-url", url, "--accept-licence") == 0
    out, told = capsys.readouterr()
    assert f"Installed {PRODUCTION} in {packs / PRODUCTION}" in out
    assert "non-commercial research" in told and "[##########]" in told and "secret" not in told
    assert left_behind(packs) == INSTALLED
    record = read_record(packs / PRODUCTION)
    assert record is not None and record.is_pinned and record.accepted_by and "secret" not in record.source
    assert (record.licence_id, record.licence_version) == ("insightface-research", 1)


def test_without_acceptance_nothing_is_downloaded(httpserver, run, packs, capsys):
    """Exit status 2, the licence and the flag are told, the server is not even asked."""
    assert run("install", PRODUCTION, "--to", packs, "--base-url", httpserver.url_for("")) == 2
    told = capsys.readouterr().err
    assert "non-commercial research" in told and "--accept-licence" in told
    assert httpserver.log == [] and left_behind(packs) == []


@pytest.mark.parametrize(("answer", "status", "files"), [("yes", 0, INSTALLED), ("y", 2, []), ("", 2, [])])
def test_on_a_terminal_the_licence_is_asked_about(run, packs, tmp_path, monkeypatch, answer, status, files):
    """Only the whole word yes accepts it."""
    keyboard, terminal = pty.openpty()
    monkeypatch.setattr(sys, "stdin", os.fdopen(terminal))
    os.write(keyboard, f"{answer}\n".encode())
    source = a_zip(tmp_path / "usb" / f"{PRODUCTION}.zip")
    assert run("install", source, "--to", packs) == status
    assert left_behind(packs) == files


def test_an_interrupted_download_is_resumed(httpserver, run, packs, capsys):
    """The first try keeps what came and says so; the second asks for the rest alone."""
    files = FILES | {"recogniser.onnx": b"r" * 500_000}
    body, catalogue = zipped(files), {PRODUCTION: a_pack(PRODUCTION, files)}
    words = "install", PRODUCTION, "--to", packs, "--accept-licence", "--base-url"
    with breaking_server(body, after=300_000) as url:
        assert run(*words, url, catalogue=catalogue) == 1
    assert "the next try goes on from there" in capsys.readouterr().err
    assert left_behind(packs) == [f".{PRODUCTION}.zip.part"]
    have = (packs / f".{PRODUCTION}.zip.part").stat().st_size
    assert 200_000 < have <= 300_000
    rest = httpserver.expect_request(f"/{PRODUCTION}.zip", headers={"Range": f"bytes={have}-"})
    rest.respond_with_data(body[have:], status=206)
    assert run(*words, httpserver.url_for(""), catalogue=catalogue) == 0
    assert left_behind(packs) == INSTALLED


def test_a_wrong_file_is_refused_and_leaves_nothing(httpserver, run, packs, capsys):
    """Exit status 1; the file is named; neither archive nor half a pack stays."""
    body = zipped(FILES | {"recogniser.onnx": b"R" * 9000})
    httpserver.expect_request(f"/{PRODUCTION}.zip").respond_with_data(body)
    url = httpserver.url_for("")
    words = "install", PRODUCTION, "--to", packs, "--base-url", url, "--accept-licence", "--json"
    assert run(*words) == 1
    said = facts(capsys)
    assert not said["ok"] and "recogniser.onnx is not the file that we know" in said["error"]
    assert left_behind(packs) == []


@pytest.mark.parametrize("form", ["zip", "stick with the zip", "folder", "nested folder"])
@pytest.mark.parametrize("by", ["name", "path"])
def test_a_pack_is_copied_from_a_stick(run, packs, tmp_path, capsys, form, by):
    """From a zip or a folder, named or found by its files, without any network, checked all the same."""
    usb = tmp_path / "usb"
    source = {
        "zip": lambda: a_zip(usb / "download.zip"),
        "stick with the zip": lambda: a_zip(usb / f"{PRODUCTION}.zip"),
        "folder": lambda: a_folder(usb / "copy"),
        "nested folder": lambda: a_folder(usb / PRODUCTION / PRODUCTION).parent,
    }[form]()
    if by == "name":
        source = usb if form == "stick with the zip" else source
    words = (PRODUCTION, "--from", source) if by == "name" else (source,)
    assert run("install", *words, "--to", packs, "--accept-licence", "--json") == 0
    assert facts(capsys)["pack"] == PRODUCTION
    assert left_behind(packs) == INSTALLED


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda usb: a_folder(usb / PRODUCTION, {"detector.onnx": FILES["detector.onnx"]}), "holds no recog"),
        (lambda usb: a_folder(usb / PRODUCTION, FILES | {"detector.onnx": b"x"}), "is not the file that we"),
        (lambda usb: a_folder(usb / "a" / "b", {f"{PRODUCTION}.zip": b"<html>"}).parent / "b", "not a zip"),
        (lambda usb: torn(a_zip(usb / f"{PRODUCTION}.zip")), "cannot be read from it"),
    ],
)
def test_a_bad_copy_on_a_stick_is_refused(run, packs, tmp_path, capsys, make, words):
    """A missing file, another file, no zip, a torn zip: each in words, and nothing stays."""
    source = make(tmp_path / "usb")
    assert run("install", PRODUCTION, "--from", source, "--to", packs, "--accept-licence") == 1
    assert words in capsys.readouterr().err
    assert left_behind(packs) == []


def torn(archive: Path) -> Path:
    body = bytearray(archive.read_bytes())
    body[200:4000] = b"?" * 3800
    archive.write_bytes(bytes(body))
    return archive


def test_a_folder_that_cannot_be_written_is_told(run, packs, tmp_path, capsys):
    """The folder and the system's own word for it."""
    packs.write_text("a file in the way")
    source = a_folder(tmp_path / "usb" / PRODUCTION)
    assert run("install", source, "--to", packs / "below", "--accept-licence") == 1
    assert f"it cannot be stored in {packs / 'below'} (Not a directory)" in capsys.readouterr().err


def test_what_is_there_is_kept_unless_it_is_to_be_replaced(run, packs, tmp_path, capsys):
    """A right pack is left alone, a wrong one is refused until --replace, and then it is whole again."""
    source = a_folder(tmp_path / "usb" / PRODUCTION)
    words = "install", source, "--to", packs, "--accept-licence"
    assert run(*words) == 0 and run(*words) == 0
    assert "is installed already" in capsys.readouterr().out
    (packs / PRODUCTION / "detector.onnx").write_bytes(b"D" * 5000)
    assert run(*words) == 1
    assert "--replace" in capsys.readouterr().err
    assert run(*words, "--replace") == 0
    assert (packs / PRODUCTION / "detector.onnx").read_bytes() == FILES["detector.onnx"]
    assert left_behind(packs) == INSTALLED


def test_the_licence_of_a_pack_that_was_there_before_is_accepted_too(run, packs, capsys):
    """Somebody's own download is not fetched again, but nobody has accepted anything yet."""
    a_folder(packs / PRODUCTION)
    assert run("install", PRODUCTION, "--to", packs) == 2
    assert run("install", PRODUCTION, "--to", packs, "--accept-licence") == 0
    record = read_record(packs / PRODUCTION)
    assert record is not None and record.source == "was there"


def test_a_pack_that_nobody_knows_is_trusted_only_on_somebody_s_word(run, packs, tmp_path, capsys):
    """Refused first; then its files are written down as they came, and a later change is noticed."""
    source = a_folder(tmp_path / "usb" / "ours", {"ours_det.onnx": b"1", "ours_rec.onnx": b"2"})
    assert run("install", source, "--to", packs) == 2
    assert "--accept-unpinned" in capsys.readouterr().err and left_behind(packs) == []
    assert run("install", source, "--to", packs, "--accept-unpinned") == 0
    record = read_record(packs / "ours")
    assert record is not None and not record.is_pinned and record.accepted_by
    assert run("list", "--in", packs, "--json") == 0
    assert facts(capsys)["packs"][-1]["state"] == "yes, as it came"
    (packs / "ours" / "ours_rec.onnx").write_bytes(b"3")
    assert run("verify", packs / "ours") == 1
    assert "ours_rec.onnx is not the file that we know" in capsys.readouterr().out
    assert run("list", "--in", packs) == 0
    assert "changed since" in capsys.readouterr().out


@pytest.mark.parametrize(
    "words", [("install", "nix"), ("install", "nix", "--from", "."), ("verify", "nix"), ("install", ".")]
)
def test_what_is_no_pack_is_refused_in_a_sentence(run, tmp_path, monkeypatch, capsys, words):
    """Exit status 2."""
    monkeypatch.chdir(tmp_path)
    assert run(*words, "--json") == 2
    assert capsys.readouterr().err.startswith(("There is no", "nix is not a pack"))


def test_two_packs_in_one_place_have_to_be_told_apart(run, packs, tmp_path, capsys):
    """Nothing is guessed: the folders are named."""
    for name in ("one", "two"):
        a_folder(tmp_path / "usb" / name)
    assert run("install", tmp_path / "usb", "--to", packs, "--accept-licence") == 1
    assert "(one, two): name one of them" in capsys.readouterr().err


def test_the_list_tells_what_is_known_and_what_is_here(run, packs, capsys):
    """Every known pack in the order of choice, the default marked; whole and corrupt ones told apart."""
    assert run("list", "--in", packs, "--json") == 0
    *table, last = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in table[1:6]] == [
        "*",
        "buffalo_l",
        "antelopev2",
        "buffalo_s",
        "buffalo_sc",
    ]
    assert "SCRFD-2.5G, ResNet-50" in table[1] and " no " in table[1] and "research only" in table[1]
    assert json.loads(last)["default"] == PRODUCTION
    a_folder(packs / PRODUCTION)
    a_folder(packs / "buffalo_sc", {"det_500m.onnx": b"torn"})
    assert run("list", "--in", packs, "--json") == 0
    states = {row["name"]: row["state"] for row in facts(capsys)["packs"]}
    assert states[PRODUCTION] == "yes, verified" and states["buffalo_sc"] == "corrupt"
    assert states["buffalo_l"] == "no"


@pytest.mark.parametrize(
    ("damage", "kind"),
    [
        (lambda pack: (pack / "recogniser.onnx").unlink(), "missing"),
        (lambda pack: os.truncate(pack / "recogniser.onnx", 10), "short"),
        (lambda pack: (pack / "recogniser.onnx").write_bytes(b"X" * 9000), "different"),
    ],
)
def test_a_damaged_pack_is_not_even_tried(run, packs, capsys, damage, kind):
    """Missing, cut short, another: exit status 1, the file and the way out are named."""
    pack = a_folder(packs / PRODUCTION)
    damage(pack)
    assert run("verify", pack, "--json") == 1
    out, told = capsys.readouterr()
    said = json.loads(out.splitlines()[-1])
    assert [(fault["file"], fault["kind"]) for fault in said["faults"]] == [("recogniser.onnx", kind)]
    assert said["model_id"] is None and "FAIL  recogniser.onnx" in out
    assert f"install {PRODUCTION} --replace --to {packs}" in told


def test_right_files_that_are_no_models_are_found_out(run, packs, capsys):
    """Hashes alone do not make a pack: it has to run."""
    assert run("verify", a_folder(packs / PRODUCTION)) == 1
    assert "FAIL  it cannot be used" in capsys.readouterr().out


def test_a_pack_that_is_not_there_is_missing(run, capsys):
    """Exit status 1, and how to install it."""
    assert run("verify", PRODUCTION) == 1
    assert f"hadir agent models install {PRODUCTION}" in capsys.readouterr().err


def real(shared_data: Path) -> dict[str, bytes]:
    pack = shared_data / "models" / "field_sc"
    return {name: (pack / name).read_bytes() for name in ("det_500m.onnx", "mobilefacenet_arcface_y1.onnx")}


def test_a_real_pack_is_installed_by_name_and_verified(shared_data, run, tmp_path, capsys):
    """Its files are the pinned ones, it finds six faces, and its model_id begins with its name."""
    catalogue = {PRODUCTION: a_pack(PRODUCTION, real(shared_data))}
    source = shared_data / "models" / "field_sc"
    assert run("install", PRODUCTION, "--from", source, "--accept-licence", catalogue=catalogue) == 0
    assert run("verify", PRODUCTION, "--json", catalogue=catalogue) == 0
    said = facts(capsys)
    assert (said["ok"], said["dimension"], said["faces"]) == (True, 128, 6)
    assert said["model_id"].startswith(f"{PRODUCTION}:8777eb79")


def test_a_pack_of_another_kind_is_refused(shared_data, run, tmp_path, capsys):
    """Two detectors are no pack; a strange recogniser beside the pinned one is not taken for it."""
    detector = shared_data / "models" / "field_sc" / "det_500m.onnx"
    (tmp_path / "two").mkdir()
    for name in ("a.onnx", "b.onnx"):
        shutil.copy(detector, tmp_path / "two" / name)
    assert run("verify", tmp_path / "two") == 1
    assert "face recognition model" in capsys.readouterr().out
    files = real(shared_data)
    pack = a_folder(tmp_path / PRODUCTION, files)
    another = files["mobilefacenet_arcface_y1.onnx"] + UNKNOWN_FIELD
    (pack / "aaa.onnx").write_bytes(another)  # comes first in the alphabet
    assert run("verify", pack, catalogue={PRODUCTION: a_pack(PRODUCTION, files)}) == 1
    assert "FAIL  another recogniser in this folder is taken" in capsys.readouterr().out


def test_a_folder_that_nobody_pinned_is_tried_all_the_same(shared_data, run, capsys):
    """It can be used; that nobody can vouch for its files is said."""
    assert run("verify", shared_data / "models" / "field_sc", "--json") == 0
    out = capsys.readouterr().out
    assert "note  nobody has pinned these files" in out and '"pinned": false' in out
