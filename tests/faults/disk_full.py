"""A file system that is full while a run saves into it: the error is named, training goes on, the old
checkpoints are whole, and the next save after some space is free succeeds.

Mounts small tmpfs in a mount namespace of its own, which nobody else sees."""
import argparse
import json
import os
import re
import signal
import subprocess
import sys
import time
import unittest

from mounts import private_mounts
from runs import Runs

STEPS = 30
args = None


class TestDiskFull(unittest.TestCase):
    def setUp(self):
        self.runs = Runs(args.source, args.build, "orrery-full-")
        os.makedirs(self.runs.path("run", "ckpt"))

    def tearDown(self):
        subprocess.run(["umount", self.runs.path("run", "ckpt")], check=True)
        self.runs.remove()

    def mount(self, options):
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", self.runs.path("run", "ckpt")], check=True)

    def train(self, every, more=()):
        words = self.runs.words("run", [f"train.steps={STEPS}", f"ckpt.every={every}", "ckpt.keep=100", *more])
        return self.runs.run(words, check=False)

    def verify(self):
        steps = self.runs.checkpoints("run")
        for step in steps:
            self.runs.run([self.runs.orrery, "ckpt", "verify", self.runs.path("run", "ckpt", f"step-{step:08d}")])
        return steps

    def assert_goes_on(self, done, cause):
        """Every step was taken though some saves failed, and each failure was one line that says why.
        Returns the step of the newest checkpoint that did not fail."""
        failed = [int(s) for s in re.findall(r"checkpoint of step (\d+) was not written: ", done.stderr)]
        self.assertTrue(failed, done.stderr)
        for line in done.stderr.splitlines():
            if "was not written" in line and "last checkpoint" not in line:
                self.assertRegex(line, cause)
                self.assertIn("earlier checkpoints are intact", line)
        self.assertEqual(len(self.runs.numbers("run")), STEPS)
        # whatever has the name of a checkpoint is whole, also where only `latest` could not be moved
        self.assertTrue(self.verify())
        with open(self.runs.path("run", "ckpt", "latest"), encoding="utf-8") as f:
            latest = int(f.read()[len("step-"):])
        self.assertNotIn(latest, failed)
        # the last one is among those that failed: the run cannot call itself done
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("the last checkpoint was not written", done.stderr)
        return latest

    def test_too_little_space_for_a_whole_checkpoint_is_seen_before_the_first_byte(self):
        self.mount("size=1m") # a checkpoint takes 0.25 MB
        self.assert_goes_on(self.train(3), r"a checkpoint takes \d+ MB, \d+ MB are free; free some space")

    def test_a_disk_that_fills_up_during_a_save_costs_that_save_alone(self):
        self.mount("size=1g,nr_inodes=20") # space, but soon no file more: what statvfs does not tell
        latest = self.assert_goes_on(self.train(3), r"No space left on device")
        # space again: the run ends as it should
        subprocess.run(["mount", "-o", "remount,nr_inodes=1000", self.runs.path("run", "ckpt")], check=True)
        done = self.train(3)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(f"at step {latest}\n", done.stderr)
        self.assertIn(STEPS, self.verify())


class FullFolder(unittest.TestCase):
    """The run's folder itself is full; its checkpoints lie elsewhere."""

    def setUp(self):
        self.runs = Runs(args.source, args.build, "orrery-full-")
        self.run_dir = self.runs.path("run")
        self.mounted = []
        self.mount(self.run_dir, "size=100m") # more than is kept in memory
        self.mount(self.runs.path("run", "ckpt"), "size=100m")

    def mount(self, folder, options):
        os.makedirs(folder)
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], check=True)
        self.mounted.insert(0, folder)

    def tearDown(self):
        for folder in self.mounted:
            subprocess.run(["umount", folder], check=True)
        self.runs.remove()

    def fill(self):
        """Leaves no room but in half a page of each file; returns what takes it."""
        ballast = os.path.join(self.run_dir, "ballast")
        with open(ballast, "wb", buffering=0) as f:
            try:
                while f.write(bytes(65536)):
                    pass
            except OSError:
                pass
        return ballast

    def start(self, *settings):
        words = self.runs.words("run", ["ckpt.every=50", *settings])
        return subprocess.Popen(words, cwd=args.source, env=self.runs.env, stderr=subprocess.PIPE, text=True)

    def steps(self):
        """Numbers of the whole lines of metrics.jsonl."""
        with open(os.path.join(self.run_dir, "metrics.jsonl"), encoding="utf-8") as f:
            return [json.loads(line)["step"] for line in f if line.endswith("\n")]

    def test_training_goes_on_and_catches_up_when_there_is_room(self):
        run = self.start("train.steps=100000000")
        said = []
        for line in run.stderr: # trains
            said.append(line)
            if "step 1/" in line:
                break
        ballast = self.fill()
        for line in run.stderr:
            said.append(line)
            if "kept in memory" in line:
                break
        reached = self.steps()[-1]
        os.remove(ballast)
        while self.steps()[-1] <= reached:
            self.assertIsNone(run.poll(), "".join(said))
            time.sleep(0.05)
        run.send_signal(signal.SIGUSR1)
        said += run.stderr.readlines()
        run.stderr.close()
        self.assertEqual(run.wait(), 85, "".join(said))
        self.assertEqual(sum("No space left" in line for line in said), 1, "".join(said))
        self.assertTrue(any("there is room again" in line for line in said), "".join(said))
        steps = self.steps()
        self.assertEqual(steps, list(range(1, len(steps) + 1)))
        with open(os.path.join(self.run_dir, "history.jsonl"), encoding="utf-8") as f:
            events = [json.loads(line)["event"] for line in f]
        self.assertEqual((events[:2], events[-1]), (["start", "ready"], "stopped"))
        # the next process finds no room at all, trains, and saves
        self.fill()
        more = self.start(f"train.steps={steps[-1] + 20}", "optim.warmup_steps=1")
        said = more.communicate(timeout=300)[1]
        self.assertEqual(more.returncode, 0, said)
        self.assertIn(steps[-1] + 20, self.runs.checkpoints("run"))
        self.assertEqual(said.count("kept in memory"), 1, said)


def main():
    global args
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--source", required=True)
    p.add_argument("--build", required=True)
    p.add_argument("--inside", action="store_true", help="in a mount namespace already")
    args, rest = p.parse_known_args()
    if not args.inside:
        words, why = private_mounts()
        if not words:
            print(f"skipped: a small file system cannot be mounted here: {why}")
            return 77
        return subprocess.run([*words, sys.executable, *sys.argv, "--inside"], check=False).returncode
    return 0 if unittest.main(argv=[sys.argv[0], *rest], exit=False, verbosity=2).result.wasSuccessful() else 1


sys.exit(main())
