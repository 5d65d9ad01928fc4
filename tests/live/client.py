"""A client of `orrery play` as docs/play.md has it, from what Python brings: HTTP, WebSocket, the messages."""
import base64
import json
import os
import socket
import struct

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
GIVEN, AHEAD = 1, 2


class Closed(Exception):
    """The connection has ended; `code` as in RFC 6455, 7.4.1, or None."""

    def __init__(self, code=None, reason=""):
        super().__init__(f"{code} {reason}")
        self.code, self.reason = code, reason


def request(port, path="/", method="GET", headers=None, host=None, timeout=60):
    """Status, headers and body of one request."""
    with socket.create_connection(("127.0.0.1", port), timeout) as s:
        words = {"Host": host or f"127.0.0.1:{port}", "Connection": "close", **(headers or {})}
        lines = [f"{method} {path} HTTP/1.1", *(f"{k}: {v}" for k, v in words.items() if v is not None)]
        s.sendall("\r\n".join([*lines, "", ""]).encode())
        data = b""
        while piece := s.recv(65536):
            data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    first, *rest = head.decode().split("\r\n")
    return int(first.split()[1]), {k.lower(): v for k, v in (x.split(": ", 1) for x in rest)}, body


class Client:
    def __init__(self, port, path="/play/1", headers=None, host=None, origin=None, timeout=60, held=None):
        self.socket = socket.socket()
        self.socket.settimeout(timeout)
        if held:  # bytes that this end of the connection holds
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, held)
        self.socket.connect(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer, self.number = b"", 0
        words = {"Host": host or f"127.0.0.1:{port}", "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13",
                 "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(), **({"Origin": origin} if origin else {}), **(headers or {})}
        lines = [f"GET {path} HTTP/1.1", *(f"{k}: {v}" for k, v in words.items() if v is not None)]
        self.socket.sendall("\r\n".join([*lines, "", ""]).encode())
        while b"\r\n\r\n" not in self.buffer:
            self.more()
        head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
        self.status = int(head.split()[1])
        if self.status == 101:
            self.hello = self.hear("hello", "error")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def more(self):
        try:
            piece = self.socket.recv(1 << 16)
        except ConnectionError:
            piece = b""
        if not piece:
            raise Closed()
        self.buffer += piece

    def take(self, n):
        while len(self.buffer) < n:
            self.more()
        piece, self.buffer = self.buffer[:n], self.buffer[n:]
        return piece

    def receive(self):
        """Opcode and payload of the next message; pings are answered, and a close ends it."""
        while True:
            first, size = self.take(2)
            assert first & 0x70 == 0 and size < 128, "a server's frames have no reserved bits and no mask"
            if size > 125:
                size = struct.unpack(*(("!H", self.take(2)) if size == 126 else ("!Q", self.take(8))))[0]
            payload = self.take(size)
            opcode = first & 15
            if opcode == PING:
                self.send(PONG, payload)
            elif opcode == CLOSE:
                raise Closed(struct.unpack("!H", payload[:2])[0] if payload else None, payload[2:].decode())
            elif opcode != PONG:
                return opcode, payload

    @staticmethod
    def framed(opcode, payload, final=True, masked=True, reserved=0):
        n, mask = len(payload), os.urandom(4)
        size = bytes([n]) if n < 126 else b"\x7e" + struct.pack("!H", n) if n < 65536 else b"\x7f" + struct.pack("!Q", n)
        size = bytes([size[0] | (128 if masked else 0)]) + size[1:]
        if masked:
            whole = int.from_bytes(payload, "little") ^ int.from_bytes((mask * (n // 4 + 1))[:n], "little")
            payload = mask + whole.to_bytes(n, "little")
        return bytes([(128 if final else 0) | reserved | opcode]) + size + payload

    def send(self, opcode, payload, **how):
        self.socket.sendall(self.framed(opcode, payload, **how))

    # -- what is said -------------------------------------------------------------------------------

    def do(self, what, **more):
        self.send(TEXT, json.dumps({"do": what, **more}).encode())

    def hear(self, *words):
        """The next thing said that is one of `words`; frames are passed over."""
        while True:
            opcode, payload = self.receive()
            if opcode == TEXT and (m := json.loads(payload))["say"] in words:
                return m

    def frame(self):
        """The next frame; what is said is passed over."""
        while True:
            opcode, payload = self.receive()
            if opcode == BINARY and payload[0] == 16:
                return Frame(payload)

    def both(self, number, *words):
        """Frame `number` and the next thing said that is one of `words`, in whichever order they come."""
        frame = said = None
        while not (frame and said):
            opcode, payload = self.receive()
            if opcode == BINARY and payload[0] == 16 and Frame(payload).number == number:
                frame = Frame(payload)
            elif opcode == TEXT and json.loads(payload)["say"] in words:
                said = json.loads(payload)
        return frame, said

    def file(self, kind=17):
        while True:
            opcode, payload = self.receive()
            if opcode == BINARY and payload[0] == kind:
                return payload[8:]
            if opcode == TEXT and json.loads(payload)["say"] == "error":
                raise AssertionError(payload)

    def act(self, *values):
        self.number += 1
        self.send(BINARY, struct.pack(f"<BBHId{len(values)}f", 1, 0, len(values), self.number, 0.0, *values))

    def begin(self, **more):
        """Begins, and gives back the frame that is there first."""
        self.do("start", **more)
        m = self.hear("started", "error")
        assert m["say"] == "started", m
        return self.frame()

    def step(self, *values):
        """One frame under these components."""
        self.act(*values)
        self.do("step")
        return self.frame()


class Frame:
    def __init__(self, message):
        (self.kind, self.world, self.flags, _, self.width, self.height, self.number, self.clock, self.input, self.missed, self.decode,
         self.surprise, self.answer, self.rate) = struct.unpack("<BBBBHHQdIIffff", message[:48])
        self.hash, self.pixels = message[48:64].hex(), message[64:]
        assert len(self.pixels) == self.width * self.height * 3
