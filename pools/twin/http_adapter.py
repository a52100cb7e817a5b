"""What the twins of HTTP clients have in common: the server, and which connection carries what."""

import asyncio
from contextvars import ContextVar

from pools.twin.adapter import Adapter
from pools.twin.http import PORT, HttpServer, address_of, pool_of
from pools.twin.network import Network, Wire
from pools.twin.notes import Note
from sim.script import Script

# The request of the running task: a client writes it to its connection from that task.
ASKING: ContextVar[Note | None] = ContextVar("ASKING", default=None)


class HttpAdapter(Adapter):
    """An HTTP client on the virtual network."""

    def __init__(self, loop: asyncio.AbstractEventLoop, network: Network, script: Script) -> None:
        """Put the hosts on the network, and note each request as it leaves its client."""
        super().__init__(loop, network, script)
        self.server = HttpServer(network, script.costs)
        uses = [ask.use for ask in script.asks] + [use for one in script.loops for use in one.uses]
        for pool in range(script.pools):
            for host in {use.host for use in uses}:
                network.listen(
                    address_of(pool, host), PORT, self.server.accept, self.server.next_open_s
                )
        network.sent = _sent

    def kill(self, which: int) -> None:
        """Let the server drop a connection."""
        self.server.kill(which)


def _sent(wire: Wire) -> None:
    note = ASKING.get()
    wire.facts["pool"] = pool_of(wire.host)
    if note is not None:
        note.granted(wire)
