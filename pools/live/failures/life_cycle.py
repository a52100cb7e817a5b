"""How a check's life begins, is refused and ends, apart from what server and network do."""

from pools.live.failures.words import AGAIN, Words

SESSION_BUSY = Words(
    "PW-LIVE-busy_session",
    "A check is already running",
    "A live check is already running in this session.",
    "Wait for it or cancel it.",
)
ALL_BUSY = Words(
    "PW-LIVE-busy",
    "Too many checks are running",
    "{most} live checks are already running on this server, which is the most it allows.",
    "Try again in half a minute.",
)
TOO_OFTEN = Words(
    "PW-LIVE-too_often",
    "Too many checks within a minute",
    "This session has started {most} looks and checks within a minute, which is the most it may:"
    " each logs in at the server.",
    "Try again in {wait_s} s.",
)
CANCELLED = Words(
    "PW-LIVE-cancelled",
    "Cancelled",
    "The check was ended by hand, or its page was closed.",
    "Start it again.",
)
DEADLINE = Words(
    "PW-LIVE-deadline",
    "The check took too long",
    "It was not finished {seconds} s after its start (total timeout), so it was ended.",
    AGAIN,
)
PROCESSOR = Words(
    "PW-LIVE-processor",
    "The check used too much processor time",
    "It may use as many seconds of a processor as it may last.",
    "Use a lower rate; a server that sends huge answers does this, too.",
)
OWNER_GONE = Words(
    "PW-LIVE-owner",
    "Poolwise itself ended",
    "The program or the page that had started the check ended, and the check with it.",
    "Start Poolwise again, then the check.",
)
SIGNAL = Words(
    "PW-LIVE-child",
    "The check ended unexpectedly",
    "Signal {status} ended its process before it had a result.",
    AGAIN,
)
STATUS = SIGNAL._replace(cause="Its process ended {status} before it had a result.")
