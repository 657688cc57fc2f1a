"""Files that hold secrets: written by root into a folder that is another user's."""

import os

import pytest

from edge_agent.adapters.identity_file import write_private


@pytest.mark.parametrize("link", [os.symlink, os.link], ids=["a symbolic link", "a second name"])
def test_a_link_in_the_folder_leads_root_nowhere(tmp_path, link):
    """Else whoever became the agent's user could have root overwrite any file, and be given it."""
    roots, home = tmp_path / "shadow", tmp_path / "home"
    roots.write_text("root's own")
    home.mkdir()
    link(roots, home / ".identity.json.new")
    write_private(home / "identity.json", b"secret")
    assert roots.read_text() == "root's own"
    assert (home / "identity.json").read_bytes() == b"secret"
    assert (home / "identity.json").stat().st_mode & 0o777 == 0o600
    assert [each.name for each in home.iterdir()] == ["identity.json"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a file away")
def test_what_root_writes_is_given_to_the_folders_owner_and_nothing_else_is(tmp_path):
    """The agent reads its identity as its own user; the file that a link named stays root's."""
    roots, home = tmp_path / "shadow", tmp_path / "home"
    roots.write_text("root's own")
    home.mkdir()
    (home / ".identity.json.new").symlink_to(roots)
    os.chown(home, 12345, 12345)
    write_private(home / "identity.json", b"secret")
    assert (home / "identity.json").stat().st_uid == 12345
    assert roots.stat().st_uid == 0
