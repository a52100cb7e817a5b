"""A server that asks for passwords in the clear and keeps everything it is sent."""

import contextlib
import socket
import ssl
import struct
import threading
from dataclasses import dataclass, field

SSL_REQUEST, CANCEL_REQUEST = 80877103, 80877102
ASK_PASSWORD = b"R" + struct.pack("!ii", 8, 3)
REFUSAL = b"SFATAL\0VFATAL\0C28P01\0Mno\0\0"
SILENCE_S = 5.0


@dataclass
class Rogue:
    """Listens on a port of 127.0.0.1 and speaks PostgreSQL or HTTP, with TLS if asked."""

    context: ssl.SSLContext
    heard: bytearray = field(default_factory=bytearray)
    connects: int = 0
    port: int = 0

    def __post_init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Stop listening."""
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                sock, _ = self._listener.accept()
                sock.settimeout(SILENCE_S)
                self.connects += 1
                threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        with contextlib.suppress(OSError, ValueError), contextlib.closing(sock):
            first = sock.recv(8, socket.MSG_PEEK)
            if first[:1] == b"\x16":
                with contextlib.closing(self._secured(sock)) as secured:
                    self._http(secured)
            elif first[:4] in {b"GET ", b"HEAD", b"CONN", b"POST"}:
                self._http(sock)
            else:
                self._postgres(sock)

    def _secured(self, sock: socket.socket) -> ssl.SSLSocket:
        secured = self.context.wrap_socket(sock, server_side=True)
        self.heard += repr(secured.getpeercert()).encode()
        return secured

    def _http(self, sock: socket.socket) -> None:
        self.heard += sock.recv(65_536)
        sock.sendall(b"HTTP/1.1 401 No\r\nContent-Length: 0\r\nWWW-Authenticate: Basic\r\n\r\n")

    def _postgres(self, sock: socket.socket) -> None:
        message = self._first(sock)
        if int.from_bytes(message[:4]) == SSL_REQUEST:
            sock.sendall(b"S")
            with contextlib.closing(self._secured(sock)) as secured:
                self._ask(secured, self._first(secured))
        else:
            self._ask(sock, message)

    def _ask(self, sock: socket.socket, message: bytes) -> None:
        self.heard += message
        if int.from_bytes(message[:4]) == CANCEL_REQUEST:
            return
        sock.sendall(ASK_PASSWORD)
        self.heard += sock.recv(65_536)
        sock.sendall(b"E" + struct.pack("!i", len(REFUSAL) + 4) + REFUSAL)

    def _first(self, sock: socket.socket) -> bytes:
        size = int.from_bytes(sock.recv(4, socket.MSG_WAITALL) if _plain(sock) else sock.recv(4))
        return sock.recv(size - 4)


def _plain(sock: socket.socket) -> bool:
    return not isinstance(sock, ssl.SSLSocket)
