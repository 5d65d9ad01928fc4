#!/usr/bin/env python3
"""What a run says and leaves when its launcher is asked to end: mpirun passes USR1 on, and kills soon after TERM and INT.

usage: launcher.py BIN_DIR
"""
import signal
import subprocess
import sys
import time
import unittest

from small_run import BIN, SmallRun


class Launcher(SmallRun):
    def start(self, name, seconds=None):
        """Two ranks under mpirun, which have taken a step."""
        words = ["--mca", "odls_base_sigkill_timeout", str(seconds)] if seconds else []
        command = self.command(name, "train.steps=100000", "ckpt.every=5")
        run = subprocess.Popen(["mpirun", *words, "-n", "2", *command], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.addCleanup(run.kill)
        lines = self.root / name / "metrics.jsonl"
        while run.poll() is None and not (lines.exists() and lines.read_text().count("\n")):
            time.sleep(0.05)
        return run

    def ended(self, run):
        said = run.communicate(timeout=600)[1]  # a hang alone takes so long
        return run.returncode, said

    def test_usr1_to_mpirun_saves_and_ends_with_85(self):
        run = self.start("asked")
        run.send_signal(signal.SIGUSR1)
        code, said = self.ended(run)
        self.assertEqual(code, 85, said)
        last = self.lines("asked", "history.jsonl")[-1]
        self.assertEqual(last["event"], "stopped")
        self.assertTrue((self.root / f"asked/ckpt/step-{last['step']:08d}").is_dir())

    def hurried(self, name, number, seconds):
        run = self.start(name, seconds)
        run.send_signal(number)
        code, said = self.ended(run)
        self.assertNotEqual(code, 0)
        self.assertEqual(said.count("mpirun ends this job about a second from now"), 1, said)
        # what was saved is whole, and the run goes on from there
        last = self.lines(name, "history.jsonl")[-1]
        if last["event"] == "stopped":
            subprocess.run([BIN / "orrery", "ckpt", "verify", self.root / f"{name}/ckpt/step-{last['step']:08d}"], check=True, stdout=subprocess.DEVNULL)
        return last

    def test_term_and_int_to_mpirun_say_how_little_time_there_is(self):
        self.hurried("term", signal.SIGTERM, None)
        last = self.hurried("int", signal.SIGINT, 4)
        # in four seconds a step of milliseconds is over, unless the machine gives none
        self.assertIn(last["event"], ("stopped", "saved", "ready"))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
