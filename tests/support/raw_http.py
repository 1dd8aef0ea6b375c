"""Requests as bytes, past what a client would mend: paths written in every way."""

import socket
from collections.abc import Iterator

# As bytes on the wire, `{0}` being the path: what some server on the way may take for the path itself.
WRITTEN = (
    "{0}%0a", "{0}%0A", "/%0a{0}", "{0}%0d%0a", "{0}%09", "{0}%20", "{0}%00", "{0}%7f", "{0}%c2%85", "{0}%e2%80%a8",
    "{0}/", "{0}//", "/{0}", "/.{0}", "{0}/.", "/x/..{0}", "{0}/x/..", "/%2e%2e{0}", "{0}%2f", "/%2f{0}",
    "{0};", "{0};v=1", "{0}%3b", "{0}%250a", "{0}%3f", "{0}%23", "{0}\\", "{0}%5c", "/x%2f..{0}",
)  # fmt: skip
EXACT = ("{0}", "{0}?", "{0}?a=1%0a")


def exchanged(port: int, requests: Iterator[bytes] | list[bytes]) -> Iterator[tuple[int, bytes]]:
    """Status and everything of each answer; a connection for each, as a server may close it."""
    for request in requests:
        with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
            connection.sendall(request)
            answer = b""
            while chunk := connection.recv(65536):
                answer += chunk
        yield int(answer.split(b" ", 2)[1]), answer


def request(method: str, path: str, host: str = "evil.example", **headers: str) -> bytes:
    """The bytes of a request with an empty JSON object, where it has a body."""
    body = "{}" if method == "POST" else ""
    fields = {"host": host, "connection": "close", **headers}
    if body:
        fields |= {"content-type": "application/json", "content-length": str(len(body))}
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"{method} {path} HTTP/1.1\r\n{head}\r\n{body}".encode()
