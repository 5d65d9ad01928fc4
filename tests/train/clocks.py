#!/usr/bin/env python3
"""Nodes whose clocks are minutes apart: their ranks train as ranks of one clock, and a run that moves from
one such node to another goes on, with a goodput that makes sense.

usage: clocks.py BIN_DIR [CLOCK]    (CLOCK: tests/train/wrong_clock.c as a shared library, if it was built)
"""
import http.server
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import unittest

from small_run import BIN, SmallRun

CLOCK = sys.argv[2] if len(sys.argv) > 2 else ""
AHEAD = 600  # seconds, of wall clocks
LATER = 7777  # of a monotonic clock: a machine that was started earlier


def boot_earlier():
    """Words that start a command on a machine with another monotonic clock; none without the right to it."""
    words = ["unshare", "--time", "--monotonic", str(LATER), "--fork"]
    if subprocess.run([*words, "true"], capture_output=True, check=False).returncode == 0:
        return words
    print("no time namespace here: both monotonic clocks are one", file=sys.stderr)
    return []


class SlowWebhook(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        state = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["state"]
        time.sleep(0.3)
        self.server.told.append(state)
        self.send_response(204)
        self.end_headers()

    def log_message(self, *words):
        pass


class Clocks(SmallRun):
    def start(self, words, ahead=0):
        env = dict(os.environ, LD_PRELOAD=CLOCK, WRONG_CLOCK_S=str(ahead))
        return subprocess.Popen(words, env=env, stderr=subprocess.PIPE, text=True)

    def test_ranks_with_other_clocks_train_alike_and_share_one_trace(self):
        settings = ["train.steps=40", "train.trace_steps=20-39", "metrics.ranks_every=10", "dist.timeout_s=60"]
        alike = subprocess.run(["mpirun", "-n", "2", *self.command("alike", *settings)], capture_output=True,
                               text=True, timeout=600, check=False)
        self.assertEqual(alike.returncode, 0, alike.stderr)
        command = self.command("apart", *settings)
        wrong = ["-x", f"LD_PRELOAD={CLOCK}", "-x", f"WRONG_CLOCK_S={-AHEAD}"]
        apart = subprocess.run(["mpirun", "-n", "1", *command, ":", "-n", "1", *wrong, *boot_earlier(), *command],
                               capture_output=True, text=True, timeout=600, check=False)
        self.assertEqual(apart.returncode, 0, apart.stderr)
        self.assertEqual(self.losses("apart"), self.losses("alike"))
        self.assertNotIn("error", apart.stderr)
        # What both ranks leave together ends together: not LATER or AHEAD seconds apart, whatever the scheduler does.
        events = json.loads((self.root / "apart/trace/steps-20-39.json").read_text())["traceEvents"]
        ends = [[e["ts"] + e["dur"] for e in events if e["ph"] == "X" and e["pid"] == rank and e["cat"] == "world" and
                 e["tid"] == 0] for rank in (0, 1)]
        self.assertEqual(len(ends[0]), len(ends[1]))
        apart_us = sorted(abs(a - b) for a, b in zip(*ends))
        self.assertLess(apart_us[len(apart_us) // 2], 60e6)

    def until_step(self, run, name, step):
        file = self.root / name / "metrics.jsonl"
        while run.poll() is None and not (file.exists() and file.read_text().count("\n") > step):
            time.sleep(0.005)

    def test_a_run_moves_between_nodes_whose_clocks_differ(self):
        settings = ["train.steps=600", "ckpt.every=50"]
        subprocess.run(self.command("still", *settings), capture_output=True, timeout=600, check=True)
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), SlowWebhook)
        server.told = []
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        sink = f"metrics.webhook=http://127.0.0.1:{server.server_address[1]}"
        begun = time.monotonic()
        for ahead, step, more in ((0, 100, []), (-AHEAD, 200, [sink]), (AHEAD, 600, [])):
            run = self.start(self.command("moved", *settings, *more), ahead)
            self.until_step(run, "moved", step)
            run.send_signal(signal.SIGUSR1)
            said = run.communicate(timeout=600)[1]
            self.assertEqual(run.returncode, 85 if step < 600 else 0, said)
            self.assertNotIn("waiting up to", said)  # the run's folder is free at once
        lived_s = time.monotonic() - begun
        self.assertEqual(server.told, ["ready", "stopped"])  # its farewell is seconds by any clock
        self.assertEqual(self.losses("moved"), self.losses("still"))
        starts = [h for h in self.lines("moved", "history.jsonl") if h["event"] == "start"]
        self.assertEqual(len(starts), 3)
        subprocess.run([BIN / "orrery", "report", self.root / "moved"], capture_output=True, timeout=600, check=True)
        share = re.search(r"([\d.]+)% of [^<]+ in steps that counted", (self.root / "moved/report.html").read_text())[1]
        # from -600 s to +600 s: what the clocks disagree about counts as time between processes
        self.assertLess(float(share), 100 * lived_s / (2 * AHEAD))
        self.assertGreater(float(share), 0)


if __name__ == "__main__":
    if not CLOCK:
        print("skipped: a sanitizer's runtime must be loaded before the clock is")
        sys.exit(77)
    unittest.main(argv=sys.argv[:1], verbosity=2)
