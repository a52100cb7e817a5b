"""Advice in words and tables: what is looked for, how far it is, what was found and why."""

import math
from collections.abc import Iterator, Sequence

from sim.advise import Found, Recommendation, Tried
from sim.advise.bounds import Says
from sim.advise.words import cheaper, said, size_text, title
from sim.goal import Goal
from sim.result import Estimate
from sim.rules_of_thumb import RULES
from sim.scenario import Scenario
from ui.words import NOTHING, count, duration, duration_interval, plain, share

EMPTY = (
    "Say what you need, and this finds the cheapest settings of your pool that keep it: a longest"
    " wait, a share that may fail, or a burst to survive."
)
SUGGESTED_FAILED_RATIO = 0.001
_SAYS = {Says.MEETS: "meets", Says.FAILS: "fails", Says.UNSURE: "not sure"}


def suggested(scenario: Scenario) -> Goal:
    """Return a goal to begin with: 99 in 100 wait at most half a hold, 1 in 1000 fails."""
    half_ms = max(1.0, round(500.0 * scenario.hold_s_mean))
    return Goal(wait_s_p99_max=half_ms / 1000.0, failed_ratio_max=SUGGESTED_FAILED_RATIO)


def wanted(scenario: Scenario) -> str:
    """Say what is looked for, in one sentence."""
    return f"Looks for the fewest connections with which {_and(list(_wanted(scenario)))}."


def _wanted(scenario: Scenario) -> Iterator[str]:
    goal = scenario.goal
    if goal.wait_s_p99_max:
        yield f"99 in 100 requests wait at most {duration(goal.wait_s_p99_max)}"
    if goal.failed_ratio_max:
        yield f"at most {share(goal.failed_ratio_max)} fail"
    if goal.burst_requests:
        burst, patience = count(goal.burst_requests, "request"), duration(goal.burst_wait_s_max)
        yield f"{burst} at once get theirs within {patience}"
    if goal.within_budget and scenario.pool.serves == "database":
        yield "the fleet stays within its connection budget"
    if goal.survives_replica_loss:
        yield "one replica may be lost"
    if goal.survives_deploy:
        yield "a rolling deploy may be under way"


def _and(parts: Sequence[str]) -> str:
    *first, last = parts
    return f"{', '.join(first)} and {last}" if first else last


def progress_line(tried: Sequence[Tried]) -> str:
    """Say how far the search is."""
    if not tried:
        return "Trying the first settings"
    last = tried[-1]
    verb = "meets the goal" if last.meets else "does not"
    what = "confirming " if last.is_confirmation else ""
    return f"{count(len(tried), 'setting')} tried; last {what}{size_text(last)}: {verb}"


def progress(tried: Sequence[Tried]) -> float:
    """Return how far the search is: most end after a dozen settings."""
    return len(tried) / (len(tried) + 5.0)


def headline(advice: Recommendation) -> str:
    """Say the answer."""
    return title(advice).rstrip(".") + (": here is the proof." if advice.proof else ".")


def proof(advice: Recommendation) -> Iterator[str]:
    """Say how the answer is known, and what the next cheaper one fails by."""
    if advice.proof is not None:
        for one in advice.proof.found:
            yield f"In {count(one.requests, 'fresh request')}, {said(one)}."
        yield cheaper(advice)


def evidence(advice: Recommendation) -> list[dict[str, str]]:
    """Return the rows of the table of evidence, fewest connections first, the answer marked."""
    rows = sorted(advice.rows, key=lambda one: (one.held or math.inf, one.kept))
    return [_row(one, is_answer=_is_answer(one, advice)) for one in rows]


def _is_answer(one: Tried, advice: Recommendation) -> bool:
    return advice.proof is not None and one.pool == advice.proof.pool


def _row(one: Tried, *, is_answer: bool) -> dict[str, str]:
    worst = one.worst
    return {
        "Settings": ("→ " if is_answer else "") + (size_text(one) or "as they are"),
        "Held": NOTHING if one.held is None else f"{one.held:,}",
        "Idle": f"{one.kept:,}",
        "Misses the goal": _misses(worst),
        "Wait, p99": _wait(worst.wait_s_p99),
        "Case": worst.case,
        "Verdict": _verdict(one),
    }


def _verdict(one: Tried) -> str:
    if one.opens_too_often:
        return f"{share(one.opened_ratio)} of requests open a connection"
    return "meets" if one.meets else _SAYS[one.worst.says]


def _misses(one: Found) -> str:
    if math.isnan(one.share.ratio):
        return NOTHING
    bounds = f"{share(one.share.low)} to {share(one.share.high)}"
    return f"{share(one.share.ratio)} ({bounds}) of {share(one.ratio_max)}"


def _wait(one: Estimate) -> str:
    return NOTHING if one.value is None else f"{duration(one.value)} ({duration_interval(one)})"


def reasons(advice: Recommendation) -> list[dict[str, str]]:
    """Return the rows of the table of reasons."""
    return [
        {"Setting": one.setting, "Value": one.value, "Why": plain(one.why), "Source": one.source}
        for one in advice.reasons
    ]


def rules_of_thumb(advice: Recommendation) -> list[dict[str, str]]:
    """Return what each rule of thumb says for this workload, and how far it is from the answer."""
    answer = advice.scenario.pool.capacity
    if advice.proof is None or answer is None:
        return []
    said_by = ((rule, rule.says(advice.scenario)) for rule in RULES)
    return [
        {
            "Rule": rule.name,
            "Says": f"{size}",
            "Error": _error(size, answer),
            "Why": plain(rule.why),
            "Source": rule.source,
        }
        for rule, size in said_by
        if size is not None
    ]


def _error(size: int, answer: int) -> str:
    if size == answer:
        return "right"
    off = f"{abs(size - answer)} ({(size - answer) / answer:+.0%})"
    return f"{off} too few" if size < answer else f"{off} more than needed"
