"""Interrupted imports go on: whatever the moment of the kill and the number of processes, the folder ends
with the same bytes."""
import os
import signal
import subprocess
import time

import h5py

import scene
from program import ORRERY, ImportTest, content, main, run
from test_hdf5 import write_act

EPISODES = 12


class Resume(ImportTest):
    def setUp(self):
        super().setUp()
        for e in range(EPISODES):
            write_act(self.path("in", f"episode_{e}.hdf5"), scene.actions(40, seed=e))
        self.options = ("--shard-frames", "80", "--validation", "0.3", "--size", "240x320", "--action-range", "auto")
        run("import", self.path("in"), "--out", self.path("whole"), *self.options, "--processes", "1")
        self.whole = content(self.path("whole"))
        self.assertGreater(len(self.whole), 6)  # shards of two parts and their indexes; nothing else is left
        self.assertFalse([name for name in self.whole if not name.endswith((".h5", "index.json"))])

    def start(self, out, *extra):
        return subprocess.Popen([ORRERY, "data", "import", self.path("in"), "--out", out, *self.options, *extra],
                                stderr=subprocess.DEVNULL, start_new_session=True)

    def shards(self, out):
        return sum(len([n for n in names if n.endswith(".h5")]) for _, _, names in os.walk(out))

    def test_killed_imports_end_with_the_same_bytes(self):
        """Killed when the first shard, the second, ... is there, each time by SIGKILL to all its processes."""
        out, kills = self.path("killed"), 0
        for shards in (0, 1, 2, 3, 4):
            process = self.start(out, "--processes", str(1 + shards % 3))
            while process.poll() is None and self.shards(out) < shards:
                time.sleep(0.001)
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                kills += 1
            process.wait()
        self.assertGreaterEqual(kills, 3)
        self.assertNotEqual(content(out), self.whole)  # not finished yet
        run("import", self.path("in"), "--out", out, *self.options, "--processes", "2")
        self.assertEqual(content(out), self.whole)
        run("verify", os.path.join(out, "train"))
        run("verify", os.path.join(out, "validation"))

    def test_finished_imports_are_left_alone(self):
        out = self.path("whole")
        before = {name: os.stat(os.path.join(out, name)).st_mtime_ns for name in self.whole}
        done = run("import", self.path("in"), "--out", out, *self.options)
        self.assertIn("there already", done.stderr)
        self.assertEqual({name: os.stat(os.path.join(out, name)).st_mtime_ns for name in self.whole}, before)

    def test_another_import_is_refused(self):
        out = self.path("whole")
        done = run("import", self.path("in"), "--out", out, *self.options, "--action-shift", "1", ok=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("imported with other options", done.stderr)
        process = self.start(self.path("begun"))
        while process.poll() is None and not os.path.exists(self.path("begun", "import.json")):
            time.sleep(0.001)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        done = run("import", self.path("in"), "--out", self.path("begun"), ok=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("another import was begun here", done.stderr)
        self.assertEqual(content(out), self.whole)

    def test_a_failing_import_goes_on_when_the_source_is_mended(self):
        path, out = self.path("in", "episode_5.hdf5"), self.path("mended")
        write_act(path, scene.actions(40, seed=5), packed="padded")
        with open(path, "rb") as f:
            good = f.read()
        with h5py.File(path, "a") as f:
            f["observations/images/top"][20, 100:] = 0
        self.assertEqual(run("import", self.path("in"), "--out", out, *self.options, ok=False).returncode, 1)
        with open(path, "wb") as f:
            f.write(good)
        run("import", self.path("in"), "--out", out, *self.options)
        run("verify", os.path.join(out, "train"))


if __name__ == "__main__":
    main()
