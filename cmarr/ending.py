"""How the Snakefile ends when something is wrong: with the line of the error, not with Snakemake's trace."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from extractors.errors import UserError, line, number


@contextmanager
def one_line() -> Iterator[None]:
    """End the program with the line of an error; Snakemake would show one of an input function as a trace."""
    try:
        yield
    except UserError as problem:
        stop(problem)
    except OSError as error:
        if number(error) is None:
            raise
        stop(UserError(line(error)))


def stop(problem: UserError) -> NoReturn:
    """End the program with the error lines of a problem."""
    sys.exit("error: " + str(problem).replace("\n", "\nerror: "))
