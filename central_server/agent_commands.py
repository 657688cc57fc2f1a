"""`hadir server agent …`: who the agents are, and shutting one out."""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager

from central_server import commands
from central_server.adapters.agent_accounts import agent_accounts
from central_server.commands import CommandError
from central_server.config import ServerConfig
from central_server.db.queries.devices import every_agent
from central_server.db.queries.places import read_places
from central_server.db.unit_of_work import UnitOfWork
from central_server.ports import AccountsError
from central_server.services.renew_account import AccountRefused, rotate_password
from central_server.services.revoke_agent import (
    NotRevoked,
    UnknownAgent,
    restore_agent,
    revoke_agent,
    shut_out,
)

COLUMNS = ("ID", "SITE", "STATE", "LAST HEARTBEAT", "NAME")


def show(config: ServerConfig, _given: argparse.Namespace) -> int:
    with commands._work(config) as work:
        places = read_places(work.session, config.timezone)
        lines = [COLUMNS] + [
            (
                each.agent_id,
                each.site_id,
                each.state,
                commands._local(places.local(each.heartbeat_at, each.site_id)),
                each.name,
            )
            for each in every_agent(work.session, now=commands._now())
        ]
    widths = [max(len(line[column]) for line in lines) for column in range(len(COLUMNS))]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
    return 0


def revoke(config: ServerConfig, given: argparse.Namespace) -> int:
    with _work(config) as work:
        revoke_agent(work, given.id, now=commands._now(), actor=commands._actor())
    if problem := shut_out(agent_accounts(config.broker), given.id):
        raise CommandError(f"{given.id} is revoked and its token is refused, but {problem}.")
    print(f"{given.id} is revoked and disconnected. It can come back by `agent restore`, or a new join code.")
    return 0


def restore(config: ServerConfig, given: argparse.Namespace) -> int:
    try:
        with _work(config) as work:
            restore_agent(work, given.id, now=commands._now(), actor=commands._actor())
    except NotRevoked as error:
        print(error)
        return 0
    print(f"{given.id} is let in again; it opens its account at the broker by itself within ten minutes.")
    return 0


def rotate(config: ServerConfig, given: argparse.Namespace) -> int:
    accounts = agent_accounts(config.broker)
    if accounts is None:
        raise CommandError("The broker's accounts are not made by Hadir: change the password there.")
    with _work(config) as work:
        rotate_password(work, given.id, accounts, now=commands._now(), actor=commands._actor())
    print(f"{given.id} was put out; it makes a new password by itself within a minute. No event is lost.")
    return 0


@contextmanager
def _work(config: ServerConfig) -> Iterator[UnitOfWork]:
    try:
        with commands._work(config) as work:
            yield work
    except (UnknownAgent, AccountRefused) as error:
        raise CommandError(f"{error} `hadir server agent list` shows them all.") from error
    except AccountsError as error:
        raise CommandError(f"Nothing was changed: {error}.") from error
