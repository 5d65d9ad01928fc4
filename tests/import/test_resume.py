"""Interrupted imports go on: whatever the moment of the kill and the number of processes, the folder ends
with the same bytes."""
import fcntl
import glob
import os
import shutil
import signal
import subprocess
import time

import h5py
import numpy as np

import scene
from program import ORRERY, ImportTest, content, episodes, main, run
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


class Folder(ImportTest):
    """What happens to a folder that is written again, or by two."""

    def day(self, name, *episodes):
        for e in episodes:
            write_act(self.path(name, f"episode_{e}.hdf5"), scene.actions(20 + e, seed=e))
        return self.path(name)

    def held(self, *words):
        """An import into DIR/out while somebody else holds its lock."""
        os.makedirs(self.path("out"), exist_ok=True)
        with open(self.path("out", ".orrery-lock"), "w") as f:
            fcntl.flock(f, fcntl.LOCK_EX)
            f.write("orrery data import, process 4711 on elsewhere")
            f.flush()
            return run(*words, ok=False)

    def names(self, *parts):
        return [r["name"] for r in self.index(self.path("out", *parts))["recordings"]]

    def test_a_folder_is_written_by_one_process_at_a_time(self):
        self.day("in", 0)
        for words in (("import", self.path("in"), "--out", self.path("out")), ("generate", "--out", self.path("out"), "--episodes", "1"),
                      ("verify", self.path("out"), "--index")):
            done = self.held(*words)
            self.assertEqual(done.returncode, 1)
            if "no simulator" not in done.stderr:
                self.assertIn("process 4711 on elsewhere", done.stderr)
        self.assertEqual(os.listdir(self.path("out")), [".orrery-lock"])
        run("import", self.path("in"), "--out", self.path("out"))  # a lock that nobody holds is none
        self.assertEqual(sorted(os.listdir(self.path("out"))), ["index.json", "shard-00000.h5"])

    def test_two_imports_at_once_leave_a_whole_data_set(self):
        self.day("a", *range(8))
        self.day("b", *range(10, 14))
        both = [subprocess.Popen([ORRERY, "data", "import", self.path(x), "--out", self.path("out"), "--shard-frames", "30"],
                                 stderr=subprocess.PIPE, text=True) for x in "ab"]
        done = [(p.wait(), p.stderr.read()) for p in both if p.wait() is not None]
        for code, words in done:
            self.assertTrue(code == 0 or "is being written by another process" in words, words)
        self.assertIn(0, [code for code, _ in done])
        run("verify", self.path("out"))
        for p in both:
            p.stderr.close()

    def test_imported_again_a_folder_gets_what_is_new(self):
        run("import", self.day("monday", 0, 1, 2), "--out", self.path("out"), "--action-range", "-2:2")
        before = content(self.path("out"))
        done = run("import", self.path("monday"), "--out", self.path("out"), "--action-range", "-2:2")
        self.assertIn("there already", done.stderr)
        self.assertEqual(content(self.path("out")), before)
        done = run("import", self.day("tuesday", 0, 5), self.path("monday"), "--out", self.path("out"), "--action-range", "-2:2")
        self.assertIn("1 episodes were added", done.stderr)  # tuesday's episode_0 is the same recording
        write_act(self.path("wednesday", "episode_0.hdf5"), scene.actions(31, seed=77))
        done = run("import", self.path("wednesday"), "--out", self.path("out"), "--action-range", "auto")
        run("verify", self.path("out"))
        self.assertEqual(self.names(), ["monday/episode_0.hdf5", "monday/episode_1.hdf5", "monday/episode_2.hdf5",
                                        "tuesday/episode_5.hdf5", "wednesday/episode_0.hdf5"])
        self.assertEqual(content(self.path("out"))["shard-00000.h5"], before["shard-00000.h5"])
        got, _ = episodes(self.path("out"))
        np.testing.assert_allclose(got[4][1], scene.actions(31, seed=77) / 2, atol=1e-6)  # in the folder's ranges
        facts = run("inspect", self.path("out")).stdout
        for word in ("recordings 5", "episode 3      tuesday/episode_5.hdf5"):
            self.assertIn(word, facts)
        # what does not fit is refused, and nothing is written
        write_act(self.path("three", "episode_0.hdf5"), scene.actions(20, 3))
        before = content(self.path("out"))
        for words, said in (((self.path("three"),), "action width is 3, but 2"), ((self.path("monday"), "--action-shift", "1"), "other options"),
                            ((self.path("monday"), "--validation", "0.5"), "without a validation part")):
            done = run("import", *words, "--out", self.path("out"), ok=False)
            self.assertEqual(done.returncode, 1)
            self.assertIn(said, done.stderr)
            self.assertEqual(content(self.path("out")), before)

    def test_a_copy_of_what_is_there_is_left_out_in_a_later_call(self):
        run("import", self.day("a", 0, 1, 2), "--out", self.path("out"))
        before = content(self.path("out"))
        os.mkdir(self.path("b"))
        shutil.copy(self.path("a", "episode_1.hdf5"), self.path("b", "renamed.hdf5"))
        done = run("import", self.path("b"), "--out", self.path("out"))
        self.assertIn("renamed.hdf5: the same files as a/episode_1.hdf5", done.stderr)
        self.assertEqual(content(self.path("out")), before)
        # beside something new, which alone is added; what only begins alike is new
        shutil.copy(self.path("a", "episode_2.hdf5"), self.path("b", "other.hdf5"))
        with h5py.File(self.path("b", "other.hdf5"), "a") as f:
            f["observations/images/top"][10] = 7
        run("import", self.path("b"), "--out", self.path("out"))
        self.assertEqual(self.names()[3:], ["b/other.hdf5"])

    def test_added_recordings_keep_the_others_on_their_side(self):
        split = ("--validation", "0.4", "--seed", "3", "--out", self.path("out"))
        run("import", self.day("a", *range(8)), *split)
        before = self.names("train"), self.names("validation")
        self.assertEqual(self.index(self.path("out", "train"))["held_out"], before[1])
        run("import", self.day("b", *range(20, 30)), *split)
        for part, names in zip(("train", "validation"), before):
            run("verify", self.path("out", part))
            self.assertEqual(self.names(part)[: len(names)], names)
            self.assertGreater(len(self.names(part)), len(names))
        self.assertEqual(self.index(self.path("out", "train"))["held_out"], self.names("validation"))
        self.assertIn("held out  " + str(len(self.names("validation"))), run("inspect", self.path("out", "train")).stdout)
        done = run("import", self.path("b"), "--validation", "0.3", "--out", self.path("out"), ok=False)
        self.assertIn("--validation 0.4 --seed 3", done.stderr)

    def test_a_growing_file_gives_its_new_demos(self):
        def write(demos):
            with h5py.File(self.path("demo.hdf5"), "w") as f:
                f.create_group("data").attrs["env_args"] = "{}"
                for k in range(demos):
                    a = scene.actions(12, 7, seed=k)
                    f[f"data/demo_{k}/actions"] = a
                    f[f"data/demo_{k}/obs/agentview_image"] = scene.frames(a)
        for demos in (2, 3):
            write(demos)
            run("import", self.path("demo.hdf5"), "--out", self.path("out"))
            self.assertEqual(len(self.names()), demos)

    def test_names_need_not_be_text(self):
        write_act(self.path("in", "episode_0.hdf5"), scene.actions(20))
        os.rename(os.fsencode(self.path("in", "episode_0.hdf5")), os.fsencode(self.path("in")) + b"/\xe4.hdf5")
        run("import", self.path("in"), "--out", self.path("out"))
        self.assertEqual(self.names(), ["in/?.hdf5"])

    def test_an_interrupted_addition_goes_on(self):
        options = ("--validation", "0.4", "--shard-frames", "25")
        run("import", self.day("a", *range(6)), "--out", self.path("out"), *options)
        shutil.copytree(self.path("out"), self.path("whole"))
        self.day("b", *range(10, 18))
        run("import", self.path("b"), "--out", self.path("whole"), *options)
        for after in (0, 1, 3):
            process = subprocess.Popen([ORRERY, "data", "import", self.path("b"), "--out", self.path("out"), *options],
                                       stderr=subprocess.DEVNULL, start_new_session=True)
            count = lambda: sum(n.endswith(".h5") for _, _, names in os.walk(self.path("out")) for n in names)
            start = count()
            while process.poll() is None and count() < start + after:
                time.sleep(0.001)
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        run("import", self.path("b"), "--out", self.path("out"), *options)
        self.assertEqual({k: v for k, v in content(self.path("out")).items() if k != ".orrery-lock"}, content(self.path("whole")))

    def test_own_output_in_the_same_folder_is_passed_over(self):
        self.day("in", 0, 1)
        run("import", self.path("in"), "--out", self.path("in", "clips"))
        write_act(self.path("in", "episode_2.hdf5"), scene.actions(20, seed=9))
        run("import", self.path("in"), "--out", self.path("in", "clips"))
        self.assertEqual(self.index(self.path("in", "clips"))["episodes"], 3)
        run("import", self.path("in"), "--out", self.path("other"))  # another output lies among the recordings
        self.assertEqual(self.index(self.path("other"))["episodes"], 3)
        run("import", self.path("in"), "--out", self.path("in"))
        run("import", self.path("in"), "--out", self.path("in"))
        self.assertEqual(self.index(self.path("in"))["episodes"], 3)
        done = run("import", self.path("in", "clips"), "--out", self.path("again"), ok=False)
        self.assertIn("Orrery", done.stderr)


class SkipBad(ImportTest):
    def setUp(self):
        super().setUp()
        for e in range(6):
            write_act(self.path("in", f"episode_{e}.hdf5"), scene.actions(20, seed=e), packed="padded")
        for e in (1, 4):  # damaged in the middle: seen only when they are written
            with h5py.File(self.path("in", f"episode_{e}.hdf5"), "a") as f:
                f["observations/images/top"][10 + e, 100:] = 0

    def test_damaged_pictures_are_all_named(self):
        done = run("import", self.path("in"), "--out", self.path("out"), "--shard-frames", "50", ok=False)
        self.assertEqual(done.returncode, 1)
        for word in ("2 of 6 recordings", "episode_1.hdf5", "episode_4.hdf5", "top[11]", "top[14]", "--skip-bad"):
            self.assertIn(word, done.stderr)
        self.assertFalse(os.path.exists(self.path("out", "index.json")))

    def test_skipped_recordings_are_listed_in_the_output(self):
        with open(self.path("in", "episode_9.hdf5"), "w") as f:
            f.write("no HDF5")
        options = ("--skip-bad", "--shard-frames", "25", "--processes", "1")
        run("import", self.path("in"), "--out", self.path("out"), *options)
        run("verify", self.path("out"))
        index = self.index(self.path("out"))
        self.assertEqual([r["name"] for r in index["recordings"]], [f"in/episode_{e}.hdf5" for e in (0, 2, 3, 5)])
        self.assertEqual(sorted(os.path.basename(r["name"]) for r in index["skipped"]), [f"episode_{e}.hdf5" for e in (1, 4, 9)])
        self.assertIn("top[11]", str(index["skipped"]))
        got, _ = episodes(self.path("out"))
        for (frames, actions), e in zip(got, (0, 2, 3, 5), strict=True):
            np.testing.assert_array_equal(actions, scene.actions(20, seed=e))
        self.assertIn("skipped   3", run("inspect", self.path("out")).stdout)
        # the same after a kill at any moment
        for shards in (1, 2):
            process = subprocess.Popen([ORRERY, "data", "import", self.path("in"), "--out", self.path("killed"), *options],
                                       stderr=subprocess.DEVNULL, start_new_session=True)
            while process.poll() is None and len(glob.glob(self.path("killed", "*.h5"))) < shards:
                time.sleep(0.001)
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        run("import", self.path("in"), "--out", self.path("killed"), *options)
        self.assertEqual({k: v for k, v in content(self.path("killed")).items() if k != ".orrery-lock"}, content(self.path("out")))


if __name__ == "__main__":
    main()
