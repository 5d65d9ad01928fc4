#!/usr/bin/env python3
"""Adapters on the command line: trained, exported in PEFT's format, merged; and PEFT itself reads the files, where a
Python with it is at hand (PEFT_PYTHON, or this one). adapter.py FOLDER_OF_PROGRAMS"""
import json
import os
import struct
import subprocess
import sys
import unittest

from small_run import BIN, SmallRun

PEFT = r'''
import json, struct, sys
import torch, torch.nn as nn
from peft import PeftModel

def tensors(path):
    raw = open(path, "rb").read()
    n = struct.unpack("<Q", raw[:8])[0]
    head = json.loads(raw[8:8 + n])
    return {k: torch.frombuffer(bytearray(raw[8 + n + v["data_offsets"][0]:8 + n + v["data_offsets"][1]]), dtype=torch.float32)
            .reshape(v["shape"]) for k, v in head.items() if k != "__metadata__"}

class Tree(nn.Module):
    def forward(self, x):
        return x

def build(weights):
    """The model as modules with the names of its tensors."""
    root = Tree()
    for name, w in weights.items():
        *path, module, kind = name.split(".") if name.endswith((".weight", ".bias")) else [*name.split("."), None]
        at = root
        for part in path:
            if not hasattr(at, part):
                at.add_module(part, Tree())
            at = getattr(at, part)
        if kind is None:
            at.register_parameter(module, nn.Parameter(w.clone()))
        elif kind == "weight" and w.ndim == 2:
            linear = nn.Embedding(*w.shape) if module in ("branch", "token", "before") else \
                nn.Linear(w.shape[1], w.shape[0], bias=name[:-6] + "bias" in weights)
            linear.weight.data.copy_(w)
            at.add_module(module, linear)
        elif kind == "weight":
            norm = Tree()
            norm.register_parameter("weight", nn.Parameter(w.clone()))
            at.add_module(module, norm)
        else:
            getattr(at, module).bias.data.copy_(w)
    return root

base, adapter, merged = sys.argv[1:]
want = tensors(merged)
model = PeftModel.from_pretrained(build(tensors(base)), adapter)
got = model.merge_and_unload().state_dict()
worst = max(float((got[k] - w).abs().max()) for k, w in want.items())
assert set(got) == set(want), set(got) ^ set(want)
assert worst < 1e-6, worst
print(f"PEFT: {len(want)} tensors, off by {worst:.1e}")
'''


def tensors(path):
    raw = path.read_bytes()
    n = struct.unpack("<Q", raw[:8])[0]
    head = json.loads(raw[8:8 + n])
    meta = head.pop("__metadata__")
    values = {k: struct.unpack(f"<{(v['data_offsets'][1] - v['data_offsets'][0]) // 4}f",
                               raw[8 + n + v["data_offsets"][0]:8 + n + v["data_offsets"][1]]) for k, v in head.items()}
    return values, {k: v["shape"] for k, v in head.items()}, meta


class Adapter(SmallRun):
    def orrery(self, *words, code=0):
        done = subprocess.run([str(w) for w in (BIN / "orrery", *words)], capture_output=True, text=True)
        self.assertEqual(done.returncode, code, done.stderr)
        return done.stderr

    def test_files(self):
        short = ("model.done_weight=1", "train.steps=6", "optim.lr_peak=0.02", "optim.warmup_steps=0", "optim.decay_steps=0")
        subprocess.run(self.command("base", *short), check=True)
        said = subprocess.run(self.command("tuned", *short, f"train.init_from={self.root / 'base'}", "train.lora_rank=2",
                                           "train.lora_alpha=3", "train.lora_targets=[q, o, down]"),
                              check=True, capture_output=True, text=True).stderr
        self.assertIn("an adapter of", said)
        for words in (("base", "--ema", "--out", "base.st"), ("tuned", "--ema", "--merge", "--out", "merged.st"),
                      ("tuned", "--ema", "--adapter", "--out", "adapter")):
            self.orrery("ckpt", "export", self.root / words[0], *(w if w.startswith("--") else self.root / w for w in words[1:]),
                        *(("--dtype", "f32") if words[-1] != "adapter" else ()))
        config = json.loads((self.root / "adapter" / "adapter_config.json").read_text())
        self.assertEqual(config["modules_to_save"], ["embed.action", "embed.branch", "heads.done"])
        self.assertEqual((config["peft_type"], config["r"], config["lora_alpha"], config["target_modules"]),
                         ("LORA", 2, 3.0, ["q", "o", "down"]))
        base, shapes, _ = tensors(self.root / "base.st")
        merged, again, _ = tensors(self.root / "merged.st")
        adapter, _, meta = tensors(self.root / "adapter" / "adapter_model.safetensors")
        self.assertEqual(shapes, again)
        self.assertEqual(len(meta["orrery.base_hash"]), 32)
        pairs = {k[len("base_model.model."):-len(".lora_A.weight")] for k in adapter if k.endswith(".lora_A.weight")}
        self.assertTrue(pairs and all(p.split(".")[-1] in ("q", "o", "down") for p in pairs))
        for name, values in merged.items():
            stem = name[:-len(".weight")]
            if stem in pairs:
                a, b = (adapter[f"base_model.model.{stem}.lora_{x}.weight"] for x in "AB")
                rows, columns = shapes[name]
                for i in range(0, rows * columns, 7):  # W + 3/2 B A
                    r, c = divmod(i, columns)
                    want = base[name][i] + 1.5 * sum(b[r * 2 + k] * a[k * columns + c] for k in range(2))
                    self.assertAlmostEqual(values[i], want, delta=1e-6)
            elif f"base_model.model.{name}" in adapter:
                self.assertEqual(values, adapter[f"base_model.model.{name}"])
            else:
                self.assertEqual(values, base[name])
        self.assertIn("--adapter exports that alone", self.orrery("ckpt", "export", self.root / "tuned", "--out", self.root / "x", code=1))
        self.assertIn("trained all weights", self.orrery("ckpt", "export", self.root / "base", "--adapter", "--out", self.root / "x", code=1))
        self.peft()

    def peft(self):
        python = os.environ.get("PEFT_PYTHON", sys.executable)
        if subprocess.run([python, "-c", "import peft"], capture_output=True).returncode != 0:
            print("skipped: PEFT does not read the files here, for there is no PEFT", file=sys.stderr)
            return
        done = subprocess.run([python, "-c", PEFT, *(str(self.root / x) for x in ("base.st", "adapter", "merged.st"))],
                              capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        print(done.stdout, end="", file=sys.stderr)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
