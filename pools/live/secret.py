"""A text that never prints itself: a password, or an address that may hold a token."""

import hmac
from typing import Never

HIDDEN = "•••"


class Secret:
    """Holds a text; only `reveal` gives it out. It cannot be copied or pickled by accident."""

    __slots__ = ("_text",)

    def __init__(self, text: str = "") -> None:
        """Take the text."""
        self._text = text

    def reveal(self) -> str:
        """Return the text itself: for the library that needs it, and for nothing else."""
        return self._text

    def __repr__(self) -> str:
        return HIDDEN if self._text else "''"

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(
            self._text.encode(errors="surrogatepass"), other._text.encode(errors="surrogatepass")
        )

    def __hash__(self) -> int:
        return hash(self._text)

    def __reduce__(self) -> Never:
        raise TypeError("a Secret is not copied, pickled or cached")
