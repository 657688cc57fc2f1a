"""`hadir server …`: the operator's commands. Each says in one sentence what went wrong."""

import argparse
import os
import sys
from collections.abc import Callable

from sqlalchemy.exc import OperationalError, ProgrammingError

from central_server import (
    agent_commands,
    commands,
    processes,
    recompute_command,
    table_commands,
    working_time_commands,
)
from central_server.commands import day_of
from central_server.config import ServerConfig, read_server_config
from common import logs
from common.settings import SettingsError

OK, FAILED, MISUSED = 0, 1, 2

Command = Callable[[ServerConfig, argparse.Namespace], int]


def main(arguments: list[str]) -> int:
    """Run one command; return the exit code: 0 done, 1 failed, 2 called wrongly or badly configured."""
    given = parser().parse_args(arguments)
    os.umask(0o077)  # faces and attendance: what is written is for this user alone
    try:
        config = read_server_config(os.environ)
    except SettingsError as error:
        print(error, file=sys.stderr)
        return MISUSED
    logs.set_up(config.log_level, secrets=config.secrets())
    command: Command = given.command
    try:
        return _flushed(command(config, given))
    except BrokenPipeError:  # who reads along, as `head` does, has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nor may the exit write there
        return OK
    except commands.CommandError as error:
        print(error, file=sys.stderr)
        return MISUSED if isinstance(error, commands.Misused) else FAILED
    except (OperationalError, ProgrammingError) as error:
        words = str(error.orig)
        if any(each in words for each in ("no such table", "no such column", "does not exist")):
            words = "it is not up to date. Run `hadir server migrate` first"
        print(f"The database cannot be used: {words}.", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        return 130


def _flushed(status: int) -> int:
    sys.stdout.flush()
    return status


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="hadir server", description="The central server of Hadir.")
    add = top.add_subparsers(required=True, metavar="COMMAND").add_parser
    _processes(add)
    _people(add)
    table_commands.add_commands(add)
    _places(add)
    _working_time(add)
    _days(add)
    _agents(add)
    return top


def _processes(add: Callable[..., argparse.ArgumentParser]) -> None:
    for name, command, words in (
        ("run", processes.run, "broker (if embedded), web and worker together, for one box"),
        ("web", processes.web, "the dashboard and the agents' HTTP endpoints"),
        ("worker", processes.worker, "hears the agents, alerts, sends, reports"),
        ("broker", processes.broker, "the embedded MQTT broker"),
        ("migrate", commands.migrate, "bring the database up to date"),
    ):
        add(name, help=words).set_defaults(command=command)


def _people(add: Callable[..., argparse.ArgumentParser]) -> None:
    user = add("user", help="the people who log in").add_subparsers(required=True, metavar="ACTION")
    new = user.add_parser("add", help="make an account; the password comes from standard input or is made up")
    new.add_argument("name")
    new.add_argument("--role", choices=("admin", "hr", "supervisor", "viewer"), default="viewer")
    new.add_argument("--language", choices=("id", "en"), help="of their pages (HADIR_LANGUAGE)")
    new.add_argument("--employee", help="the employee code of this person, e.g. of a supervisor")
    new.set_defaults(command=commands.add_user)

    employee = add("employee", help="the people who are seen").add_subparsers(required=True, metavar="ACTION")
    new = employee.add_parser("add", help="add somebody")
    new.add_argument("code")
    new.add_argument("name")
    new.add_argument("--site", required=True)
    for option in ("department", "phone", "email", "supervisor"):
        new.add_argument(f"--{option}", default="")
    new.set_defaults(command=commands.add_employee)

    held = add("who-holds", help="the boxes that hold somebody's face, or have not confirmed its erasure")
    held.add_argument("code", help="the employee code, also of somebody who left")
    held.set_defaults(command=commands.who_holds)

    leave = add("resign", help="end an employment; the face templates are erased once it is over")
    leave.add_argument("code")
    leave.add_argument("--on", type=day_of, help="the last day, YYYY-MM-DD (default: today)")
    leave.set_defaults(command=commands.resign)


def _places(add: Callable[..., argparse.ArgumentParser]) -> None:
    site = add("site", help="places with a time zone of their own").add_subparsers(
        required=True, metavar="ACTION"
    )
    new = site.add_parser("add", help="add a site")
    new.add_argument("id", help="a short name: a-z, 0-9 and '-'")
    new.add_argument("name")
    new.add_argument("--timezone", help="IANA name, e.g. Asia/Makassar")
    new.add_argument("--report-at", help="local time of the daily report, e.g. 17:30")
    new.set_defaults(command=commands.add_site)

    code = add("join-code", help="a one-time code with which an agent joins a site")
    code.add_argument("--site", required=True, help="the short name of the site that the agent belongs to")
    code.add_argument(
        "--agent-name",
        default="",
        metavar="NAME",
        help="what the agent is called on the dashboard, e.g. 'Lobby' (default: the box's own host name)",
    )
    code.add_argument("--no-qr", action="store_true", help="print only the link, without the code to scan")
    code.set_defaults(command=commands.join_code)


def _working_time(add: Callable[..., argparse.ArgumentParser]) -> None:
    shift = add("shift", help="working hours").add_subparsers(required=True, metavar="ACTION")
    new = shift.add_parser("set", help="make or change a shift, and make it the site's")
    new.add_argument("id", help="a short name: a-z, 0-9 and '-'")
    new.add_argument("name")
    new.add_argument("--site", required=True)
    new.add_argument("--starts", required=True, help="local time, e.g. 08:00")
    new.add_argument("--ends", required=True, help="local time; at or before --starts it is the next day's")
    new.add_argument("--weekdays", default="mon-fri", help="mon-fri (default), or mon,wed,fri")
    new.add_argument(
        "--grace-min",
        type=int,
        metavar="MIN",
        help="minutes late, or early, that are excused (10)",
    )
    new.add_argument(
        "--early-leave-grace-min", type=int, metavar="MIN", help="of going early, where it is another one"
    )
    for option, words in (("--early-in", "before the start (120)"), ("--late-out", "after the end (240)")):
        new.add_argument(
            option, type=int, metavar="MIN", help=f"who is seen so long {words} is seen for this shift"
        )
    new.set_defaults(command=working_time_commands.set_shift)

    days = add("holidays", help="days on which nobody has to work").add_subparsers(
        required=True, metavar="ACTION"
    )
    take = days.add_parser("indonesia", help="take over Indonesia's national holidays and collective leave")
    take.add_argument("--year", type=int, required=True)
    take.add_argument("--site", default="", help="for this site only (default: for every site)")
    take.add_argument("--no-collective", action="store_true", help="leave collective leave out")
    take.add_argument("--dry-run", action="store_true", help="only say what would happen")
    take.set_defaults(command=working_time_commands.take_indonesia)


def _agents(add: Callable[..., argparse.ArgumentParser]) -> None:
    agent = add("agent", help="the boxes beside the cameras").add_subparsers(required=True, metavar="ACTION")
    agent.add_parser("list", help="every agent, and how it is").set_defaults(command=agent_commands.show)
    for name, command, words in (
        ("revoke", agent_commands.revoke, "shut an agent out at once, e.g. because its box was stolen"),
        ("restore", agent_commands.restore, "let a revoked agent in again"),
        ("rotate", agent_commands.rotate, "make its broker password worthless; the agent makes a new one"),
    ):
        one = agent.add_parser(name, help=words)
        one.add_argument("id", help="as `agent list` shows it")
        one.set_defaults(command=command)


def _days(add: Callable[..., argparse.ArgumentParser]) -> None:
    report = add("report", help="write the daily report now; prints the paths of its files")
    report.add_argument("--site", required=True)
    report.add_argument("--date", type=day_of, help="business date, YYYY-MM-DD (default: the site's today)")
    report.add_argument("--send", action="store_true", help="send it to HR and managers too")
    report.set_defaults(command=commands.report)

    why = add("explain", help="why a person-day is worth what it is, step by step")
    why.add_argument("code", help="the employee code")
    why.add_argument("day", type=day_of, help="business date, YYYY-MM-DD")
    why.add_argument("--json", action="store_true", help="everything, for a program to read")
    why.set_defaults(command=_explain)

    again = add("recompute", help="recompute attendance from the events, after shifts or rules changed")
    again.add_argument("--from", dest="first", type=day_of, required=True, help="business date, YYYY-MM-DD")
    again.add_argument("--to", dest="last", type=day_of, required=True, help="business date, YYYY-MM-DD")
    again.add_argument("--employee", metavar="CODE", help="only this person's days")
    again.add_argument("--dry-run", action="store_true", help="only show what would change")
    again.add_argument("--yes", action="store_true", help="write the changes without asking")
    again.set_defaults(command=recompute_command.recompute)

    add("purge", help="delete what may not be kept any longer, now").set_defaults(command=commands.purge)


def _explain(config: ServerConfig, given: argparse.Namespace) -> int:
    from central_server.explain_command import explain  # it brings the words of the pages along

    return explain(config, given)
