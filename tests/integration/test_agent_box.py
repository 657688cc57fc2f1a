"""What the agent says about the box that it runs on, and when it wants to be started again."""

import threading
from pathlib import Path

import pytest

from common.ids import AgentId
from edge_agent import agent as agent_module
from edge_agent.adapters import machine
from edge_agent.adapters.identity_file import BrokerAccess, Identity
from edge_agent.agent import EXIT_OK, Agent
from edge_agent.config import EdgeConfig, ExecutionConfig
from edge_agent.core import memory
from tests.vision_world import ScriptedAnalyser


@pytest.fixture
def box(tmp_path: Path, free_port) -> Agent:
    """An agent without cameras, whose broker does not answer."""
    broker = BrokerAccess(host="127.0.0.1", port=free_port(), username="a", password="p")
    identity = Identity(
        agent_id=AgentId("gate"),
        site_id="plant",
        site_name="Plant",
        server_url="http://127.0.0.1:9",
        token="t" * 32,
        manifest_key="00" * 32,
        broker=broker,
    )
    config = EdgeConfig(home=tmp_path, cameras=(), execution=ExecutionConfig(workers=3))
    analyser = ScriptedAnalyser(execution={"provider": "CPUExecutionProvider", "threads": 1})
    return Agent(config, identity, analyser)


def test_birth_and_heartbeat_tell_what_runs_the_models_and_how_much_memory_it_takes(box):
    """Provider, threads and workers once a connection; the process's memory with every heartbeat."""
    told = dict(box._birth("s").extra)
    assert told.items() >= {"provider": "CPUExecutionProvider", "threads": 1, "workers": 3}.items()
    assert dict(box._heartbeat("s").extra)["rss_mb"] > 20
    box._outbox.close()


def test_an_agent_whose_memory_runs_away_ends_to_be_started_again(box, monkeypatch, caplog):
    """It says so with both figures and ends with status 70, by itself."""
    readings = iter([400, 700, 1900])
    monkeypatch.setattr(memory, "SETTLED_AFTER_S", 0.0)
    monkeypatch.setattr(agent_module, "WATCH_EVERY_S", 0.01)
    monkeypatch.setattr(machine, "rss_mb", lambda: next(readings))
    assert box.run(threading.Event()) == 70
    assert "from 400 MB ten minutes after the start to 1900 MB" in caplog.text


def test_an_agent_whose_memory_stays_runs_until_it_is_stopped(box, monkeypatch):
    """Growth that stays within bounds ends nothing."""
    stop = threading.Event()
    readings = iter(range(400, 1400, 100))

    def reading() -> int:
        value = next(readings)
        if value == 1300:
            stop.set()
        return value

    monkeypatch.setattr(memory, "SETTLED_AFTER_S", 0.0)
    monkeypatch.setattr(agent_module, "WATCH_EVERY_S", 0.01)
    monkeypatch.setattr(machine, "rss_mb", reading)
    assert box.run(stop) == EXIT_OK
