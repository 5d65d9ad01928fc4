#!/usr/bin/env python3
"""One hash at any size (docs/exactness.md): the program trains a small model with all parts, a small tokenizer, or an adapter
of the former, in many layouts, and once more in a run that is killed again and again and resumed in another layout each time.
Prints the SHA-256 of all weights, moments and averages of each; exits with 1 where there are two.

usage: exact_layouts.py BIN_DIR [--of dynamics|tokenizer|adapter] [--steps N] [--kills N] [--precision fp32|bf16]
                        [--optimizer adamw|muon] [--seed S] [--ranks N ...] [--at STEP]

--ranks: layouts of so many ranks alone. --at: the hash of that step, where each run is stopped, instead of the last one's.
An adapter is trained in those layouts that do not share gradients out.
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

LAYOUTS = [  # ranks, settings
    (1, []), (1, ["train.micro_batch=1"]), (1, ["train.micro_batch=4", "train.recompute=all"]), (1, ["run.threads=2"]),
    (2, ["dist.zero=3"]), (2, ["dist.tp=2"]), (2, ["dist.cp=2"]), (2, ["dist.zero=1", "train.micro_batch=2"]),
    (3, []), (3, ["dist.zero=2", "train.micro_batch=4"]),
    (4, ["dist.zero=2", "dist.shard=2"]), (4, ["dist.tp=4"]), (4, ["dist.tp=2", "dist.cp=2"]), (4, ["dist.cp=2", "dist.zero=3"]),
    (6, ["dist.zero=3"]), (6, ["dist.tp=2", "dist.zero=1"]), (6, ["dist.cp=2", "dist.zero=2"]),
    (8, ["dist.zero=1", "dist.shard=4"]), (8, ["dist.tp=4", "dist.cp=2"]), (8, ["dist.tp=2", "dist.zero=3"]),
    (8, ["dist.tp=2", "dist.cp=2", "dist.zero=2", "train.recompute=cheap"])]


class Bench:
    def __init__(self, args, root):
        self.args, self.root, self.at = args, root, args.at or args.steps
        adapter = args.of == "adapter"
        refused = {"dist.zero=2", "dist.zero=3"} if adapter else set()
        self.layouts = [x for x in LAYOUTS if (not args.ranks or x[0] in args.ranks) and not refused & set(x[1])]
        self.config, self.settings = "tokenizer.yaml" if args.of == "tokenizer" else "dynamics.yaml", []
        subprocess.run([args.bin / "bench_exact_set", root], check=True)
        if adapter:
            self.start("base", 1, ["train.steps=12"]).wait()
            self.settings = [f"train.init_from={root / 'base'}", "train.lora_rank=3"]

    def command(self, name, ranks, settings):
        words = ["mpirun", "--oversubscribe", "--bind-to", "none", "-n", str(ranks)] if ranks > 1 else []
        words += [self.args.bin / "orrery", "train", self.root / self.config]
        for s in (f"run.dir={self.root / name}", f"run.precision={self.args.precision}",
                  f"optim.optimizer={self.args.optimizer}", f"train.steps={self.args.steps}", "ckpt.keep=3",
                  f"ckpt.every={self.args.at or max(1, self.args.steps // 20)}", *self.settings, *settings):
            words += ["--set", s]
        return words

    def folder(self, name):
        return self.root / name / "ckpt" / f"step-{self.at:08d}"

    def hash(self, name):
        digest = hashlib.sha256()
        files = sorted(self.folder(name).glob("*.safetensors"))
        for file in files:
            digest.update(file.read_bytes())
        return f"{digest.hexdigest()[:32]} ({sum(f.stat().st_size for f in files)} bytes)"

    def start(self, name, ranks, settings):
        return subprocess.Popen(self.command(name, ranks, settings), stdout=subprocess.DEVNULL,
                                stderr=open(self.root / f"{name}.log", "w"), start_new_session=True)

    def train(self, name, ranks, settings):
        run = self.start(name, ranks, settings)
        while run.poll() is None:
            time.sleep(0.1)
            if self.args.at and (self.folder(name) / "manifest.json").exists():
                os.killpg(run.pid, signal.SIGKILL)
                run.wait()
                return self.hash(name)
        if run.returncode != 0:
            raise SystemExit((self.root / f"{name}.log").read_text())
        return self.hash(name)

    def last_step(self, name):
        lines = self.root / name / "metrics.jsonl"
        return lines.read_text().count("\n") if lines.exists() else 0

    def killed(self, name, rng):
        """Kills the run `kills` times at random moments, each time in another layout, then lets it end."""
        kills, layout = 0, None
        while kills < self.args.kills:
            layout = rng.choice([x for x in self.layouts if x is not layout])
            run = self.start(name, *layout)
            before = self.last_step(name)
            wanted = before + rng.randrange(1, max(2, self.at // self.args.kills))
            while run.poll() is None and self.last_step(name) < wanted:
                time.sleep(0.02)
            time.sleep(rng.random() * 0.2)
            if run.poll() is None:
                os.killpg(run.pid, signal.SIGKILL)
                kills += 1
            run.wait()
            print(f"  killed {kills} times, last at step {self.last_step(name)} (begun after {before}) on {layout[0]} ranks "
                  f"{' '.join(layout[1])}", flush=True)
            if self.last_step(name) >= self.args.steps:
                break
        return kills, self.train(name, *rng.choice(self.layouts))


def main():
    p = argparse.ArgumentParser()
    p.add_argument("bin", type=pathlib.Path)
    p.add_argument("--of", choices=["dynamics", "tokenizer", "adapter"], default="dynamics")
    p.add_argument("--steps", type=int, default=200)
    p.add_argument("--at", type=int)
    p.add_argument("--kills", type=int, default=10)
    p.add_argument("--precision", default="fp32")
    p.add_argument("--optimizer", default="adamw")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--ranks", type=int, nargs="*")
    args = p.parse_args()
    found = set()
    with tempfile.TemporaryDirectory(prefix="orrery-exact-") as folder:
        bench = Bench(args, pathlib.Path(folder))
        for i, (ranks, settings) in enumerate(bench.layouts):
            begun = time.monotonic()
            found.add(bench.train(f"run-{i}", ranks, settings))
            print(bench.hash(f"run-{i}"), ranks, "ranks", *settings, f"{time.monotonic() - begun:.0f} s", flush=True)
        if args.kills:
            kills, value = bench.killed("killed", random.Random(args.seed))
            found.add(value)
            print(value, "killed", kills, "times", flush=True)
    print(f"{args.of} {args.precision} {args.optimizer}: {len(found)} value(s) over {len(bench.layouts)} layouts, step {bench.at}")
    sys.exit(len(found) != 1)


if __name__ == "__main__":
    main()
