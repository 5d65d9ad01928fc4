#!/usr/bin/env python3
"""What it costs to watch a run: `orrery train` with everything on - phases, traces, guards, TensorBoard, pushes
to a real Pushgateway, a webhook - against the same with all of it off.

usage: overhead.py BIN_DIR [--size small|tiny] [--rounds N]

Whole runs take turns, so that a busy minute meets both; per step: the median of all, and processor time, as what
a long run takes beyond a short one. metrics.jsonl is written either way. One line of JSON.
"""
import argparse
import json
import os
import pathlib
import resource
import shutil
import socket
import statistics
import subprocess
import tempfile

OFF = ["metrics.profile=false", "metrics.tensorboard=false", "guard.z=0"]
SMALL = ["model.width=256", "model.heads=4", "model.kv_heads=4", "model.hidden=768", "model.layers=8", "model.rows=8",
         "model.cols=8", "model.registers=3", "model.time_every=4", "model.actions=2", "model.codes=1000",
         "model.branches=[worlds]", "train.batch=8", "data.frames=16", "tokenizer.rows=8", "tokenizer.cols=8",
         "tokenizer.levels=[8,5,5,5]", "run.device=cpu"]
# size: settings, steps of a short and of a long run, of those left out at the start, and traced
SIZES = {"small": (SMALL, 3, 12, 2, "4-6"), "tiny": (["run.threads=1"], 100, 3000, 100, "200-219")}


class Runs:
    def __init__(self, build, size):
        self.build = build
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="orrery-overhead-"))
        self.settings, self.short, self.long, self.warm, self.traced = SIZES[size]
        if size == "small":
            subprocess.run([build / "bench_clips", self.root / "clips", "64"], check=True)
            (self.root / "small.yaml").write_text(f"train: {{stage: dynamics}}\ndata: {{train: [{self.root / 'clips'}]}}\n")
        else:
            subprocess.run([build / "slurm_small_set", self.root], check=True)
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.address = f"127.0.0.1:{s.getsockname()[1]}"
        self.gateway = subprocess.Popen(["prometheus-pushgateway", f"--web.listen-address={self.address}",
                                         "--persistence.file="],
                                        stderr=subprocess.DEVNULL)

    def close(self):
        self.gateway.kill()
        self.gateway.wait()
        shutil.rmtree(self.root)

    def command(self, watched, steps):
        shutil.rmtree(self.root / "run", ignore_errors=True)
        on = [f"train.trace_steps={self.traced}" if steps > self.short else "guard.z=8",
              f"metrics.pushgateway=http://{self.address}", "metrics.push_every_s=1",
              f"metrics.webhook=http://{self.address}/metrics"]
        words = [self.build / "orrery", "train", self.root / "small.yaml"]
        for s in (*self.settings, f"run.dir={self.root / 'run'}", f"train.steps={steps}", "ckpt.every=0",
                  "optim.warmup_steps=1", "optim.decay_steps=1", *(on if watched else OFF)):
            words += ["--set", s]
        return words

    def timed(self, watched, steps):
        """Milliseconds of every step but the first ones, and the processor seconds of the whole run."""
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(self.command(watched, steps), capture_output=True, text=True, check=False)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        if done.returncode != 0:
            raise SystemExit(done.stderr)
        lines = [json.loads(line) for line in (self.root / "run/metrics.jsonl").read_text().splitlines()]
        return ([line["step_ms"] for line in lines[self.warm:]],
                after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def measure(runs, rounds):
    ms, cpu_ms = {True: [], False: []}, {True: [], False: []}
    ratios = []
    for i in range(rounds):
        here = {}
        for watched in ((True, False), (False, True))[i % 2]:
            took, cpu_s = runs.timed(watched, runs.long)
            short_s = runs.timed(watched, runs.short)[1]
            ms[watched] += took
            here[watched] = statistics.median(took)
            cpu_ms[watched].append(1e3 * (cpu_s - short_s) / (runs.long - runs.short))
        ratios.append(here[True] / here[False])
    on, off = statistics.median(ms[True]), statistics.median(ms[False])
    cpu_on, cpu_off = statistics.median(cpu_ms[True]), statistics.median(cpu_ms[False])
    return {"step_ms": on, "step_ms_off": off, "ratio": on / off, "ratio_of_rounds": statistics.median(ratios),
            "added_us": 1e3 * (on - off), "cpu_ms": cpu_on, "cpu_ms_off": cpu_off, "cpu_added_us": 1e3 * (cpu_on - cpu_off)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--size", choices=SIZES, default="tiny")
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    os.environ["OMPI_MCA_btl"] = "self"
    runs = Runs(args.build.resolve(), args.size)
    try:
        found = measure(runs, args.rounds)
    finally:
        runs.close()
    found = {k: round(v, 4) for k, v in found.items()}
    print(json.dumps({"bench": "overhead", "size": args.size, "rounds": args.rounds, **found}))


main()
