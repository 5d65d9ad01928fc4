#!/usr/bin/env python3
"""A rank that is stopped before the first step, or after the last one, is named, and the job ends.

usage: startup.py BIN_DIR
"""
import os
import signal
import subprocess
import sys
import time
import unittest

from small_run import SmallRun, process_of


class Startup(SmallRun):
    def start(self, place, rank):
        words = self.command(place, "train.steps=4", "ckpt.every=0", "dist.timeout_s=1", program="orrery_stops")
        env = dict(os.environ, STOP_AT=place, STOP_RANK=str(rank))
        return subprocess.Popen(["mpirun", "-n", "2", *words], env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)

    def expect_named(self, rank, *places):
        """All at once: mostly they wait. Before the ranks have met the kernel tells who is missing, later the sideband."""
        runs = {place: self.start(place, rank) for place in places}
        said = {place: run.communicate(timeout=300)[1] for place, run in runs.items()}  # a hang alone takes so long
        for place, run in runs.items():
            met = place in ("load", "end")
            host = os.uname().nodename
            words = f"missing: rank {rank} ({host}, pid " if met else f"have not met: missing on {host}: rank {rank} (pid "
            self.assertIn(words, said[place], place)
            # Open MPI's mpirun dies of a segmentation fault of its own now and then while it ends a job with a stopped process
            self.assertIn(run.returncode, (1, -signal.SIGSEGV), f"{place}: {said[place]}")

    def test_a_rank_that_stops_at_the_start_or_at_the_end_is_named(self):
        self.expect_named(1, "init", "split", "load", "end")
        self.assertEqual(len(self.losses("end")), 4)  # it had taken its steps

    def test_a_rank_that_stops_at_a_step_is_in_the_history_and_the_report_goes_when_the_run_goes_on(self):
        words = self.command("hung", "train.steps=100000", "ckpt.every=2", "dist.timeout_s=1")
        run = subprocess.Popen(["mpirun", "-n", "2", *words], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        lines = self.root / "hung/metrics.jsonl"
        while run.poll() is None and not (lines.exists() and lines.read_text().count("\n") >= 4):
            time.sleep(0.05)
        os.kill(process_of(1, run.pid), signal.SIGSTOP)
        said = run.communicate(timeout=300)[1]
        self.assertEqual(run.returncode, 1, said)
        last = self.lines("hung", "history.jsonl")[-1]
        self.assertEqual(last["event"], "hung")
        self.assertRegex(last["words"], r"^missing: rank 1 \(")
        self.assertGreaterEqual(last["step"], 4)
        report = (self.root / "hung/hang-report.txt").read_text()
        self.assertRegex(report, r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC\nhang report ")
        self.assertRegex(said, r"(?m)^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \[0\] device cpu ")  # so do lines of the log
        steps = self.lines("hung")[-1]["step"] + 2
        again = self.command("hung", f"train.steps={steps}")
        subprocess.run(again, check=True, capture_output=True)
        self.assertFalse((self.root / "hung/hang-report.txt").exists())
        self.assertEqual((self.root / "hung/hang-report.old.txt").read_text(), report)

    def test_the_first_rank_is_named_by_the_last(self):
        self.expect_named(0, "init", "load", "end")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
