"""Command line of both packages: `python -m <package> <verb>`, one module a verb, errors in one line."""

from __future__ import annotations

import argparse
import logging
import os
import shlex
import sys
from collections.abc import Iterable, Mapping
from importlib import import_module
from typing import Any, TypeVar
from weakref import WeakSet

from extractors.errors import UserError, line, number

Item = TypeVar("Item")
LOG = logging.getLogger("cmarr")
_bars: WeakSet[Any] = WeakSet()


def progress(items: Iterable[Item], what: str, unit: str, total: int | None = None, done: int = 0) -> Iterable[Item]:
    """`items`, with a bar (count, rate, time left) on stderr, renewed every 10 seconds where that is a file.

    `total` counts the `done` items, which were there before, too.
    """
    from tqdm import tqdm

    terminal = sys.stderr.isatty()
    bar = tqdm(items, desc=what, unit=unit, total=total, initial=done, mininterval=0.2 if terminal else 10)
    _bars.add(bar)
    return bar


def counter(what: str, unit: str, total: int, done: int = 0) -> Any:
    """The same bar without items, a context manager; each step is an `update()`."""
    return progress((), what, unit, total, done)


def run(package: str, verbs: Mapping[str, str], argv: list[str] | None = None) -> int:
    """Exit code of one verb: 0, 1 for a UserError or an error of the operating system such as a full disk (shown as one
    line), 2 for a wrong command line, 130 when it was interrupted.

    `verbs` maps each verb to its one-sentence help. The verb's module `<package>.<verb>` (dashes become
    underscores) is imported only when the verb is asked for; it has `add_arguments(parser)` and `main(args)`, or
    `VERBS` of its own, whose modules lie below it.
    """
    argv = sys.argv[1:] if argv is None else argv
    parser = argparse.ArgumentParser(prog=f"python -m {package}", description=sys.modules[package].__doc__)
    _add_verbs(parser, package, verbs, argv)
    args = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S", stream=sys.stderr)
    if not sys.stderr.isatty():  # a log file says how to repeat the job by hand
        LOG.info("python -m %s %s", package, shlex.join(argv))
    try:
        args.main(args)
        sys.stdout.flush()
    except UserError as error:
        return _ended(str(error))
    except BrokenPipeError:  # nobody reads on, as with `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        return _ended("interrupted; run it again to go on", 130)
    except Exception as error:
        if number(error) is None:
            raise
        return _ended(line(error))
    return 0


def _ended(message: str, code: int = 1) -> int:
    for bar in _bars:
        bar.close()  # or the message would stand behind it
    print("error: " + message.replace("\n", "\nerror: "), file=sys.stderr)
    return code


def _add_verbs(parser: argparse.ArgumentParser, package: str, verbs: Mapping[str, str], argv: list[str]) -> None:
    commands = parser.add_subparsers(metavar="verb", required=True)
    for verb, help_text in verbs.items():
        command = commands.add_parser(verb, help=help_text, description=help_text)
        if verb in argv[:1]:
            module: Any = import_module(f"{package}.{verb.replace('-', '_')}")
            if hasattr(module, "VERBS"):
                _add_verbs(command, module.__name__, module.VERBS, argv[1:])
            else:
                module.add_arguments(command)
                command.set_defaults(main=module.main)
