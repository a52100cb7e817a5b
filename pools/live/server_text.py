"""What a server said, made harmless: plain, cut, without secrets.

A server's text is hostile until proven otherwise. It is never Markdown, never part of a title
or a cause, and is shown only as a block of plain text (`st.code(text, language=None)`).
"""

import base64
import re
import unicodedata
from collections.abc import Iterable, Iterator

TEXT_MAX = 500
READ_MAX = 4_000
HIDDEN = "***"
SECRET_MIN = 3
LOGIN_IN_ADDRESS = re.compile(r"(?<=://)[^\s/@]*:[^\s/]*@")
UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def harmless(text: str, secrets: Iterable[str] = ()) -> str:
    r"""Return text on one line, at most 500 characters, without control or bidi characters.

    Every spelling of a secret (raw, URL-quoted, base64) and any `user:password@` of an address
    becomes `***`. Secrets shorter than 3 characters are left: they would hide half the text.

    >>> harmless("no way\x1b[31m, s3cret!", ["s3cret"])
    'no way[31m, ***!'
    """
    plain = "".join(_seen(text[:READ_MAX]))
    for secret in sorted(filter(_is_long, secrets), key=len, reverse=True):
        plain = re.sub("|".join(_spellings(secret)), HIDDEN, plain)
    plain = LOGIN_IN_ADDRESS.sub(f"{HIDDEN}@", plain)
    return " ".join(plain.split())[:TEXT_MAX]


def _seen(text: str) -> Iterator[str]:
    for letter in text:
        if letter.isspace():
            yield " "
        elif unicodedata.category(letter) not in UNSEEN:
            yield letter


def _is_long(secret: str) -> bool:
    return len(secret) >= SECRET_MIN


def _spellings(secret: str) -> Iterator[str]:
    """Yield patterns: each character raw or percent-encoded, as repr writes it, base64."""
    yield "".join(_letter(letter) for letter in secret if "".join(_seen(letter)))
    yield re.escape(repr(secret)[1:-1])
    raw = secret.encode(errors="surrogatepass")
    for encoded in (base64.b64encode(raw), base64.urlsafe_b64encode(raw)):
        yield re.escape(encoded.decode().rstrip("="))


def _letter(letter: str) -> str:
    if letter.isspace():
        return r"(?: |\+|%20)"
    quoted = "".join(f"%{byte:02x}" for byte in letter.encode())
    return f"(?:{re.escape(letter)}|(?i:{quoted}))"
