"""The names of the server's own accounts at a broker whose accounts it makes itself."""

import pytest

from central_server.config import read_server_config
from common.settings import SettingsError

MANAGED = {"HADIR_BROKER_ADMIN_PASSWORD": "s" * 32}


@pytest.mark.parametrize("name", ["HADIR_BROKER_USER", "HADIR_BROKER_ADMIN_USER"])
def test_no_box_can_be_called_as_the_server_is(tmp_path, name):
    """A box that is named `server` would be given the account `server`, with a password of its own."""
    usual = {"HADIR_HOME": str(tmp_path)} | MANAGED
    with pytest.raises(SettingsError) as refused:
        read_server_config(usual | {name: "server"})
    assert f"{name} must begin with hadir" in str(refused.value)
    assert read_server_config(usual | {name: "hadir-two"})


def test_a_broker_that_others_look_after_names_whom_it_wants(tmp_path):
    """Where the server makes no accounts, no box is given one."""
    config = read_server_config({"HADIR_HOME": str(tmp_path), "HADIR_BROKER_USER": "server"})
    assert config.broker.username == "server"
