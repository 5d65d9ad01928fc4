#!/usr/bin/env python3
"""A policy that is served by openpi's protocol acts in a small world: `orrery play --policy`. The server here is
written by that protocol's own text - WebSocket, MessagePack, arrays as maps with keys of bytes - with the two
libraries that its own server uses.

usage: test_policy.py BIN_DIR    BIN_DIR/orrery trains and plays
"""
import asyncio
import http.server
import json
import logging
import subprocess
import sys
import threading
import time
import unittest

try:
    import msgpack
    import numpy as np
    import websockets.asyncio.server
except ImportError as why:
    print(f"skipped: {why} (tests/python.txt)")
    sys.exit(77)

from small_world import BIN, SmallWorld

logging.disable()  # of handlers whose client has gone, as is wanted here
FRAME = (32, 32, 3)


def pack_array(x):
    """openpi_client.msgpack_numpy: what msgpack cannot pack by itself."""
    if isinstance(x, np.ndarray):
        return {b"__ndarray__": True, b"data": x.tobytes(), b"dtype": x.dtype.str, b"shape": x.shape}
    if isinstance(x, np.generic):
        return {b"__npgeneric__": True, b"data": x.item(), b"dtype": x.dtype.str}
    return x


def unpack_array(x):
    if b"__ndarray__" in x:
        return np.ndarray(buffer=x[b"data"], dtype=np.dtype(x[b"dtype"]), shape=x[b"shape"])
    return x


class Server:
    """Serves `infer`, from an observation to an answer, until the block ends. Bytes and strings are sent as they
    are; None is no answer at all."""

    def __init__(self, infer, greeting={"action_dim": 2}):
        self.infer, self.greeting, self.seen, self.headers = infer, greeting, [], []

    async def handle(self, link):
        self.headers.append(link.request.headers.get("Authorization"))
        await self.send(link, self.greeting)
        async for message in link:
            self.seen.append(msgpack.unpackb(message, object_hook=unpack_array))
            answer = self.infer(self.seen[-1])
            if isinstance(answer, str):  # an error's trace, as the real one sends it
                await link.send(answer)
                await link.close(1011, "internal error")
            else:
                await self.send(link, answer)

    async def send(self, link, what):
        if what is not None:
            await link.send(what if isinstance(what, bytes) else msgpack.packb(what, default=pack_array))

    async def serve(self):
        self.stop = asyncio.Event()
        self.loop = asyncio.get_running_loop()
        async with websockets.asyncio.server.serve(self.handle, "127.0.0.1", 0, compression=None, max_size=None) as s:
            self.address = "ws://127.0.0.1:%d" % s.sockets[0].getsockname()[1]
            self.ready.set()
            await self.stop.wait()

    def __enter__(self):
        self.ready = threading.Event()
        self.thread = threading.Thread(target=lambda: asyncio.run(self.serve()))
        self.thread.start()
        self.ready.wait()
        return self

    def __exit__(self, *_):
        self.loop.call_soon_threadsafe(self.stop.set)
        self.thread.join()


def chunk(rows, dtype=np.float32):
    return lambda seen: {"actions": np.linspace(-1, 1, 2 * rows).reshape(rows, 2).astype(dtype),
                         "server_timing": {"infer_ms": 1.5}}


class Policy(SmallWorld):
    def play(self, address, *words):
        done = subprocess.run([BIN / "orrery", "play", self.root / "dynamics", "--data", self.root / "clips", "--policy",
                               address, "--threads", "1", "--horizon", "6", *map(str, words)], text=True, timeout=120,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        return done.returncode, [json.loads(line) for line in done.stdout.splitlines()], done.stderr

    def refused(self, address, message, *words):
        code, told, said = self.play(address, *words)
        self.assertNotEqual(code, 0)
        self.assertEqual(told, [])
        self.assertRegex(said, message)

    def test_a_policy_acts_chunk_by_chunk(self):
        with Server(chunk(4)) as s:
            code, told, said = self.play(s.address, "--episodes", 2, "--out", self.root / "acted")
        self.assertEqual(code, 0, said)
        self.assertEqual([(t["episode"], t["start"]["clip"], t["seed"], t["frames"], t["asked"]) for t in told],
                         [(0, 0, 1, 6, 2), (1, 1, 2, 6, 2)])
        self.assertEqual(len(s.seen), 4)
        for i, seen in enumerate(s.seen):
            self.assertEqual(sorted(seen), ["observation/image", "observation/state", "prompt"])
            self.assertEqual((seen["observation/image"].shape, seen["observation/image"].dtype), (FRAME, np.uint8))
            self.assertEqual(seen["observation/state"].tolist(), [0, 0] if i % 2 == 0 else [np.float32(5 / 7), 1.0])
        self.assertFalse((s.seen[0]["observation/image"] == s.seen[1]["observation/image"]).all())
        for t in told:
            self.assertTrue((self.root / "acted" / f"episode-{t['episode']:06d}.session").exists())
        with Server(chunk(4, np.float64)) as s:  # the same actions in another dtype: the same frames
            self.assertEqual(self.play(s.address)[1][0]["chain"], told[0]["chain"])
        with Server(lambda seen: {"actions": np.full((4, 2), -40.0)}) as s:  # others
            self.assertNotEqual(self.play(s.address)[1][0]["chain"], told[0]["chain"])

    def test_what_it_is_shown_and_how_often_are_options(self):
        (self.root / "key").write_text("secret\n")
        with Server(chunk(4)) as s:
            code, told, said = self.play(s.address, "--replan", 1, "--observe", "observation/exterior_image_1_left=frame:48",
                                         "--observe", "observation/joint_position=zeros:7", "--observe",
                                         "prompt=text:push the red puck, then wait for me",
                                         "--policy-key", self.root / "key")
        self.assertEqual(code, 0, said)
        self.assertEqual((told[0]["asked"], s.headers), (6, ["Api-Key secret"]))
        seen = s.seen[0]
        self.assertEqual(seen["observation/exterior_image_1_left"].shape, (48, 48, 3))
        self.assertEqual(seen["observation/joint_position"].tolist(), [0.0] * 7)
        self.assertEqual(seen["prompt"], "push the red puck, then wait for me")

    def test_a_policy_that_answers_nonsense_is_named(self):
        nan = np.zeros((4, 2), np.float32)
        nan[1, 0] = np.nan
        for answer, message in (
                ({"actions": np.zeros((4, 3), np.float32)}, "have 3 components, the world's have 2"),
                ({"action": np.zeros((4, 2), np.float32)}, 'no "actions"'),
                ({"actions": [[0.0, 0.0]]}, "wanted a map"), ({"actions": nan}, "component 0 of action 1 .* is nan"),
                ({"actions": np.zeros((0, 2), np.float32)}, "a chunk of 0 actions"),
                ({"actions": np.zeros((2, 2), np.complex64)}, 'dtype "<c8"'),
                ({"actions": np.zeros((1, 1, 2), np.float32)}, "have 3 dims"),
                ({"actions": {b"__ndarray__": True, b"data": b"\0" * 8, b"dtype": "<f4", b"shape": [2**31 - 1, 2]}},
                 "does not fit its data"),
                (msgpack.packb({"actions": 1})[:-1], "cut short"), (b"\xc1", "means nothing"), (b"", "cut short"),
                (b"\x91" * 200, "wanted a map"), ({"x": 1, "actions": np.float32(1.0)}, "an array without"),
                ("Traceback:\n  ...\nValueError: no such key 'observation/wrist_image'\n", "no such key")):
            with self.subTest(answer=str(answer)[:60]), Server(lambda seen: answer) as s:
                self.refused(s.address, message)

    def test_a_policy_that_is_late_or_gone_is_named_and_does_not_hang(self):
        began = time.monotonic()
        with Server(lambda seen: None) as s:
            self.refused(s.address, "did not answer within 1 s", "--patience", 1)
        with Server(chunk(4), greeting=None) as s:
            self.refused(s.address, "did not answer within 1 s", "--patience", 1)
        with Server(chunk(4), greeting=b"\x05") as s:
            self.refused(s.address, "no map")
        self.refused("ws://127.0.0.1:1", "Connection refused: is the policy server running")
        for address in ("http://127.0.0.1:8000", "ws://", "ws://a:b", "ws://:80"):
            self.refused(address, "wanted ws://HOST:PORT")
        self.refused(s.address, "--observe is 'x=y'", "--observe", "x=y")
        self.assertLess(time.monotonic() - began, 100)

    def test_a_server_of_another_kind_is_named(self):
        class Quiet(http.server.BaseHTTPRequestHandler):
            log_message = lambda *_: None

        with http.server.HTTPServer(("127.0.0.1", 0), Quiet) as s:
            thread = threading.Thread(target=s.serve_forever)
            thread.start()
            self.refused("ws://127.0.0.1:%d" % s.server_address[1], "opens no WebSocket")
            s.shutdown()
            thread.join()


if __name__ == "__main__":
    sys.argv[1:] = []
    unittest.main()
