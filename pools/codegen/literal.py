"""The one way a value enters generated code: as a literal that means exactly that value.

Nothing made by a user can become an identifier, a comment or an expression: `literal` knows
five built-in types and refuses everything else, and `finish` refuses any template expression
that did not go through it.
"""

import json
import math

from pools.codegen.reason import Plain


class Literal(str):
    """Source text of one value, made by this module and `trace` alone."""

    __slots__ = ()


def literal(value: object, none_at: float | None = None) -> Literal:
    r"""Return the Python source of a str, int, float, bool or None, in pure ASCII.

    `none_at` is the number by which a setting says None to its library. Raises TypeError for
    any other type (subclasses too: repr of a numpy float is no literal) and ValueError for
    infinity and not-a-number.

    >>> print(literal("a\nb"), literal(0.0, none_at=0))
    "a\nb" None
    """
    plain = _checked(value)
    if isinstance(plain, str):
        return Literal(_quote(plain))
    if none_at is not None and type(plain) is not bool and plain == none_at:
        return Literal("None")
    return Literal(repr(plain))


def json_literal(value: object) -> Literal:
    r"""Return the same value for JSON. Raises like `literal`.

    >>> print(json_literal("a\nb"), json_literal(True))
    "a\nb" true
    """
    return Literal(json.dumps(_checked(value)))


def yaml_literal(value: object) -> Literal:
    r"""Return the same value for YAML; floats to 12 decimals. Raises like `literal`.

    YAML reads JSON, but for an exponent without a point and characters beyond 16 bits.

    >>> print(yaml_literal("\U0001f600"), yaml_literal(1e-9))
    "\U0001f600" 0.000000001
    """
    plain = _checked(value)
    if isinstance(plain, float):
        return Literal(_decimal(plain))
    if not isinstance(plain, str):
        return json_literal(plain)
    return Literal(f'"{"".join(map(_yaml_character, plain))}"')


def bare_literal(value: object) -> Literal:
    """Return a number for an ini file or a query, where nothing is quoted.

    Raises TypeError for anything but an int or a float, and ValueError like `literal`.
    """
    plain = _checked(value)
    if type(plain) is float:
        return Literal(_decimal(plain))
    if type(plain) is not int:
        raise TypeError(f"a bare literal must be a number, got {type(plain)}")
    return Literal(plain)


def finish(value: object) -> Literal:
    """Return the value of a template expression. Raises TypeError if it is no Literal."""
    if type(value) is not Literal:
        raise TypeError(f"a template value must go through `literal`, got {type(value)}")
    return value


def _checked(value: object) -> Plain:
    if type(value) is float and not math.isfinite(value):
        raise ValueError(f"a literal must be finite, got {value}")
    if value is None or (isinstance(value, str | int | float) and type(value) in _TYPES):
        return value
    raise TypeError(f"a literal must be str, int, float, bool or None, got {type(value)}")


_TYPES = (str, int, float, bool)


def _quote(text: str) -> str:
    """Prefer double quotes, as formatters do, where the text itself has none of either."""
    quoted = ascii(text)
    return quoted if '"' in text or "'" in text else f'"{quoted[1:-1]}"'


def _decimal(number: float) -> str:
    """Write a float without an exponent, which YAML 1.1 would read as text."""
    written = repr(number)
    if "e" not in written:
        return written
    whole, _, decimals = f"{number:.12f}".partition(".")
    return f"{whole}.{decimals.rstrip('0') or '0'}"


def _yaml_character(character: str) -> str:
    if character not in '"\\' and " " <= character <= "~":
        return character
    code = ord(character)
    return f"\\u{code:04x}" if code < 1 << 16 else f"\\U{code:08x}"
