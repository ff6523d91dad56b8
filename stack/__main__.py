"""Command line of the stack: `python -m stack up | down | status | logs | start | stop | kill | fetch`.

STACK chooses the stack (default `dev`), STACK_PORT_BASE other ports than its own.
"""

import argparse
import contextlib
import fcntl
import os
import shutil
import sys
from collections.abc import Callable, Iterator

from stack import display, endpoints, fleet, lifecycle, places
from stack.errors import StackError
from stack.services.service import Service, Stack


def main() -> int:
    """Run one command; its exit status."""
    arguments = _parser().parse_args()
    try:
        return arguments.run(places.stack_name(), arguments) or 0
    except StackError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def up(name: str, arguments: argparse.Namespace) -> int:
    stack = fleet.load(name, arguments.brokers)
    with _locked(stack):
        chosen = fleet.with_needs(stack, arguments.service)
        if any(service.name == "kafka" for service in chosen):
            endpoints.record_brokers(name, stack.brokers)
        with display.progress(chosen) as report:
            lifecycle.start(chosen, report, display.announce)
    return 0 if display.status(chosen) else 1


def fetch(name: str, arguments: argparse.Namespace) -> None:
    everything = fleet.services(fleet.load(name))
    with display.progress(everything) as report:
        lifecycle.fetch(everything, report, display.announce)


def down(name: str, arguments: argparse.Namespace) -> None:
    stack = fleet.load(name)
    if not stack.directory.exists():
        return
    with _locked(stack):
        everything = fleet.services(stack)
        with display.progress(everything) as report:
            lifecycle.stop(everything, report)
        if arguments.delete_data:
            shutil.rmtree(stack.directory)


def status(name: str, arguments: argparse.Namespace) -> int:
    """0 if every service is well, else 3, as init scripts have it."""
    return 0 if display.status(fleet.services(fleet.load(name))) else 3


def logs(name: str, arguments: argparse.Namespace) -> None:
    chosen = fleet.select(fleet.load(name), [arguments.service], arguments.node)
    files = [str(service.log) for service in chosen if service.log.exists()]
    if not files:
        raise StackError(f"{arguments.service} has no log yet.", f"start it: `STACK={name} python -m stack up`.")
    follow = ["--follow=name"] if arguments.follow else []
    os.execvp("tail", ["tail", "--lines", str(arguments.lines), *follow, *files])


def start(name: str, arguments: argparse.Namespace) -> None:
    with _chosen(name, arguments) as chosen, display.progress(chosen) as report:
        lifecycle.start(chosen, report, display.announce)


def stop(name: str, arguments: argparse.Namespace) -> None:
    with _chosen(name, arguments) as chosen, display.progress(chosen) as report:
        lifecycle.stop(chosen, report)


def kill(name: str, arguments: argparse.Namespace) -> None:
    with _chosen(name, arguments) as chosen, display.progress(chosen) as report:
        lifecycle.kill(chosen, report)


@contextlib.contextmanager
def _chosen(name: str, arguments: argparse.Namespace) -> Iterator[list[Service]]:
    stack = fleet.load(name)
    with _locked(stack):
        yield fleet.select(stack, [arguments.service], arguments.node)


@contextlib.contextmanager
def _locked(stack: Stack) -> Iterator[None]:
    """One command at a time changes a stack."""
    places.own(stack.directory)
    with (stack.directory / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m stack", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(run: Callable[[str, argparse.Namespace], int | None], help: str) -> argparse.ArgumentParser:
        added = commands.add_parser(run.__name__, help=help)
        added.set_defaults(run=run)
        return added

    starting = command(up, "start all services, or those named")
    starting.add_argument("service", nargs="*", metavar="SERVICE", help=f"of {', '.join(fleet.NAMES)}")
    starting.add_argument("--brokers", type=int, choices=(1, 3), help="number of Kafka brokers (default: 3)")
    ending = command(down, "stop all services")
    ending.add_argument("--delete-data", action="store_true", help="and delete their data and logs")
    command(status, "show the services")
    command(fetch, "download what up would, and start nothing")
    log = command(logs, "show the end of a service's log")
    log.add_argument("-f", "--follow", action="store_true", help="and what is added to it")
    log.add_argument("-n", "--lines", type=int, default=40)
    for added in (
        log,
        command(start, "start a service"),
        command(stop, "stop a service"),
        command(kill, "SIGKILL a service"),
    ):
        added.add_argument("service", choices=fleet.NAMES)
        added.add_argument("--node", type=int, help="one broker of kafka, from 1")
    return parser


if __name__ == "__main__":
    sys.exit(main())
