"""The settings that the agent really runs with: the dashboard's where it has a say, else the box's file."""

from dataclasses import replace

from edge_agent.adapters.config_file import ConfigFile, owner_of
from edge_agent.adapters.identity_file import IdentityError, load_identity
from edge_agent.agent import Paths
from edge_agent.config import EdgeConfig
from edge_agent.wanted_config import plan_in_force


def in_force(local: EdgeConfig) -> EdgeConfig:
    """Return local with the cameras and the match that are in force; as it is before the box has joined."""
    paths = Paths(local.home)
    try:
        identity = load_identity(paths.identity)
    except IdentityError:
        return local
    held = ConfigFile(paths.config, owner_of(identity)).load()
    plan, _ = plan_in_force(held, local)
    return replace(local, cameras=plan.cameras, match=plan.match)
