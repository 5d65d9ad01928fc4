#!/usr/bin/env python3
"""`orrery bench rollout` of a small world, and `tests/bench/ahead.py` on it: what they print, not how fast it was.

usage: test_bench.py BIN_DIR    BIN_DIR/orrery trains and decodes
"""
import importlib.util
import json
import pathlib
import subprocess
import sys
import unittest

from small_world import BIN, SmallWorld, orrery

AHEAD = pathlib.Path(__file__).resolve().parents[1] / "bench" / "ahead.py"


class Bench(SmallWorld):
    def test_a_line_of_figures_for_every_number_of_sessions(self):
        out = orrery("bench", "rollout", self.root / "dynamics", "--threads", 1, "--frames", 4, "--sessions", 1,
                     "--sessions", 3)
        told = json.loads(out.splitlines()[-1])
        self.assertEqual((told["bench"], told["device"], told["threads"], told["pixels"]), ("rollout", "cpu", 1, True))
        self.assertIn(str(self.root / "dynamics"), told["model"])
        self.assertEqual([run["sessions"] for run in told["runs"]], [1, 3])
        for run in told["runs"]:
            self.assertLessEqual(run["ms_p50"], run["ms_p99"])
            self.assertGreater(run["frames_per_s"], 0)
            self.assertAlmostEqual(run["matmul_share"],
                                   run["frames_per_s"] * told["frame_gflop"] / told["matmul_tflops"] / 1e3, 3)

    def test_frames_ahead_are_the_same_frames(self):
        if not importlib.util.find_spec("gymnasium"):
            self.skipTest("no gymnasium (tests/python.txt)")
        done = subprocess.run([sys.executable, "-B", AHEAD, BIN, self.root / "dynamics", self.root / "clips", "--think",
                               "1", "--frames", "40", "--rounds", "1", "--press", "40", "--play=--threads=1"], stdout=subprocess.PIPE)
        told = json.loads(done.stdout)
        self.assertEqual((done.returncode, told["equal_hashes"]), (0, True))
        self.assertGreater(told["held"], 10)
        self.assertGreater(told["taken_ahead"], 5)


if __name__ == "__main__":
    sys.argv[1:] = []
    unittest.main()
