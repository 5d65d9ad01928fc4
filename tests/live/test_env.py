#!/usr/bin/env python3
"""clients/orrery_env.py in a small world, by gymnasium's own checker.

usage: test_env.py BIN_DIR    BIN_DIR/orrery trains and plays
"""
import pathlib
import socket
import subprocess
import sys
import time
import unittest
import warnings

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "clients"))
try:
    import gymnasium
    import numpy as np
    from gymnasium.utils.env_checker import check_env
    import orrery_env
except ImportError as why:
    print(f"skipped: {why} (tests/python.txt)")
    sys.exit(77)

from small_world import BIN, SmallWorld, orrery

HORIZON, TURNS = 5, 13


class Env(SmallWorld):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        served = cls.served(8)
        cls.address = served.__enter__()
        cls.addClassCleanup(served.__exit__, None, None, None)

    @classmethod
    def served(cls, sessions):
        return orrery_env.serve(cls.root / "dynamics", cls.root / "clips", sessions, ["--threads", 1],
                                program=BIN / "orrery")

    def vector(self, n, **settings):
        envs = orrery_env.OrreryVectorEnv(self.address, n, horizon=HORIZON, **settings)
        self.addCleanup(envs.close)
        return envs

    def play(self, envs, seed):
        """What TURNS turns with drawn actions give: observations, rewards, ends, hashes."""
        observations, infos = envs.reset(seed=seed)
        envs.action_space.seed(seed)
        told = [(observations.tobytes(), infos["hash"].tolist())]
        for _ in range(TURNS):
            observations, rewards, terminated, truncated, infos = envs.step(envs.action_space.sample())
            told.append((observations.tobytes(), rewards.tolist(), terminated.tolist(), truncated.tolist(),
                         infos["hash"].tolist()))
        return told

    def test_gymnasium_finds_nothing_wrong(self):
        env = gymnasium.make("orrery_env:Orrery-v0", address=self.address, horizon=HORIZON, render_mode="rgb_array")
        self.addCleanup(env.close)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # advice on spaces: components have the ranges of their data
            check_env(env.unwrapped)
        self.assertEqual(env.unwrapped.observation_space.shape, (32, 32, 3))

    def test_the_same_seeds_give_the_same_returns_of_eight_worlds(self):
        envs = self.vector(8, judge=lambda before, action, after: (float(after.mean() - before.mean()), False))
        first = self.play(envs, 3)
        self.assertEqual(first, self.play(envs, 3))
        self.assertNotEqual(first, self.play(envs, 4))
        self.assertNotEqual([0.0] * 8, first[1][1])

    def test_a_world_in_a_batch_is_the_world_alone(self):
        """Environment i of a seed is a single one of seed + i: the batch changes no bit."""
        envs, env = self.vector(5), orrery_env.OrreryEnv(self.address, horizon=HORIZON)
        self.addCleanup(env.close)
        actions = np.random.default_rng(1).uniform(-1, 1, (HORIZON, 5, 2)).astype(np.float32)
        _, infos = envs.reset(seed=7)
        together = [infos["hash"].tolist()]
        for t in range(HORIZON):
            together.append(envs.step(actions[t])[4]["hash"].tolist())
        for i in range(5):
            alone = [env.reset(seed=7 + i)[1]["hash"]]
            for t in range(HORIZON):
                alone.append(env.step(actions[t, i])[4]["hash"])
            self.assertEqual([row[i] for row in together], alone)

    def test_the_step_after_the_end_begins_anew(self):
        envs = self.vector(2)
        envs.reset(seed=1)
        for t in range(1, 2 * HORIZON + 3):
            _, rewards, _, truncated, infos = envs.step(envs.action_space.sample())
            ends, begins = t % (HORIZON + 1) == HORIZON, t % (HORIZON + 1) == 0
            self.assertEqual(truncated.tolist(), [ends] * 2, t)
            self.assertEqual("clip" in infos, begins, t)
            self.assertEqual(rewards.tolist(), [0.0] * 2)

    def test_one_that_ends_early_leaves_the_others_alone(self):
        ends = iter([False, True] + [False] * 100)
        envs = self.vector(2, judge=lambda *_: (1.0, next(ends)))
        envs.reset(seed=1)
        _, rewards, terminated, _, _ = envs.step(envs.action_space.sample())
        self.assertEqual((rewards.tolist(), terminated.tolist()), ([1.0, 1.0], [False, True]))
        _, rewards, terminated, _, infos = envs.step(envs.action_space.sample())
        self.assertEqual((rewards.tolist(), terminated.tolist()), ([1.0, 0.0], [False, False]))
        self.assertEqual(infos["_clip"].tolist(), [False, True])

    def test_a_models_own_heads_give_reward_and_end(self):
        orrery("train", self.root / "dynamics.yaml", "--set", f"run.dir={self.root / 'headed'}", "--set", "train.steps=4",
               "--set", "model.reward_weight=1", "--set", "model.done_weight=1")
        with orrery_env.serve(self.root / "headed", self.root / "clips", 2, ["--threads", 1], program=BIN / "orrery") as address:
            envs = orrery_env.OrreryVectorEnv(address, 2, horizon=HORIZON)
            self.addCleanup(envs.close)
            envs.reset(seed=1)
            _, rewards, terminated, _, infos = envs.step(envs.action_space.sample())
            frames = envs.worlds.shown
            self.assertEqual(rewards.tolist(), [frames[i].reward for i in range(2)])
            self.assertTrue(np.isfinite(rewards).all() and (rewards != 0).all())
            self.assertEqual(terminated.tolist(), [frames[i].done > 0.5 for i in range(2)])
            self.assertTrue(0 < frames[0].done < 1)
            self.assertNotIn("progress", infos)  # no such head

    def test_pixels_are_the_same_through_memory_and_through_tcp(self):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            address = "127.0.0.1:%d" % s.getsockname()[1]
        process = subprocess.Popen([BIN / "orrery", "play", self.root / "dynamics", "--data", self.root / "clips",
                                    "--socket", address, "--port", "0", "--threads", "1"], stderr=subprocess.DEVNULL)
        self.addCleanup(process.wait)
        self.addCleanup(process.terminate)
        far = self.connected(address, process)
        near = orrery_env.OrreryEnv(self.address, horizon=HORIZON)
        self.addCleanup(near.close)
        self.assertIsNone(far.worlds.world.shared)
        self.assertIsNotNone(near.worlds.world.shared)
        self.assertEqual(far.reset(seed=2)[0].tobytes(), near.reset(seed=2)[0].tobytes())
        action = far.action_space.sample()
        self.assertEqual(far.step(action)[0].tobytes(), near.step(action)[0].tobytes())

    def connected(self, address, process):
        for _ in range(1000):
            try:
                env = orrery_env.OrreryEnv(address, horizon=HORIZON)
                self.addCleanup(env.close)
                return env
            except orrery_env.WorldError as why:
                self.assertEqual(why.code, "gone")
                self.assertIsNone(process.poll())
                time.sleep(0.05)
        self.fail("nobody listens")

    def test_what_the_server_refuses_is_named(self):
        with self.assertRaisesRegex(orrery_env.WorldError, "9 sessions are asked for, 8 of 8 are free"):
            orrery_env.OrreryVectorEnv(self.address, 9)
        with self.assertRaisesRegex(orrery_env.WorldError, "set 3: the server has 1"):
            orrery_env.OrreryEnv(self.address, set=3)
        with self.assertRaisesRegex(orrery_env.WorldError, "nobody listens at /nowhere"):
            orrery_env.OrreryEnv("/nowhere")
        with self.assertRaisesRegex(orrery_env.WorldError, '"steps": wanted a whole number'):
            env = orrery_env.OrreryEnv(self.address, steps=1000)
            self.addCleanup(env.close)
            env.reset()
        env = orrery_env.OrreryEnv(self.address)
        self.addCleanup(env.close)
        env.reset()
        with self.assertRaisesRegex(ValueError, r"action of shape \(3,\): the world's has \(2,\)"):
            env.step(np.zeros(3, np.float32))

    def test_a_server_that_ends_says_so(self):
        with self.served(1) as address:
            env = orrery_env.OrreryEnv(address)
            self.addCleanup(env.close)
            env.reset()
        with self.assertRaisesRegex(orrery_env.WorldError, "the server is being stopped|has ended"):
            env.step(env.action_space.sample())


if __name__ == "__main__":
    sys.argv[1:] = []
    unittest.main()
