"""`orrery data import` from a test, and what it wrote as h5py sees it."""
import glob
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

import h5py

# Every import syncs its files: in memory that takes no time.
SCRATCH = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
ORRERY = os.environ.get("ORRERY", "")


def run(*words, ok=True):
    done = subprocess.run([ORRERY, "data", *map(str, words)], capture_output=True, text=True, timeout=600)
    if ok and done.returncode != 0:
        raise AssertionError(f"orrery data {' '.join(map(str, words))}: {done.stderr}")
    return done


def episodes(folder):
    """[(frames, actions)] of a data set, in order, and the attributes of its first shard."""
    out, attributes = [], None
    for path in sorted(glob.glob(os.path.join(folder, "shard-*.h5"))):
        with h5py.File(path, "r") as f:
            attributes = attributes or dict(f.attrs)
            offsets = f["episode_offsets"][...]
            frames, actions = f["frames"][...], f["actions"][...]
            out += [(frames[a:b], actions[a:b]) for a, b in zip(offsets[:-1], offsets[1:])]
    return out, attributes


def ffmpeg(frames, path, *options, fps=20):
    """Encodes frames [n,h,w,3]."""
    n, h, w, _ = frames.shape
    os.makedirs(os.path.dirname(path), exist_ok=True)
    command = ["ffmpeg", "-v", "error", "-y", "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{w}x{h}", "-r", str(fps),
               "-i", "-", *options, path]
    subprocess.run(command, input=frames.tobytes(), check=True, timeout=600)


def content(folder):
    """Every file below a folder with its bytes."""
    found = {}
    for at, _, names in os.walk(folder):
        for name in names:
            with open(os.path.join(at, name), "rb") as f:
                found[os.path.relpath(os.path.join(at, name), folder)] = f.read()
    return found


class ImportTest(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="orrery-import-", dir=SCRATCH)
        self.addCleanup(shutil.rmtree, self.dir, True)

    def path(self, *parts):
        return os.path.join(self.dir, *parts)

    def imported(self, *words, verify=True):
        """Imports into a fresh folder; (episodes, attributes)."""
        out = tempfile.mkdtemp(dir=self.dir)
        run("import", *words, "--out", out)
        if verify:
            run("verify", out)
        return episodes(out)

    def refused(self, *words, code=1):
        """The message of an import that must fail, in one line."""
        out = tempfile.mkdtemp(dir=self.dir)
        done = run("import", *words, "--out", out, ok=False)
        self.assertEqual(done.returncode, code, done.stderr)
        lines = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
        self.assertEqual(len(lines), 1, done.stderr)
        self.assertFalse(glob.glob(os.path.join(out, "*.json")) or glob.glob(os.path.join(out, "*.h5")))
        return lines[0]

    def index(self, folder):
        with open(os.path.join(folder, "index.json")) as f:
            return json.load(f)


def main():
    if not ORRERY:
        sys.exit("set ORRERY to the program's path")
    unittest.main(verbosity=2)
