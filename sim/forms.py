"""Settings that are text with a form of their own: holds as numbers, the digest of a file."""

import re

from pools.setting import Form

VALUES_MAX = 200
HOLD_MS_MIN, HOLD_MS_MAX = 0.1, 60_000.0


def values_ms(text: str) -> tuple[float, ...]:
    """Read holds in ms, separated by commas. Raises ValueError for anything else.

    >>> values_ms("1,2.5,40")
    (1.0, 2.5, 40.0)
    """
    found = tuple(float(part) for part in text.split(",")) if text else ()
    if len(found) > VALUES_MAX or not all(HOLD_MS_MIN <= one <= HOLD_MS_MAX for one in found):
        raise ValueError(text)
    return found


VALUES_FORM = Form(
    f"up to {VALUES_MAX} numbers from {HOLD_MS_MIN:g} to {HOLD_MS_MAX:g}, separated by commas",
    values_ms,
    ("", "20", "5,5,5,200"),
)


def _digest(text: str) -> str:
    if text and not _DIGEST.fullmatch(text):
        raise ValueError(text)
    return text


_DIGEST = re.compile(r"[0-9a-f]{12}")
DIGEST_FORM = Form("12 hexadecimal digits", _digest, ("", "0123456789ab"))
