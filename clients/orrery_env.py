"""Gymnasium environments inside a trained world: `orrery play` decodes, this file asks (numpy and gymnasium alone).

    orrery play runs/demo/dynamics --data runs/demo/clips/train --socket world.sock --sessions 8 --port 0

    import orrery_env
    env = orrery_env.OrreryEnv("world.sock", horizon=64)                # one world, gymnasium.Env
    envs = orrery_env.OrreryVectorEnv("world.sock", num_envs=8)         # eight in one batch, VectorEnv
    env = gymnasium.make("orrery_env:Orrery-v0", address="world.sock")  # the same by name

An episode begins with the first frames of a clip of the data set, drawn by the environment's own random numbers,
and is truncated after `horizon` frames. Observations are the frames, uint8 [height, width, 3]; actions are float32, the
components of the data set in its units. The same seed and the same actions give the same frames, to the bit.

Of a model with heads for reward and done (model.reward_weight, model.done_weight) the reward is what they predict, and an
episode terminates where the end is likelier than not; `info["progress"]` is the third head's word. Without them the reward
is 0.0 and nothing terminates. `judge`, a function (frame before, action, frame after) -> (reward, terminated), is asked
instead where it is given.

The protocol is in docs/play.md. `address` is the path of a UNIX socket, where pixels come through shared memory, or
"127.0.0.1:PORT".
"""
import contextlib
import json
import mmap
import os
import socket
import struct
import subprocess
import tempfile
import time

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv

PROTOCOL = 1
WORDS, BYTES = 0, 1
INPUT, FRAME = 1, 16
GIVEN, AHEAD, OUTCOME, SHARED = 1, 2, 4, 8
HEADER = struct.Struct("<IBBH")  # before every message: bytes, kind, 0, session
INPUT_HEADER = struct.Struct("<BBHId")
FRAME_HEADER = struct.Struct("<BBBBHHQdIIffff16s")
FRAME_OUTCOME = struct.Struct("<fff")  # at the end of a frame whose model has heads


class WorldError(RuntimeError):
    """What the server refused; `code` is its word for the kind."""

    def __init__(self, code, words):
        super().__init__(words)
        self.code = code


class Frame:
    """One frame of a session: its number, its pixels (a view that the next but one overwrites), its surprise in
    nats a token (NaN of a given one), the hash of its pixels, and what the model's heads say: reward, done and progress
    (NaN without such a head)."""

    def __init__(self, message, shared):
        (_, self.world, flags, _, width, height, self.number, _, _, self.missed, self.decode_ms, self.surprise, _, _,
         digest) = FRAME_HEADER.unpack_from(message)
        self.given, self.ahead, self.hash = bool(flags & GIVEN), bool(flags & AHEAD), digest.hex()
        self.reward, self.done, self.progress = (FRAME_OUTCOME.unpack(message[-FRAME_OUTCOME.size:])
                                                 if flags & OUTCOME else (float("nan"),) * 3)
        at, source = FRAME_HEADER.size, message
        if flags & SHARED:
            (at,), source = struct.unpack_from("<Q", message, at), shared
        self.pixels = np.frombuffer(source, np.uint8, width * height * 3, at).reshape(height, width, 3)


class World:
    """A connection with `sessions` sessions. What is asked of several goes out together, so that the server decodes
    their frames in one batch."""

    def __init__(self, address, sessions=1, timeout=120.0):
        self.address, self.sessions, self.buffer, self.shared = str(address), sessions, bytearray(), None
        path = "/" in self.address or ":" not in self.address
        self.socket = socket.socket(socket.AF_UNIX if path else socket.AF_INET, socket.SOCK_STREAM)
        self.socket.settimeout(timeout)
        try:
            if path:
                self.socket.connect(self.address)
            else:
                host, port = self.address.rsplit(":", 1)
                self.socket.connect((host, int(port)))
                self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._send([(0, {"do": "hello", "protocol": PROTOCOL, "sessions": sessions, "shared": path})])
            self.hello = self._greeting(path)
        except BaseException as why:
            self.close()
            if isinstance(why, (FileNotFoundError, ConnectionRefusedError)):
                raise WorldError("gone", f"nobody listens at {address}: is `orrery play RUN --socket {address}` "
                                         "running?") from why
            raise
        self.components = self.hello["components"]
        self.shape = self.hello["height"], self.hello["width"], 3

    def close(self):
        self.socket.close()  # the memory is let go with the last frame that looks into it

    def _greeting(self, path):
        descriptors = []
        if path:
            piece, descriptors, _, _ = socket.recv_fds(self.socket, 1 << 16, 1)
            self.buffer += piece
        try:
            hello = self._receive()[2]
            if hello["shared"]:
                self.shared = mmap.mmap(descriptors[0], hello["shared"], prot=mmap.PROT_READ)
        finally:
            for descriptor in descriptors:
                os.close(descriptor)
        return hello

    def _send(self, messages):
        """Of pairs (session, words or bytes), in one piece."""
        out = bytearray()
        for session, m in messages:
            body = m if isinstance(m, bytes) else json.dumps(m).encode()
            out += HEADER.pack(len(body), BYTES if isinstance(m, bytes) else WORDS, 0, session) + body
        try:
            self.socket.sendall(out)
        except (BrokenPipeError, ConnectionResetError):
            pass  # what it said last is still to be read

    def _take(self, size):
        while len(self.buffer) < size:
            try:
                piece = self.socket.recv(1 << 18)
            except socket.timeout:
                raise WorldError("late", f"the server at {self.address} has not answered within "
                                         f"{self.socket.gettimeout():g} s") from None
            except ConnectionResetError:
                piece = b""
            if not piece:
                raise WorldError("gone", f"the server at {self.address} has ended the connection")
            self.buffer += piece
        out = bytes(self.buffer[:size])
        del self.buffer[:size]
        return out

    def _receive(self):
        """(session, kind, message): the next one, of which words are an object."""
        size, kind, _, session = HEADER.unpack(self._take(HEADER.size))
        body = self._take(size)
        if kind == BYTES:
            return session, kind, body
        said = json.loads(body)
        if said["say"] == "error":
            raise WorldError(said["code"], said["words"])
        return session, kind, said

    def _frames(self, sessions):
        """The next frame of each of these sessions."""
        frames = {}
        while len(frames) < len(sessions):
            session, kind, body = self._receive()
            if kind == BYTES and body[0] == FRAME and body[1] == 0:  # world 0: the other one stands beside it
                frames[session] = Frame(body, self.shared)
        return frames

    def turn(self, starts, actions):
        """Begins sessions {session: what `start` is to say} and acts in others {session: action}; a frame of each."""
        messages = []
        for session, wish in starts.items():
            messages += [(session, {"do": "start", **wish}), (session, {"do": "go", "each": "input"})]
        for session, action in actions.items():
            values = np.ascontiguousarray(action, "<f4")
            messages.append((session, INPUT_HEADER.pack(INPUT, 0, values.size, 0, 0.0) + values.tobytes()))
        self._send(messages)
        return self._frames([*starts, *actions])


class _Worlds:
    """What both kinds of environment are made of: `sessions` sessions of a server."""

    def __init__(self, address, sessions, *, set=0, prompt=None, horizon=64, steps=None, temperature=None,
                 choice_temperature=None, judge=None, timeout=120.0):
        if horizon < 1:
            raise ValueError(f"horizon is {horizon}: wanted 1 frame or more")
        self.world = World(address, sessions, timeout)
        sets = self.world.hello["sets"]
        if not 0 <= set < len(sets):
            self.world.close()
            raise WorldError("wish", f"set {set}: the server has {len(sets)} data sets to begin from (--data DIR)")
        self.set, self.horizon, self.judge = set, horizon, judge
        self.wish = {k: v for k, v in (("prompt", prompt), ("steps", steps), ("temperature", temperature),
                                       ("choice_temperature", choice_temperature)) if v is not None}
        self.sets = sets
        components = self.world.components
        self.observation_space = gymnasium.spaces.Box(0, 255, self.world.shape, np.uint8)
        self.action_space = gymnasium.spaces.Box(np.array([c["low"] for c in components], np.float32),
                                                 np.array([c["high"] for c in components], np.float32), dtype=np.float32)
        self.age = [0] * sessions  # frames since the beginning
        self.begun = [None] * sessions  # what the session was begun with
        self.last = [None] * sessions  # the frame that is seen
        self.shown = {}  # the Frames of the last turn

    def draw(self, random, options):
        """How a session begins: by `options` (set, clip, seed, prompt, ...), or by the random numbers."""
        wish = {"set": self.set, **self.wish, **(options or {})}
        clip, seed = random.integers(self.sets[wish["set"]]["clips"]), random.integers(1 << 32)
        return {"clip": int(clip), "seed": int(seed), **wish}

    def turn(self, starts, actions):
        """{session: (observation, reward, terminated, truncated, info)}"""
        for session, action in actions.items():
            if np.shape(action) != self.action_space.shape:
                raise ValueError(f"action of shape {np.shape(action)}: the world's has {self.action_space.shape}")
        frames, out = self.world.turn(starts, actions), {}
        self.shown = frames
        for session, frame in frames.items():
            seen, info = frame.pixels.copy(), {"frame": frame.number, "hash": frame.hash}
            reward, terminated = 0.0, False
            if session in starts:
                self.age[session], self.begun[session] = 0, starts[session]
                info.update(clip=starts[session]["clip"], seed=starts[session]["seed"])
            else:
                self.age[session] += 1
                info["surprise"] = frame.surprise
                reward, terminated = self._outcome(session, actions[session], seen, frame)
                if frame.progress == frame.progress:
                    info["progress"] = frame.progress
            self.last[session] = seen
            out[session] = seen, reward, terminated, self.age[session] >= self.horizon, info
        return out

    def _outcome(self, session, action, seen, frame):
        """Reward, and whether the episode is at its end: the judge's word, or that of the model's own heads."""
        if self.judge is not None:
            reward, terminated = self.judge(self.last[session], action, seen)
            return float(reward), bool(terminated)
        return (frame.reward if frame.reward == frame.reward else 0.0), frame.done > 0.5


class OrreryEnv(gymnasium.Env):
    """One world. `reset(options={"set": 0, "clip": 3, "seed": 1})` chooses the beginning itself."""

    metadata = {"render_modes": ["rgb_array"], "render_fps": 10}

    def __init__(self, address, *, render_mode=None, **settings):
        if render_mode not in (None, "rgb_array"):
            raise ValueError(f"render_mode {render_mode!r}: wanted None or 'rgb_array'")
        self.worlds, self.render_mode = _Worlds(address, 1, **settings), render_mode
        self.metadata = {**self.metadata, "render_fps": self.worlds.world.hello["fps"]}
        self.observation_space, self.action_space = self.worlds.observation_space, self.worlds.action_space

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        seen, _, _, _, info = self.worlds.turn({0: self.worlds.draw(self.np_random, options)}, {})[0]
        return seen, info

    def step(self, action):
        if self.worlds.last[0] is None:
            raise gymnasium.error.ResetNeeded("step before the first reset")
        return self.worlds.turn({}, {0: action})[0]

    def render(self):
        return self.worlds.last[0]

    def close(self):
        self.worlds.world.close()


class OrreryVectorEnv(VectorEnv):
    """Several worlds, whose frames are decoded in one batch. One that has ended begins anew with the next step,
    whose action it does not heed (AutoresetMode.NEXT_STEP)."""

    metadata = {"render_modes": ["rgb_array"], "render_fps": 10, "autoreset_mode": AutoresetMode.NEXT_STEP}

    def __init__(self, address, num_envs=1, *, render_mode=None, **settings):
        if render_mode not in (None, "rgb_array"):
            raise ValueError(f"render_mode {render_mode!r}: wanted None or 'rgb_array'")
        self.worlds, self.num_envs, self.render_mode = _Worlds(address, num_envs, **settings), num_envs, render_mode
        self.metadata = {**self.metadata, "render_fps": self.worlds.world.hello["fps"]}
        self.single_observation_space = self.worlds.observation_space
        self.single_action_space = self.worlds.action_space
        self.observation_space = gymnasium.vector.utils.batch_space(self.single_observation_space, num_envs)
        self.action_space = gymnasium.vector.utils.batch_space(self.single_action_space, num_envs)
        self.randoms, self.ended = [None] * num_envs, np.zeros(num_envs, bool)

    def reset(self, *, seed=None, options=None):
        """`seed`: one for all, from which environment i takes seed + i, or a list with one for each."""
        super().reset(seed=seed if not isinstance(seed, (list, tuple)) else None)
        seeds = [seed + i for i in range(self.num_envs)] if isinstance(seed, (int, np.integer)) else seed
        seeds = seeds if seeds is not None else [None] * self.num_envs
        if len(seeds) != self.num_envs:
            raise ValueError(f"{len(seeds)} seeds for {self.num_envs} environments")
        for i, one in enumerate(seeds):
            if one is not None or self.randoms[i] is None:
                self.randoms[i] = gymnasium.utils.seeding.np_random(one)[0]
        self.ended[:] = False
        turn = self.worlds.turn({i: self.worlds.draw(self.randoms[i], options) for i in range(self.num_envs)}, {})
        observations, _, _, _, infos = self._batch(turn)
        return observations, infos

    def step(self, actions):
        if any(seen is None for seen in self.worlds.last):
            raise gymnasium.error.ResetNeeded("step before the first reset")
        anew = {i: self.worlds.draw(self.randoms[i], None) for i in np.flatnonzero(self.ended).tolist()}
        going = {i: actions[i] for i in range(self.num_envs) if i not in anew}
        out = self._batch(self.worlds.turn(anew, going))
        self.ended = out[2] | out[3]
        return out

    def _batch(self, turn):
        n, infos = self.num_envs, {}
        observations = np.stack([turn[i][0] for i in range(n)])
        for i in range(n):
            infos = self._add_info(infos, turn[i][4], i)
        rewards = np.array([turn[i][1] for i in range(n)], np.float64)
        return observations, rewards, *(np.array([turn[i][k] for i in range(n)], bool) for k in (2, 3)), infos

    def render(self):
        return tuple(self.worlds.last)

    def close_extras(self, **kwargs):
        self.worlds.world.close()


def _answers(address):
    """Whether somebody listens there: the socket's file is there a moment before."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        return probe.connect_ex(address) == 0


@contextlib.contextmanager
def serve(run, data, sessions=8, options=(), program="orrery", wait=60.0):
    """Starts `orrery play` for as long as the block lasts; gives the address."""
    with tempfile.TemporaryDirectory(prefix="orrery-") as folder:
        address, log = os.path.join(folder, "socket"), os.path.join(folder, "log")
        words = [program, "play", run, "--data", data, "--socket", address, "--sessions", sessions, "--port", 0, *options]
        with open(log, "wb") as out:
            server = subprocess.Popen([str(w) for w in words], stdout=out, stderr=out)
        try:
            until = time.monotonic() + wait
            while not _answers(address):
                if server.poll() is not None or time.monotonic() > until:
                    with open(log, errors="replace") as said:
                        raise WorldError("gone", f"orrery play did not start: {said.read().strip()}")
                time.sleep(0.02)
            yield address
        finally:
            server.terminate()
            server.wait(timeout=30)


gymnasium.register("Orrery-v0", entry_point="orrery_env:OrreryEnv", vector_entry_point="orrery_env:OrreryVectorEnv")
