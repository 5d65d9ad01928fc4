"""The smallest world that one can act in: simulated clips, a tokenizer and a dynamics model of a few steps, in a
folder of its own for all test cases of a script, whose first word is the folder of the programs.

usage: small_world.py BIN_DIR    makes it in BIN_DIR/small_world, of which the scripts then take copies: a fixture of
                                 ctest. A script that is called by itself makes its own where that is missing or old.
"""
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

BIN = pathlib.Path(sys.argv[1])
READY = BIN / "small_world"
WHOLE = READY / "whole"  # made last
COMMON = """run: {dir: %s, threads: 1, precision: fp32, seed: 3}
train: {stage: %s, steps: 40, batch: 4}
optim: {lr_peak: 0.003, warmup_steps: 2, decay_steps: 10, ema_decay: 0.9}
ckpt: {every: 40, keep: 1}
"""
TOKENIZER = "patch: 8, rows: 4, cols: 4, levels: [5, 4]"


def orrery(*words):
    done = subprocess.run([BIN / "orrery", *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if "no simulator" in done.stdout:
        print("skipped: this build has no simulator")
        sys.exit(77)
    assert done.returncode == 0, done.stdout
    return done.stdout


def make(root):
    """Clips in root/clips, models in root/tokenizer and root/dynamics."""
    orrery("data", "generate", "--out", root / "clips", "--episodes", 5, "--episode-frames", 16, "--size", 32,
           "--processes", 1)
    (root / "tokenizer.yaml").write_text(COMMON % (root / "tokenizer", "tokenizer") + f"""
data: {{train: [{root}/clips], frames: 1}}
tokenizer: {{{TOKENIZER}, width: 32, heads: 4, kv_heads: 2, hidden: 48, layers: 1}}
""")
    orrery("train", root / "tokenizer.yaml")
    orrery("data", "tokenize", root / "clips", "--tokenizer", root / "tokenizer", "--out", root / "tokens")
    (root / "dynamics.yaml").write_text(COMMON % (root / "dynamics", "dynamics") + f"""
data: {{train: [{root}/tokens], frames: 6}}
tokenizer: {{checkpoint: {root}/tokenizer/ckpt, {TOKENIZER}}}
model: {{rows: 4, cols: 4, codes: 20, registers: 2, width: 32, heads: 4, kv_heads: 2, hidden: 40, layers: 2,
  time_every: 2, actions: 2, branches: [worlds]}}
eval: {{prompt: 2, steps: 2}}
""")
    orrery("train", root / "dynamics.yaml")


class SmallWorld(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="orrery-test-")
        cls.addClassCleanup(folder.cleanup)
        cls.root = pathlib.Path(folder.name)
        if WHOLE.exists() and WHOLE.stat().st_mtime > (BIN / "orrery").stat().st_mtime:
            shutil.copytree(READY, cls.root, dirs_exist_ok=True)
        else:
            make(cls.root)


if __name__ == "__main__":
    shutil.rmtree(READY, True)
    make(READY)
    WHOLE.touch()
