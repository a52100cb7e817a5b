"""Numbers in words: times, shares and counts with their unit and their uncertainty."""

from sim.result import Estimate

NOTHING = "–"
_MARKDOWN_SIGNS = frozenset("\\`*_{}[]<>()#+-!|$~:")


def number(value: float, digits: int = 3) -> str:
    """Write a number with so many significant digits, thousands set apart, no exponent.

    >>> number(1234.5), number(0.04567), number(0)
    ('1,234', '0.0457', '0')
    """
    if value == 0:
        return "0"
    whole = len(f"{abs(value):.0f}") if abs(value) >= 1 else 0
    if whole >= digits:
        return f"{value:,.0f}"
    rounded = float(f"{value:.{digits}g}")
    text = f"{rounded:.10f}".rstrip("0").rstrip(".")
    return text or "0"


def duration(seconds: float) -> str:
    """Write a time in the unit that suits it.

    >>> duration(0.00412), duration(1.25), duration(0), duration(0.0000021)
    ('4.12 ms', '1.25 s', '0 ms', '2.1 µs')
    """
    scale, unit = time_unit(seconds)
    return f"{number(seconds / scale)} {unit}"


def time_unit(seconds: float) -> tuple[float, str]:
    """Return the unit that suits a time, as its length in seconds and its sign."""
    if seconds >= 1.0:
        return 1.0, "s"
    return (1e-6, "µs") if 0 < seconds < 1e-4 else (1e-3, "ms")


def duration_interval(one: Estimate) -> str:
    """Write the 95 % interval of a time in one unit: `3.8 to 4.5 ms`."""
    if one.low is None or one.high is None:
        return "one run: no interval"
    scale, unit = time_unit(one.high)
    return f"{number(one.low / scale)} to {number(one.high / scale)} {unit}"


def share(ratio: float) -> str:
    """Write a ratio as a percentage.

    >>> share(0.1234), share(0.0004), share(0), share(1)
    ('12.3 %', '0.04 %', '0 %', '100 %')
    """
    return f"{number(100.0 * ratio)} %"


def share_interval(one: Estimate) -> str:
    """Write the 95 % interval of a ratio: `61 to 64 %`."""
    if one.low is None or one.high is None:
        return "one run: no interval"
    return f"{number(100.0 * one.low)} to {number(100.0 * one.high)} %"


def rate_interval(one: Estimate) -> str:
    """Write the 95 % interval of a rate: `198 to 203 /s`."""
    if one.low is None or one.high is None:
        return "one run: no interval"
    return f"{number(one.low)} to {number(one.high)} /s"


def count(amount: int, singular: str, plural: str = "") -> str:
    """Write a count with its noun.

    >>> count(1, "replica"), count(1200, "request")
    ('1 replica', '1,200 requests')
    """
    return f"{amount:,} {singular if amount == 1 else plural or singular + 's'}"


def plain(text: str) -> str:
    r"""Return text so that Markdown shows it as it stands, on one line; `code` stays code.

    >>> print(plain("a_b: *x* in `a_b`"))
    a\_b\: \*x\* in `a_b`
    """
    parts = " ".join(text.split()).split("`")
    if len(parts) % 2 == 0:  # a backtick without its partner
        return _escaped("`".join(parts))
    return "`".join(part if i % 2 else _escaped(part) for i, part in enumerate(parts))


def _escaped(text: str) -> str:
    return "".join(f"\\{sign}" if sign in _MARKDOWN_SIGNS else sign for sign in text)
