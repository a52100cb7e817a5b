"""Every failure that a live check knows, in our own words: the rows of the fault matrix.

Each row is (code, title, cause, next step). Codes are stable: `PW-DB-` and the SQLSTATE (and a
word where one SQLSTATE has several reasons), else a word behind PW-NET (the way there), PW-TLS,
PW-DB (what answered), PW-HTTP or PW-LIVE (the check itself). `{where}` is the address.

Nothing here imports a driver: the page explains problems, too.
"""
