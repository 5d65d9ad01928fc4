#!/usr/bin/env python3
"""The socket of programs, byte by byte (docs/play.md): what is refused, and what the others notice of it.

usage: test_programs.py BIN_DIR    BIN_DIR/orrery trains and plays
"""
import json
import os
import random
import socket
import struct
import subprocess
import sys
import time
import unittest

from small_world import BIN, SmallWorld

HELLO = {"do": "hello", "protocol": 1, "sessions": 1}


def words(message, session=0):
    text = message if isinstance(message, bytes) else json.dumps(message).encode()
    return struct.pack("<IBBH", len(text), 0, 0, session) + text


def act(*values, session=0):
    body = struct.pack("<BBHId", 1, 0, len(values), 7, 0.0) + struct.pack(f"<{len(values)}f", *values)
    return struct.pack("<IBBH", len(body), 1, 0, session) + body


class Peer:
    def __init__(self, path):
        self.socket, self.buffer = socket.socket(socket.AF_UNIX), b""
        self.socket.settimeout(20)
        self.socket.connect(str(path))

    def send(self, *messages):
        self.socket.sendall(b"".join(messages))
        return self

    def take(self, n):
        while len(self.buffer) < n:
            piece = self.socket.recv(1 << 16)
            if not piece:
                raise EOFError
            self.buffer += piece
        out, self.buffer = self.buffer[:n], self.buffer[n:]
        return out

    def get(self):
        size, kind, _, session = struct.unpack("<IBBH", self.take(8))
        body = self.take(size)
        return session, body if kind else json.loads(body)

    def until(self, say):
        """The next words of this kind."""
        while True:
            _, said = self.get()
            if isinstance(said, dict) and said["say"] == say:
                return said

    def frame(self):
        """(session, flags, number, hash, size) of the next frame."""
        while True:
            session, body = self.get()
            if isinstance(body, bytes) and body[0] == 16:
                return session, body[2], struct.unpack_from("<Q", body, 8)[0], body[48:64].hex(), len(body)

    def is_over(self):
        try:
            while True:
                self.get()
        except TimeoutError:
            return False
        except (EOFError, ConnectionError):
            return True


class Programs(SmallWorld):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.path = cls.root / "socket"
        cls.server = subprocess.Popen(
            [BIN / "orrery", "play", cls.root / "dynamics", "--data", cls.root / "clips", "--socket", cls.path,
             "--sessions", "3", "--port", "0", "--threads", "1"], stderr=subprocess.PIPE, text=True)
        cls.addClassCleanup(cls.end)
        while not cls.path.exists():
            assert cls.server.poll() is None, cls.server.stderr.read()
            time.sleep(0.02)

    @classmethod
    def end(cls):
        cls.server.terminate()
        cls.server.communicate(timeout=60)
        assert cls.server.returncode == 0, cls.server.returncode
        assert not cls.path.exists()

    def peer(self, hello=HELLO):
        p = Peer(self.path)
        self.addCleanup(p.socket.close)
        return p.send(words(hello)) if hello else p

    def free(self, sessions=3):
        """Waits until that many seats are free: the server learns of an end at its next turn."""
        for _ in range(2000):
            with Peer(self.path).send(words({**HELLO, "sessions": sessions})).socket as s:
                s.settimeout(60)
                if b'"hello"' in s.recv(4096):
                    return
            time.sleep(0.01)
        self.fail("seats are not given back")

    def test_only_its_owner_may_connect(self):
        self.assertEqual(os.stat(self.path).st_mode & 0o777, 0o600)

    def test_sessions_begin_act_and_reset(self):
        p = self.peer({**HELLO, "sessions": 2})
        hello = p.until("hello")
        self.assertEqual((hello["protocol"], hello["sessions"], hello["shared"], hello["width"]), (1, 2, 0, 32))
        starts = [words({"do": "start", "clip": 1, "seed": 5}, s) + words({"do": "go", "each": "input"}, s)
                  for s in (0, 1)]
        p.send(*starts)
        begun = [p.frame(), p.frame()]
        self.assertEqual(begun[0][1:], begun[1][1:])
        self.assertEqual((begun[0][1], begun[0][2], begun[0][4]), (1, 1, 64 + 32 * 32 * 3))
        p.send(act(1.0, 0.0), act(-1.0, 0.0, session=1))
        one, other = sorted([p.frame(), p.frame()])
        self.assertEqual((one[0], one[2], other[0], other[2]), (0, 2, 1, 2))
        p.send(words({"do": "reset"}))
        self.assertEqual(p.frame()[2:4], begun[0][2:4])
        p.send(words({"do": "go"}), act(1.0, 0.0))  # the same action from the same beginning
        self.assertEqual(p.frame()[:4], one[:4])

    def test_wishes_that_cannot_be_granted_leave_the_session_alone(self):
        p = self.peer()
        for wish, code in (({"do": "start", "clip": 99}, "wish"), ({"do": "fly"}, "wish"), (b"{", "format"),
                           ({"do": "start", "set": 1}, "wish"), ({"do": "reset"}, "wish")):
            self.assertEqual(p.send(words(wish)).until("error")["code"], code, wish)
        for message in (act(float("nan"), 0.0), struct.pack("<IBBH", 1, 1, 0, 0) + b"\x09"):
            self.assertEqual(p.send(message).until("error")["code"], "format", message)
        p.send(words({"do": "start"}))
        self.assertEqual(p.frame()[1], 1)

    def test_what_breaks_the_protocol_ends_the_connection_by_name(self):
        first = [(words({"do": "start"}), "format"), (words({**HELLO, "protocol": 2}), "protocol"),
                 (words({**HELLO, "sessions": 0}), "format"), (words({**HELLO, "sessions": 4}), "busy"),
                 (words(b"\xff"), "format"), (act(1.0), "format"), (words(HELLO, 3), "format"),
                 (b"GET / HTTP/1.1\r\n\r\n", "format"), (struct.pack("<IBBH", 64 << 20, 0, 0, 0), "format")]
        later = [(act(1.0, session=1), "format"), (struct.pack("<IBBH", 0, 2, 0, 0), "format"),
                 (struct.pack("<IBBH", 0xFFFFFFFF, 1, 0, 0), "format")]
        for hello, all_of_them in ((None, first), (HELLO, later)):
            for message, code in all_of_them:
                p = self.peer(hello)
                self.assertEqual(p.send(message).until("error")["code"], code, message)
                self.assertTrue(p.is_over(), message)

    def test_seats_are_given_back_by_those_who_vanish(self):
        for _ in range(3):
            p = self.peer({**HELLO, "sessions": 3})
            p.until("hello")
            p.send(words({"do": "start"}), act(1.0, 1.0))
            p.socket.close()
            self.free()

    def test_garbage_harms_nobody(self):
        r, p = random.Random(1), self.peer()
        p.until("hello")
        p.send(words({"do": "start", "seed": 9}), words({"do": "go", "each": "input"}))
        p.frame()
        for i in range(60):
            q = self.peer(HELLO if i % 2 else None)
            try:
                q.send(r.randbytes(r.randrange(1, 200)))
            except OSError:
                pass
            q.socket.close()
            self.assertEqual(p.send(act(0.1 * i, 0.0)).frame()[2], 2 + i)

    def test_one_that_does_not_read_does_not_stop_the_others(self):
        deaf = self.peer()
        deaf.until("hello")
        deaf.send(words({"do": "start"}), words({"do": "go", "fps": 1000}))
        p = self.peer()
        p.send(words({"do": "start"}), words({"do": "go", "each": "input"}))
        p.frame()
        for i in range(400):
            self.assertEqual(p.send(act(1.0, 0.0)).frame()[2], 2 + i)
        missed, last = 0, 0
        while not missed:  # what it finds when it reads again: the newest, and how many it has missed
            _, body = deaf.get()
            if isinstance(body, bytes) and body[0] == 16:
                missed, last = struct.unpack_from("<I", body, 28)[0], last + 1
            self.assertLess(last, 1000)

    def test_a_place_that_cannot_be_is_named(self):
        file = self.root / "file"
        file.write_text("not a socket")
        for where, message in ((self.path, "another server does"), (file, "another server does"),
                               ("10.0.0.1:99", "wanted a path, or 127.0.0.1:PORT"), ("/x" * 80, "a shorter one")):
            done = subprocess.run([BIN / "orrery", "play", self.root / "dynamics", "--socket", where, "--port", "0"],
                                  stderr=subprocess.PIPE, text=True)
            self.assertNotEqual(done.returncode, 0)
            self.assertIn(message, done.stderr)
        self.assertEqual(file.read_text(), "not a socket")

    def test_a_socket_that_a_killed_server_left_is_taken_over(self):
        path = self.root / "left"
        command = [BIN / "orrery", "play", self.root / "dynamics", "--socket", path, "--port", "0", "--threads", "1"]
        for end in (subprocess.Popen.kill, subprocess.Popen.terminate):
            process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
            self.addCleanup(process.wait)
            self.addCleanup(process.kill)
            for _ in range(3000):
                try:
                    with socket.socket(socket.AF_UNIX) as s:
                        s.connect(str(path))
                    break
                except OSError:
                    self.assertIsNone(process.poll())
                    time.sleep(0.02)
            end(process)
            process.wait()
        self.assertFalse(path.exists())


if __name__ == "__main__":
    sys.argv[1:] = []
    unittest.main()
