"""What `orrery play` serves: the page, a session from its beginning to its end, and words for what cannot be."""
import re
import struct
import unittest

from client import BINARY, GIVEN, TEXT, Closed, request
from served import Served, Server, main, make_world, orrery
import served


class Page(Served):
    def test_the_page_and_all_that_it_loads_come_from_here(self):
        status, headers, body = request(self.server.port)
        self.assertEqual(status, 200)
        self.assertIn("default-src 'self'", headers["content-security-policy"])
        html = body.decode()
        names = re.findall(r'(?:src|href)="([^"]+)"', html)
        self.assertIn("play.js", names)
        for name in names:
            status, headers, body = request(self.server.port, "/" + name)
            self.assertEqual(status, 200, name)
            self.assertTrue(body, name)
            self.assertNotRegex(body.decode(), r"https?://(?!www\.w3\.org/)", name)
        self.assertNotRegex(html, "https?://")
        self.assertTrue(html.rstrip().endswith("</html>"))

    def test_what_is_not_there_is_said(self):
        self.assertEqual(request(self.server.port, "/other")[0], 404)
        self.assertEqual(request(self.server.port, "/../etc/passwd")[0], 404)
        self.assertEqual(request(self.server.port, "/play/2")[0::2], (404, b"this server speaks /play/1\n"))
        status, headers, _ = request(self.server.port, "/", "POST", {"Content-Length": "0"})
        self.assertEqual((status, headers["allow"]), (405, "GET, HEAD"))
        self.assertEqual(request(self.server.port, "/play/1")[0], 426)


class Session(Served):
    def test_hello_tells_what_a_page_needs(self):
        h = self.client().hello
        self.assertEqual((h["width"], h["height"], h["protocol"], h["fps"]), (24, 16, 1, 10))
        self.assertEqual([c["name"] for c in h["components"]], ["left", "right"])
        self.assertTrue(all(c["low"] < c["high"] for c in h["components"]))
        self.assertEqual(h["sets"], [{"name": "clips", "clips": 24}])
        self.assertEqual(len(h["checkpoint"]), 32)

    def test_a_session_begins_steps_runs_and_stops(self):
        c = self.client()
        first = c.begin(clip=2)
        self.assertTrue(first.flags & GIVEN)
        second = c.step(1, 0)
        self.assertEqual((second.number, second.flags & GIVEN, second.input), (first.number + 1, 0, 1))
        self.assertEqual(len(second.pixels), 24 * 16 * 3)
        c.do("go", fps=200)
        numbers = [c.frame().number for _ in range(20)]
        self.assertEqual(numbers, sorted(set(numbers)))
        self.assertGreater(numbers[0], second.number)
        c.do("pause")
        self.assertFalse(c.hear("state")["running"])

    def test_a_session_begins_anywhere_in_a_clip(self):
        c = self.client()
        fourth = c.begin(clip=2, prompt=4).hash  # what is shown first is the last frame given
        self.assertEqual(c.begin(clip=2, prompt=1, **{"from": 3}).hash, fourth)
        self.assertNotEqual(c.begin(clip=2, prompt=1).hash, fourth)
        c.do("start", clip=2, **{"from": 5000})
        self.assertIn('"from"', c.hear("error")["words"])

    def test_frames_follow_from_seed_and_actions(self):
        def play(seed, sign):
            with self.server.client() as c:
                return [c.begin(clip=1, seed=seed, temperature=5).hash] + [c.step(sign * (i % 3 - 1), 1).hash for i in range(8)]
        first = play(1, 1)
        self.assertEqual(first, play(1, 1))
        self.assertNotEqual(first, play(2, 1))
        self.assertNotEqual(first, play(1, -1))

    def test_back_and_on_from_there(self):
        c = self.client()
        c.begin(clip=0, seed=3, temperature=5)
        frames = [c.step(1, 0) for _ in range(40)]
        c.do("back", frame=frames[9].number)
        self.assertEqual(c.frame().hash, frames[9].hash)
        self.assertEqual([c.step(1, 0).hash for _ in range(5)], [f.hash for f in frames[10:15]])
        c.do("back", frame=frames[9].number)
        c.frame()
        self.assertNotEqual([c.step(-1, 0).hash for _ in range(5)], [f.hash for f in frames[10:15]])
        c.do("reset")
        self.assertTrue(c.frame().flags & GIVEN)
        c.do("back", frame=frames[9].number)
        self.assertIn('"frame"', c.hear("error")["words"])  # that is forgotten

    def test_an_input_alone_makes_a_frame_where_time_waits(self):
        c = self.client()
        first = c.begin(clip=0)
        c.do("go", each="input")
        for i in range(5):
            c.act(i, 0)
            f = c.frame()
            self.assertEqual((f.number, f.input), (first.number + 1 + i, i + 1))
        with self.server.client() as d:  # not inherited by whoever comes next
            pass
        c.close()
        d = self.client()
        d.begin(clip=0)
        d.do("go", fps=100)
        self.assertLess(d.frame().number, d.frame().number)

    def test_a_picture_of_another_size_is_fitted_in_words(self):
        c = self.client()
        c.send(BINARY, struct.pack("<B3xHH", 2, 100, 40) + bytes(range(200)) * 60)
        self.assertIn("100 x 40", c.hear("fitted")["words"])
        f = c.begin(picture=True)
        self.assertEqual((f.width, f.height), (24, 16))
        for size in ((1, 1), (1, 200), (200, 1)):
            c.send(BINARY, struct.pack("<B3xHH", 2, *size) + bytes(3 * size[0] * size[1]))
            self.assertIn(f"{size[0]} x {size[1]}", c.hear("fitted")["words"])
        c.begin(picture=True)
        c.step(1, 1)

    def test_what_cannot_be_is_said_and_the_session_goes_on(self):
        c = self.client()
        first = c.begin(clip=0)
        for wish, words in (({"do": "start", "clip": 99}, '"clip"'), ({"do": "start", "steps": 1000}, '"steps"'),
                            ({"do": "start", "replay": True}, "--replay"), ({"do": "dance"}, "dance"), ({}, '"do"'),
                            ({"do": "go", "fps": "fast"}, '"fps"'), ({"do": "go", "each": "day"}, '"each"'),
                            ({"do": "map", "mapping": "x" * 20000}, '"mapping"'), ({"do": "back"}, '"frame"')):
            what = wish.pop("do", None)
            c.do(what, **wish)
            self.assertIn(words, c.hear("error")["words"])
        for text in (b"", b"{", b"[1]", b"[" * 5000, b'{"do": "go", "do": "pause"}'):
            c.send(TEXT, text)
            self.assertIn(c.hear("error")["code"], ("format", "wish"))
        for garbage in (b"", b"\x07", b"\x01\0", b"\x01\0\xff\xff" + bytes(12), b"\x02" + bytes(7), b"\x03\0\0", b"\x03" + bytes(50)):
            c.send(BINARY, garbage)
            self.assertEqual(c.hear("error")["code"], "format")
        self.assertEqual(c.step(1, 0).number, first.number + 1)

    def test_nothing_can_be_asked_of_a_session_that_has_not_begun(self):
        c = self.client()
        c.act(1, 1)
        for what, more in (("save", {}), ("reset", {}), ("back", {"frame": 3})):
            c.do(what, **more)
            self.assertIn("begun", c.hear("error")["words"])
        c.do("start", picture=True)
        self.assertIn("picture", c.hear("error")["words"])


class Simulator(unittest.TestCase):
    def test_the_scene_of_the_clip_stands_beside_the_world(self):
        make_world()
        scene = served.root / "scene"
        code, said = orrery("data", "generate", "--out", scene, "--size", "16x24", "--episodes", 2, "--episode-frames", 12, "--processes", 1)
        if code and "no simulator" in said:
            self.skipTest("no simulator in this build")
        self.assertEqual(code, 0, said)
        server = Server("--data", scene, "--beside", "simulator", data=False)
        with server.client() as c:
            self.assertEqual(c.hello["worlds"][1], "simulator")
            c.do("start", clip=1)
            self.assertTrue(c.hear("started")["simulated"])
            pair = [c.frame(), c.frame()]
            first = pair[0].number
            seen = [pair[1].hash]
            for i in range(8):
                c.act(1, -1)
                c.do("step")
                pair = [c.frame(), c.frame()]
                self.assertEqual([(f.world, f.number) for f in pair], [(0, first + 1 + i), (1, first + 1 + i)])
                seen.append(pair[1].hash)
            self.assertGreater(len(set(seen)), 4)
            c.do("back", frame=first + 3)
            pair = [c.frame(), c.frame()]
            self.assertEqual((pair[1].number, pair[1].hash), (first + 3, seen[3]))
            c.send(BINARY, struct.pack("<B3xHH", 2, 24, 16) + bytes(24 * 16 * 3))
            c.do("start", picture=True)
            self.assertFalse(c.hear("started")["simulated"])
            self.assertEqual(c.step(1, 1).world, 0)
        self.assertEqual(server.stop(), 0)
        code, said = orrery("play", served.root / "dynamics", "--data", served.root / "clips", "--beside", "simulator", "--port", 0)
        self.assertEqual(code, 1)
        self.assertIn("data generate", said)


class Words(unittest.TestCase):
    """What the command says to what cannot be."""

    def test_a_port_that_is_taken(self):
        first = Server()
        code, said = orrery("play", served.root / "dynamics", "--port", first.port)
        self.assertEqual(code, 1)
        self.assertIn(f"port {first.port}", said)
        self.assertIn("--port", said)
        self.assertEqual(first.stop(), 0)

    def test_models_and_data_that_do_not_fit(self):
        make_world()
        for words, named in ((("play", served.root / "tokenizer"), "tokenizer"),
                             (("play", served.root / "dynamics", "--tokenizer", served.root / "dynamics"), "dynamics"),
                             (("play", served.root / "dynamics", "--tokenizer", served.root / "none"), "none"),
                             (("play", served.root / "dynamics", "--data", served.root / "tokens"), "tokens"),
                             (("play", served.root / "dynamics", "--data", served.root / "nowhere"), "nowhere"),
                             (("play", served.root / "dynamics", "--bind", "nobody"), "nobody"),
                             (("play", served.root / "dynamics", "--replay", served.root / "tokenizer.yaml"), "no session file")):
            code, said = orrery(*words, "--port", 0)
            self.assertIn(code, (1, 2), said)
            self.assertIn(named, said.splitlines()[-1])

    def test_without_data_a_picture_is_asked_for(self):
        server = Server(data=False)
        with server.client() as c:
            self.assertEqual(c.hello["sets"], [])
            c.do("start")
            self.assertIn("--data", c.hear("error")["words"])
            c.send(BINARY, struct.pack("<B3xHH", 2, 24, 16) + bytes(24 * 16 * 3))
            c.begin(picture=True)
            c.step(1, 2, 3)
        self.assertEqual(server.stop(), 0)

    def test_sigterm_says_goodbye(self):
        server = Server()
        c = server.client()
        c.begin(clip=0)
        c.do("go", fps=50)
        c.frame()
        server.process.terminate()
        self.assertEqual(c.hear("error")["code"], "goodbye")
        with self.assertRaises(Closed) as closed:
            while True:
                c.receive()
        self.assertEqual(closed.exception.code, 1001)
        self.assertEqual(server.stop(), 0)

    def test_who_says_nothing_is_let_go(self):
        server = Server("--idle", 1)
        with server.client() as c:
            self.assertEqual(c.hear("error")["code"], "idle")
            with self.assertRaises(Closed):
                c.receive()
        self.assertEqual(server.stop(), 0)


if __name__ == "__main__":
    main()
