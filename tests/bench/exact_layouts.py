#!/usr/bin/env python3
"""One hash at any size (docs/exactness.md): the program trains a small model with all parts in many layouts, and once more in
a run that is killed again and again and resumed in another layout each time. Prints the SHA-256 of all weights, moments and
averages of each; exits with 1 where there are two.

usage: exact_layouts.py BIN_DIR [--steps N] [--kills N] [--precision fp32|bf16] [--seed S] [--most-ranks N]
"""
import argparse
import hashlib
import os
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import time

MODEL = ("model.heads=4", "model.kv_heads=4", "model.width=32", "model.hidden=48", "model.before=true",
         "model.change_weight=2.5", "optim.ema_decay=0.9", "data.frames=8", "train.batch=24", "run.exact=true",
         "run.threads=1", "metrics.profile=false", "metrics.tensorboard=false")
LAYOUTS = [  # ranks, settings
    (1, []), (1, ["train.micro_batch=1"]), (1, ["train.micro_batch=4", "train.recompute=all"]), (1, ["run.threads=2"]),
    (2, ["dist.tp=2"]), (2, ["dist.cp=2"]), (2, ["dist.zero=1", "train.micro_batch=2"]),
    (3, ["dist.zero=1"]), (4, ["dist.tp=4"]), (4, ["dist.tp=2", "dist.cp=2"]), (4, ["dist.cp=2", "dist.zero=1"]),
    (4, []), (6, []), (6, ["dist.tp=2", "dist.zero=1"]), (6, ["dist.cp=2"]),
    (8, []), (8, ["dist.tp=4", "dist.cp=2"]), (8, ["dist.tp=2", "dist.cp=2", "dist.zero=1", "train.recompute=cheap"])]


class Bench:
    def __init__(self, args, root):
        self.args, self.root = args, root
        self.layouts = [x for x in LAYOUTS if x[0] <= args.most_ranks]
        subprocess.run([args.bin / "slurm_small_set", root], check=True)

    def command(self, name, ranks, settings):
        words = ["mpirun", "--oversubscribe", "--bind-to", "none", "-n", str(ranks)] if ranks > 1 else []
        words += [self.args.bin / "orrery", "train", self.root / "small.yaml"]
        for s in (*MODEL, f"run.dir={self.root / name}", f"run.precision={self.args.precision}",
                  f"train.steps={self.args.steps}", f"ckpt.every={max(1, self.args.steps // 20)}", *settings):
            words += ["--set", s]
        return words

    def hash(self, name):
        digest = hashlib.sha256()
        folder = self.root / name / "ckpt" / f"step-{self.args.steps:08d}"
        for file in sorted(folder.glob("*.safetensors")):
            digest.update(file.read_bytes())
        return digest.hexdigest()[:32]

    def train(self, name, ranks, settings):
        subprocess.run(self.command(name, ranks, settings), check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        return self.hash(name)

    def killed(self, name, rng):
        """Kills the run `kills` times at random moments, each time in another layout, then lets it end."""
        kills = 0
        while kills < self.args.kills:
            ranks, settings = rng.choice(self.layouts)
            run = subprocess.Popen(self.command(name, ranks, settings), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                   start_new_session=True)
            lines = self.root / name / "metrics.jsonl"
            before = lines.read_text().count("\n") if lines.exists() else 0
            wanted = before + rng.randrange(1, max(2, self.args.steps // self.args.kills))
            while run.poll() is None and (not lines.exists() or lines.read_text().count("\n") < wanted):
                time.sleep(0.02)
            if run.poll() is None:
                os.killpg(run.pid, signal.SIGKILL)
                kills += 1
            run.wait()
            last = lines.read_text().count("\n") if lines.exists() else 0
            print(f"  killed {kills} times, last at step {last} on {ranks} ranks {' '.join(settings)}", flush=True)
            if last >= self.args.steps:
                break
        return self.train(name, *rng.choice(self.layouts))


def main():
    p = argparse.ArgumentParser()
    p.add_argument("bin", type=pathlib.Path)
    p.add_argument("--steps", type=int, default=200)
    p.add_argument("--kills", type=int, default=10)
    p.add_argument("--precision", default="fp32")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--most-ranks", type=int, default=8)
    args = p.parse_args()
    found = set()
    with tempfile.TemporaryDirectory(prefix="orrery-exact-") as folder:
        bench = Bench(args, pathlib.Path(folder))
        for i, (ranks, settings) in enumerate(bench.layouts):
            found.add(bench.train(f"run-{i}", ranks, settings))
            print(bench.hash(f"run-{i}"), ranks, "ranks", *settings, flush=True)
        if args.kills:
            found.add(bench.killed("killed", random.Random(args.seed)))
            print(bench.hash("killed"), "killed", args.kills, "times", flush=True)
    print(f"{args.precision}: {len(found)} value(s) over {len(bench.layouts)} layouts, {args.steps} steps")
    sys.exit(len(found) != 1)


if __name__ == "__main__":
    main()
