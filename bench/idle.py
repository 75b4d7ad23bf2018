"""Clients that stay connected and ask nothing."""

import base64
import contextlib
import os
import socket
import ssl
import subprocess
import time

from lanes import ENCRYPTED
from measure import Failed, Way, end

PATIENCE = 30


@contextlib.contextmanager
def connections(lane, kind, what, count):
    """Opens so many, gives the seconds it took, and closes them."""
    opened = []
    began = time.perf_counter()
    try:
        if kind == "ssh":
            over_ssh(lane, what, count, opened)
        else:
            for _ in range(count):
                opened.append(connect(lane, kind, what))
        yield time.perf_counter() - began
    finally:
        for one in opened:
            if isinstance(one, subprocess.Popen):
                end(one)
            else:
                one.close()
        lane.server.rest(1)


def connect(lane, kind, path):
    line = socket.create_connection(("127.0.0.1", lane.port), PATIENCE)
    if lane.line == ENCRYPTED:
        trust = ssl.create_default_context(cafile=lane.ground.cert)
        line = trust.wrap_socket(line, server_hostname="localhost")
    head = f"GET {path} HTTP/1.1\r\nHost: localhost\r\n"
    if kind == "session":
        key = base64.b64encode(os.urandom(16)).decode()
        head += f"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n"
    line.sendall(f"{head}\r\n".encode())
    told = b""
    wanted = b'"hello"' if kind == "session" else b"\r\n\r\n"
    while wanted not in told:
        piece = line.recv(65536)
        if not piece:
            raise Failed(f"was not let in: {told[:80]!r}")
        told += piece
        if b" 4" in told[:12] or b" 5" in told[:12]:
            break
    if (b" 101 " if kind == "session" else b" 200 ") not in told.split(b"\r\n")[0]:
        raise Failed(f"was not let in: {told[:80]!r}")
    return line


def over_ssh(lane, argv, count, opened):
    """Each is there when the server has made its two processes for it."""
    for _ in range(count):
        opened.append(subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                       stderr=subprocess.DEVNULL, start_new_session=True))
    until = time.monotonic() + PATIENCE
    while len(lane.server.tree()) < 1 + count and time.monotonic() < until:
        time.sleep(0.05)
    time.sleep(1)
    if any(one.poll() is not None for one in opened):
        raise Failed("a client was not let in")


def shown(kind, what):
    """How it is told in a report."""
    if kind == "ssh":
        return Way(*what)
    return Way("(session)" if kind == "session" else "(kept HTTP connection)", "GET", what)
