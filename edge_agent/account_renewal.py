"""When the broker does not know this agent any more: a new password of the agent's own making.

The broker may have been set up anew, or restored from a backup, or somebody rotated the password. The server,
which still knows the agent by its token, opens the account again and says where the broker is. A revoked
agent's token is refused there too.
"""

import logging
import secrets
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from edge_agent.adapters.central_api import CentralAPI, CentralError
from edge_agent.adapters.identity_file import (
    BrokerAccess,
    Identity,
    IdentityError,
    broker_access,
    save_identity,
)

log = logging.getLogger("hadir.link")

NOT_AGAIN_S = 600.0  # after it was done, or refused for good: asking more often would not help
RETRY_S = 60.0  # after the server could not be asked


class AccountRenewal:
    """Renews the account once in a while, however often it is called. For the link's thread."""

    def __init__(
        self,
        api: CentralAPI,
        identity: Identity,
        path: Path,
        clock: Callable[[], float] = time.monotonic,
        revoked: Callable[[], None] = lambda: None,
    ) -> None:
        """path: where the identity is kept. clock: seconds, never going back.

        revoked: told when the server says that this agent was revoked.
        """
        self._revoked = revoked
        self._api, self._identity, self._path, self._clock = api, identity, path, clock
        self._not_before = float("-inf")

    def renew(self) -> BrokerAccess | None:
        """Return the new way to the broker, which is kept on the disk by then; None: not now."""
        if self._clock() < self._not_before:
            return None
        self._not_before = self._clock() + NOT_AGAIN_S
        password = secrets.token_urlsafe(32)
        try:
            answer = self._api.renew_account(password)
            access = broker_access({**answer.get("broker", {}), "password": password})
            if self._identity.broker.ca_pem and not access.ca_pem:
                raise IdentityError("it wants this agent to speak without TLS")
        except CentralError as error:
            if not error.permanent:
                self._not_before = self._clock() + RETRY_S
            if error.revoked:  # a mistake, perhaps, that is soon taken back
                self._not_before = self._clock() + RETRY_S
                self._revoked()
            log.error("the account at the broker cannot be renewed: %s", error)
            return None
        except (IdentityError, TypeError) as error:
            log.error("the account at the broker cannot be renewed: the server's answer is odd (%s)", error)
            return None
        self._identity = replace(self._identity, broker=access)
        log.info("the account at the broker was renewed")
        self._keep()
        return access

    def _keep(self) -> None:
        try:
            save_identity(self._path, self._identity)
        except OSError as error:  # the next start is refused, and renews again
            log.error("%s cannot be written (%s)", self._path, error.strerror or error)
