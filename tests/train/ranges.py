#!/usr/bin/env python3
"""A tool that listens by NVTX is told of every phase and collective as they begin and end: the ranges of
two ranks are the spans that the run itself wrote into its trace.

usage: ranges.py BIN_DIR [TOOL]   (TOOL: tests/cuda_host/real/ranges_tool.c as a shared library, if it was built)
"""
import json
import os
import subprocess
import sys
import unittest

from small_run import SmallRun

TOOL = sys.argv[2] if len(sys.argv) > 2 else ""
RANKS = 2


def told(path):
    """What a rank told the tool: (depth, name) in the order in which the ranges ended."""
    inside, ended = [], []
    for line in path.read_text().splitlines():
        what, *words = line.split("\t")
        if what == "+":
            inside.append(tuple(words))
        else:
            ended.append((len(inside) - 1, *inside.pop()))
    return ended


def traced(events, rank):
    """The same of the trace, whose spans stand in the order of their ends. Those in flight are no stays."""
    spans = [e for e in events if e["ph"] == "X" and e["pid"] == rank and e["tid"] == 0]
    found = []
    for i, e in enumerate(spans):
        depth = sum(later["ts"] <= e["ts"] for later in spans[i + 1:])
        if "args" in e:
            name, number = f"{e['args']['axis']} {e['name']}", str(e["args"]["elements"])
        else:
            word, _, behind = e["name"].rpartition(" ")
            name, number = (word, behind) if behind.isdigit() else (e["name"], "-")
        found.append((depth, name, number))
    return found


class Ranges(SmallRun):
    def test_the_ranges_are_the_spans_of_the_trace(self):
        env = dict(os.environ, NVTX_INJECTION64_PATH=TOOL, RANGES_OUT=str(self.root))
        command = self.command("run", "train.steps=4", "train.trace_steps=2-3", "dist.tp=2", "ckpt.every=3",
                               "optim.warmup_steps=1", "optim.decay_steps=1", "metrics.ranks_every=2")
        words = ["mpirun", "-n", str(RANKS), "-x", "NVTX_INJECTION64_PATH", "-x", "RANGES_OUT", *command]
        run = subprocess.run(words, env=env, capture_output=True, text=True, timeout=600, check=False)
        self.assertEqual(run.returncode, 0, run.stderr)
        events = json.loads((self.root / "run/trace/steps-2-3.json").read_text())["traceEvents"]
        for rank in range(RANKS):
            ranges, spans = told(self.root / str(rank)), traced(events, rank)
            self.assertEqual([r for r in ranges if r[1] == "step"], [(0, "step", str(n)) for n in (1, 2, 3, 4)])
            first = ranges.index((0, "step", "2")) - spans.index((0, "step", "2"))
            self.assertEqual(ranges[first:first + len(spans)], spans)
            names = {name for _, name, _ in spans}
            self.assertLessEqual({"data", "input", "forward", "loss and backward", "optimizer", "checkpoint",
                                  "tp all_reduce"}, names)
            self.assertGreater(max(depth for depth, _, _ in spans), 1)


if __name__ == "__main__":
    if not TOOL:
        print("skipped: built without the CUDA Toolkit, whose NVTX tells tools of ranges")
        sys.exit(77)
    unittest.main(argv=sys.argv[:1], verbosity=2)
