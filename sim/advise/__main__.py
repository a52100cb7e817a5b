"""`python -m sim.advise "rate=200&goal_wait_ms=10" --json`: the settings that meet a goal.

Exit codes: 0 found, 1 no setting of this pool meets the goal, 2 bad input.
"""

import json
import sys
from collections.abc import Sequence

from sim.__main__ import asked
from sim.advise.advise import NoGoal, advise
from sim.advise.fast import best_evaluator
from sim.advise.words import in_words


def main(arguments: Sequence[str] | None = None) -> int:
    """Advise on one scenario. Return the exit code."""
    scenario, wants_json = asked("python -m sim.advise", __doc__, arguments)
    if scenario is None:
        return 2
    try:
        advice = advise(scenario, best_evaluator())
    except NoGoal as nothing:
        print(nothing, file=sys.stderr)
        return 2
    print(json.dumps(advice.as_json(), indent=2) if wants_json else in_words(advice))
    return 0 if advice.proof is not None else 1


if __name__ == "__main__":
    sys.exit(main())
