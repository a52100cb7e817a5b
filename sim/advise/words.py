"""What was tried and found, in sentences with their numbers."""

import math

from pools.setting import Value
from sim.advise.bounds import Says
from sim.advise.recommendation import Found, Recommendation, Tried
from sim.result import Estimate

_EVENT = {
    "wait": "wait longer than {limit} for a connection",
    "failures": "fail",
    "burst": "of the burst wait longer than {limit}, or fail",
}


def spoken_time(seconds: float) -> str:
    """Write a time in the unit that suits it.

    >>> spoken_time(0.0015), spoken_time(2)
    ('1.5 ms', '2 s')
    """
    return f"{seconds:.3g} s" if seconds >= 1.0 else f"{seconds * 1000.0:.3g} ms"


def spoken_share(ratio: float) -> str:
    """Write a ratio as a percentage.

    >>> spoken_share(0.0123), spoken_share(1.0)
    ('1.2 %', '100 %')
    """
    return f"{100.0 * ratio:.3g} %" if ratio >= 0.1 else f"{100.0 * ratio:.2g} %"


def said(one: Found) -> str:
    """Say what was found about a limit: the share, its interval, and what it may be."""
    event = _EVENT[one.limit].format(limit=spoken_time(one.wait_s_max))
    where = "" if one.case in ("as it is", "burst") else f" with {one.case}"
    if math.isnan(one.share.ratio):
        return f"nothing was counted{where}"
    bounds = f"between {spoken_share(one.share.low)} and {spoken_share(one.share.high)}"
    p99 = _p99(one.wait_s_p99)
    allowed = f"{spoken_share(one.ratio_max)} may"
    return f"{spoken_share(one.share.ratio)} {event}{where} ({bounds}; {allowed}){p99}"


def _p99(one: Estimate) -> str:
    if one.value is None:
        return ""
    if one.low is None or one.high is None:
        return f"; p99 wait {spoken_time(one.value)}"
    return f"; p99 wait {spoken_time(one.value)}, {spoken_time(one.low)} to {spoken_time(one.high)}"


def settings_text(tried: Tried, names: frozenset[str] | None = None) -> str:
    """Write a pool's settings as its library spells them: all, or only some by query name."""
    shown = tried.settings.items()
    chosen = (pair for pair in shown if names is None or pair[0] in names)
    return ", ".join(f"{name}={spelt(value)}" for name, value in chosen)


def spelt(value: Value) -> str:
    """Write a value as Python code has it, without needless digits.

    >>> spelt(2.0), spelt(True), spelt(0.25)
    ('2', 'True', '0.25')
    """
    if isinstance(value, float):
        return f"{value:.12g}"
    return repr(value)


def in_words(advice: Recommendation) -> str:
    """Return the whole advice as lines of text."""
    lines = [title(advice)]
    if advice.proof is None:
        lines += [advice.why_not, *(f"- {one.sentence}" for one in advice.levers)]
    else:
        lines += [f"Proof: {said(one)}." for one in advice.proof.found]
        lines.append(cheaper(advice))
    lines += [f"{one.setting}={one.value}: {one.why}" for one in advice.reasons]
    lines.append(f"Settings tried: {len(advice.rows)}.")
    return "\n".join(lines)


def title(advice: Recommendation) -> str:
    """Say the advice in one line."""
    if advice.proof is None:
        return "No setting of this pool meets the goal."
    if not advice.changes:
        return "Keep these settings: nothing cheaper meets the goal."
    values = ", ".join(f"{name}={spelt(after)}" for name, (_, after) in advice.changes.items())
    return f"Use {values}."


def cheaper(advice: Recommendation) -> str:
    """Say what the next cheaper setting fails by."""
    if advice.cheaper is None:
        return "There is nothing cheaper to try."
    worst = advice.cheaper.worst
    verb = "fails" if worst.says is Says.FAILS else "is not shown to do"
    return f"The next cheaper one, {size_text(advice.cheaper)}, {verb}: {said(worst)}."


def size_text(tried: Tried) -> str:
    """Write only the settings that give a pool its size."""
    return settings_text(tried, SIZES)


SIZES = frozenset(
    {
        "pool_size",
        "max_overflow",
        "max_size",
        "min_size",
        "limit",
        "limit_per_host",
        "pool_connections",
        "max_keepalive_connections",
    }
)
# Those of them that say how many connections stay while nothing is asked.
KEEPING = frozenset({"pool_size", "min_size", "max_keepalive_connections"})
