"""`python -m sim.sweep.worker`: does pieces of work that arrive on standard input.

Ends when standard input does, so it never outlives its owner.
"""

import os
import pickle
import sys
from contextlib import suppress

import sim.sweep.cell  # noqa: F401  loaded before the first piece of work
from sim.sweep.messages import receive, send

NICENESS = 19


def main() -> None:
    """Work until there is no more."""
    os.nice(NICENESS)
    work, answers = sys.stdin.buffer, sys.stdout.buffer
    with suppress(BrokenPipeError):
        while (payload := receive(work)) is not None:
            send(answers, pickle.dumps(_done(payload)))


def _done(payload: bytes) -> tuple[bool, object]:
    function, arguments, options = pickle.loads(payload)  # noqa: S301  from our own parent
    try:
        return True, function(*arguments, **options)
    except Exception as error:  # noqa: BLE001  goes to whoever asked
        return False, error


if __name__ == "__main__":
    main()
