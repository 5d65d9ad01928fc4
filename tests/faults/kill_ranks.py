"""kill -9 of a random rank at a random moment, again and again, over a run that saves every 3 steps:
every start goes on from a checkpoint with the bits of an undisturbed run's, and so does the end.

kill_ranks.py --source DIR --build DIR [--kills 100] [--ranks 4] [--seed N]"""
import argparse
import os
import random
import re
import signal
import subprocess
import sys
import time

from runs import Runs

AHEAD = 12 # steps at most from one kill to the next


def settings(args):
    steps = args.kills * AHEAD // 2 + 60 # about what the kills take, and more, so that a kill that comes late still meets it
    tp = 2 if args.ranks % 2 == 0 else 1
    return steps, [f"train.steps={steps}", "ckpt.every=3", f"dist.tp={tp}"]


def ranks_of(pid):
    """Processes that mpirun started. Not every kernel lists the children of a process."""
    found = []
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{entry}/stat", encoding="utf-8", errors="replace") as f:
                if int(f.read().rpartition(")")[2].split()[1]) == pid:
                    found.append(int(entry))
        except OSError:
            continue # it has ended meanwhile
    return found


class Killer:
    def __init__(self, runs, args):
        self.runs, self.args = runs, args
        self.random = random.Random(args.seed)
        self.steps, self.settings = settings(args)
        self.resumes = self.damaged = 0

    def start(self, name, more=()):
        log = open(self.runs.path(name + ".log"), "w", encoding="utf-8")
        words = ["mpirun", "-n", str(self.args.ranks), *self.runs.words(name, [*self.settings, *more])]
        return subprocess.Popen(words, cwd=self.runs.source, env=self.runs.env, stdout=log, stderr=log)

    def log(self):
        with open(self.runs.path("killed.log"), encoding="utf-8", errors="replace") as f:
            return f.read()

    def check_resume(self):
        """What the last start went on from has the bits of the undisturbed run at that step."""
        text = self.log()
        self.damaged += text.count("damaged")
        for step in re.findall(r"resumed from \S+ at step (\d+)", text):
            self.resumes += 1
            calm, killed = (self.runs.weights(name, int(step)) for name in ("calm", "killed"))
            if calm != killed:
                raise AssertionError(f"seed {self.args.seed}: step {step} is not what the undisturbed run saved")

    def kill_once(self):
        """False when the run was through before its moment came."""
        until = self.runs.steps("killed") + self.random.randrange(1, AHEAD)
        job = self.start("killed", ["ckpt.keep=1000000"])
        while self.runs.steps("killed") < until:
            if job.poll() is not None:
                if job.returncode != 0:
                    raise AssertionError(f"seed {self.args.seed}: exit code {job.returncode}: {self.log()}")
                self.check_resume()
                return False
            time.sleep(0.001)
        time.sleep(self.random.random() * 0.01) # also in the middle of a save
        children = ranks_of(job.pid)
        if children:
            try:
                os.kill(self.random.choice(children), signal.SIGKILL)
            except ProcessLookupError:
                pass
        job.wait(timeout=600)
        self.check_resume()
        return job.returncode != 0

    def run(self):
        if self.start("calm", ["ckpt.keep=1000000"]).wait(timeout=600) != 0:
            raise AssertionError("the undisturbed run failed")
        kills = 0
        while kills < self.args.kills:
            if not self.kill_once():
                break
            kills += 1
        if self.start("killed", ["ckpt.keep=1000000"]).wait(timeout=600) != 0:
            raise AssertionError(f"seed {self.args.seed}: the last start failed: {self.log()}")
        self.check_resume()
        if self.runs.numbers("calm") != self.runs.numbers("killed"):
            raise AssertionError(f"seed {self.args.seed}: losses differ from the undisturbed run's")
        if self.runs.weights("calm", self.steps) != self.runs.weights("killed", self.steps):
            raise AssertionError(f"seed {self.args.seed}: weights differ from the undisturbed run's")
        return kills


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--source", required=True)
    p.add_argument("--build", required=True)
    p.add_argument("--kills", type=int, default=8)
    p.add_argument("--ranks", type=int, default=4)
    p.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 31))
    args = p.parse_args()
    print(f"seed {args.seed}: repeat with --seed {args.seed}", file=sys.stderr)
    runs = Runs(args.source, args.build, "orrery-kill-")
    killer = Killer(runs, args)
    kills = killer.run()
    if 2 * kills < args.kills: # some may come late on a busy machine
        raise AssertionError(f"the run of {killer.steps} steps was through after {kills} of {args.kills} kills")
    print(f"{kills} kills over {killer.steps} steps: {killer.resumes} resumes, all bit-equal; "
          f"{killer.damaged} damaged checkpoints met")
    runs.remove()


main()
