"""Whom `orrery play` lets in, and what the others notice of those who mean no good, or read slowly, or die."""
import re
import socket
import struct
import subprocess
import sys
import unittest

from client import BINARY, PING, TEXT, Closed, request
from served import Served, Server, main


def end_of(client):
    """The code with which the connection ends; None where it just does."""
    try:
        while True:
            client.receive()
    except Closed as e:
        return e.code
    except ConnectionError:
        return None


class Doors(Served):
    def test_only_its_own_names(self):
        port = self.server.port
        for host in (f"127.0.0.1:{port}", f"localhost:{port}", f"LOCALHOST:{port}", f"[::1]:{port}"):
            self.assertEqual(request(port, host=host)[0], 200, host)
        for host in (f"evil.example:{port}", "evil.example", f"localhost.evil.example:{port}", f"127.0.0.1.evil.example:{port}",
                     f"127.0.0.1:{port + 1}", "", f"127.0.0.1:{port}@evil.example", "[::1", "a" * 300):
            status, _, body = request(port, headers={"Host": host})
            self.assertIn(status, (400, 403), host)
            self.assertEqual(self.client(host=host or " ").status // 100, 4, host)

    def test_only_its_own_pages(self):
        port = self.server.port
        self.assertEqual(self.client(origin=f"http://127.0.0.1:{port}").status, 101)
        for origin in ("http://evil.example", f"http://127.0.0.1:{port + 1}", "null", f"http://localhost:{port}", f"ftp://127.0.0.1:{port}",
                       f"http://127.0.0.1:{port}.evil.example", f"http://evil.example:{port}", ""):
            headers = {"Origin": origin}
            self.assertEqual(self.client(headers=headers).status, 403, origin)
            self.assertEqual(request(port, headers=headers)[0], 403, origin)

    def test_only_whole_handshakes(self):
        for header in ("Upgrade", "Connection", "Sec-WebSocket-Version", "Sec-WebSocket-Key"):
            for value in (None, "nonsense"):
                self.assertIn(self.client(headers={header: value}).status, (400, 426), header)

    def test_long_headers_are_refused(self):
        port = self.server.port
        for path, headers in (("/" + "a" * 100000, {}), ("/", {"X-Long": "a" * 100000}), ("/", {f"X-{i}": "a" * 50 for i in range(2000)})):
            try:
                self.assertGreaterEqual(request(port, path, headers=headers)[0], 400)
            except (ConnectionError, IndexError):
                pass  # it hung up instead
        self.assertEqual(request(port)[0], 200)


class Token(unittest.TestCase):
    def test_where_others_can_reach_it_a_token_is_asked_for(self):
        server = Server("--bind", "0.0.0.0")
        self.assertNotIn("0.0.0.0", server.url)  # an address of this machine, which answers
        host = re.match(r"http://([\d.]+):\d+/", server.url)[1]
        with socket.create_connection((host, server.port)):
            pass
        token = server.url.split("token=")[1]
        self.assertGreaterEqual(len(token), 32)
        for path in ("/", "/play/1"):
            for wrong in ("", "?token=", "?token=" + token[:-1], "?token=" + token + "0", "?token=" + "0" * len(token), "?tok=" + token):
                self.assertEqual(request(server.port, path + wrong)[0], 403, path + wrong)
        self.assertEqual(request(server.port, "/?token=" + token)[0], 200)
        with server.client(path="/play/1?token=" + token) as c:
            c.begin(clip=0)
        self.assertEqual(server.stop(), 0)

    def test_a_name_given_to_it_is_one(self):
        server = Server("--host", "world.example")
        self.assertEqual(request(server.port, host="world.example")[0], 200)
        self.assertEqual(request(server.port, host="other.example")[0], 403)
        with server.client(host="world.example", origin="https://world.example") as c:
            self.assertEqual(c.status, 101)
        self.assertEqual(server.stop(), 0)


class Trouble(Served):
    """Somebody plays; others make trouble; he plays on and his frames are the same."""
    words = ("--sessions", 3)

    def setUp(self):
        self.player = self.client()
        self.player.begin(clip=1, seed=9, temperature=5)
        self.seen = []
        self.play_on()

    def play_on(self, frames=6):
        for _ in range(frames):
            self.seen.append(self.player.step(len(self.seen) % 3 - 1, 1).hash)

    def tearDown(self):
        self.play_on()
        c = self.client()  # there is room again
        c.begin(clip=1, seed=9, temperature=5)
        seen = self.seen[:40]
        self.assertEqual([c.step(i % 3 - 1, 1).hash for i in range(len(seen))], seen)
        c.close()
        self.player.close()

    def test_64_mib_in_one_message(self):
        c = self.client()
        try:
            c.socket.sendall(b"\x82" + bytes([128 | 127]) + struct.pack("!Q", 64 << 20) + bytes(4))
            for _ in range(64):
                c.socket.sendall(bytes(1 << 20))
        except ConnectionError:
            pass
        self.assertIn(end_of(c), (1009, None))

    def test_64_mib_in_pieces(self):
        c = self.client()
        piece = c.framed(0, bytes(1 << 20), final=False)
        try:
            c.send(BINARY, b"\x02", final=False)
            for _ in range(64):
                c.socket.sendall(piece)
        except ConnectionError:
            pass
        self.assertIn(end_of(c), (1009, None))

    def test_frames_that_are_none(self):
        for bad in (b"\x82\x02hi", b"\xf2\x80" + bytes(4), b"\x83\x80" + bytes(4), b"\x09\x80" + bytes(4), b"\x89\xfe\x00\x7e" + bytes(130),
                    b"\x80\x80" + bytes(4), b"\x81\x81" + bytes(4) + b"\xff"):
            c = self.client()
            c.socket.sendall(bad)
            self.assertIn(end_of(c), (1002, 1007, None), bad[:4])
            c.close()

    def test_a_flood_of_messages(self):
        for opcode, payload in ((TEXT, b'{"do": "ping"}'), (PING, b""), (BINARY, b"\x07")):
            c = self.client()
            flood = c.framed(opcode, payload) * 200
            try:
                while True:
                    c.socket.sendall(flood)
            except ConnectionError:
                pass
            self.assertIn(end_of(c), (1008, None))
            c.close()

    def test_200_connections(self):
        idle = [socket.create_connection(("127.0.0.1", self.server.port)) for _ in range(100)]
        self.play_on()
        there = [self.client() for _ in range(100)]
        self.play_on()
        self.assertEqual([c.status for c in there], [101] * 100)
        said = [c.hello.get("code", "hello") for c in there]
        self.assertEqual((said.count("hello"), said.count("busy")), (2, 98))
        self.assertEqual(end_of(there[-1]), 1013)
        for s in idle + there:
            s.close()

    def test_a_slow_reader_misses_frames_and_holds_up_nobody(self):
        c = self.client(held=2048)
        c.begin(clip=0)
        c.do("go", fps=1000)
        missed = 0
        while not missed:  # more each time than its end of the connection holds
            self.play_on(80)
            for _ in range(40):
                missed = max(missed, c.frame().missed)
        c.close()

    def test_a_client_that_is_killed_within_a_frame(self):
        code = ("import sys, time; sys.path.insert(0, sys.argv[1]); from client import Client; c = Client(int(sys.argv[2])); c.begin(clip=0); "
                "c.do('go', fps=100); c.frame(); c.socket.sendall(b'\\x82\\xff' + bytes(5)); print('there', flush=True); time.sleep(1000)")
        for _ in range(4):  # more than there are seats
            p = subprocess.Popen([sys.executable, "-c", code, sys.path[0], str(self.server.port)], stdout=subprocess.PIPE)
            self.assertEqual(p.stdout.readline(), b"there\n")
            p.kill()
            p.wait()
            p.stdout.close()
            self.play_on()

    def test_a_session_that_catches_up_takes_turns(self):
        c = self.client()
        c.begin(clip=0, steps=7)  # not decoded with the player's
        c.do("step", frames=1000)
        for _ in range(20):
            self.play_on(1)
        c.do("pause")
        self.assertLess(c.hear("state")["frame"], 900)
        c.close()


if __name__ == "__main__":
    main()
