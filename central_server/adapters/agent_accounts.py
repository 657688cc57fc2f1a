"""Whose accounts the broker's are: its dynamic security's, our files', or somebody else's."""

from central_server.adapters.broker_accounts import BrokerAccounts
from central_server.adapters.dynamic_security import DynamicSecurity
from central_server.config import BrokerConfig
from central_server.ports import AgentAccounts


def agent_accounts(broker: BrokerConfig) -> AgentAccounts | None:
    """Return the accounts that the settings speak of; None: somebody makes them by hand."""
    if broker.admin_password:
        return DynamicSecurity(broker)
    return BrokerAccounts(broker.accounts_dir) if broker.accounts_dir else None
