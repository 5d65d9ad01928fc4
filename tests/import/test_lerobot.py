"""LeRobot's data sets as they are: Parquet beside videos, an episode a file (2.1) or several (3.0)."""
import os
import subprocess
import sys

try:
    import pyarrow  # noqa: F401
except ImportError as e:
    print(f"skipped: pyarrow is not there ({e}); ./run puts it into build/python")
    sys.exit(77)

import h5py
import numpy as np

import lerobot
import scene
from program import ImportTest, main, run

TOP, WRIST = "observation.images.top", "observation.images.wrist"


def pngs(frames):
    """Each frame as a PNG of its own, by ffmpeg."""
    n, h, w, _ = frames.shape
    raw = subprocess.run(["ffmpeg", "-v", "error", "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{w}x{h}", "-i", "-", "-c:v", "png",
                          "-f", "image2pipe", "-"], input=np.ascontiguousarray(frames).tobytes(), capture_output=True, check=True).stdout
    return [b"\x89PNG" + part for part in raw.split(b"\x89PNG")[1:]]


class LeRobot(ImportTest):
    def check(self, got, actions):
        for (frames, imported), a in zip(got, actions, strict=True):
            np.testing.assert_array_equal(imported, a)
            self.assertEqual(scene.misaligned(frames, imported), [])
            self.assertEqual(scene.numbers(frames), list(range(len(a))))

    def setUp(self):
        super().setUp()
        self.actions = [scene.actions(18 + 7 * e, seed=e) for e in range(5)]

    def test_version_2(self):
        lerobot.write_v21(self.path("set"), self.actions, [TOP, WRIST])
        message = self.refused(self.path("set"))
        for word in (TOP, WRIST, "--camera"):
            self.assertIn(word, message)
        for name in (TOP, "top"):  # as its feature, or as what follows the last dot
            got, attributes = self.imported(self.path("set"), "--camera", name)
            self.check(got, self.actions)
        self.assertEqual(attributes["fps"], 20)
        self.assertEqual(list(attributes["action_names"]), [b"shoulder", b"gripper"])
        both, _ = self.imported(self.path("set"), "--camera", "top,wrist")
        self.assertEqual(both[0][0].shape[1:], (48, 128, 3))
        np.testing.assert_array_equal(both[0][0][:, :, :64], got[0][0])
        self.assertIn("--camera", self.refused(self.path("set"), "--camera", "front"))

    def test_version_3(self):
        lerobot.write_v30(self.path("set"), self.actions, [TOP, WRIST])
        got, attributes = self.imported(self.path("set"), "--camera", "top")
        self.check(got, self.actions)
        self.assertEqual(list(attributes["action_names"]), [b"shoulder", b"gripper"])
        slow, _ = self.imported(self.path("set"), "--camera", "top", "--fps", "5", "--processes", "2")
        for (frames, _), a in zip(slow, self.actions, strict=True):
            self.assertEqual(scene.numbers(frames), list(range(0, len(a), 4)))
        out = self.path("out")
        run("import", self.path("set"), "--camera", "top", "--out", out, "--validation", "0.4")
        self.assertEqual(self.index(os.path.join(out, "train"))["import"]["format"], "lerobot")
        alone, _ = self.imported(self.path("set"), "--camera", "top", "--no-actions")
        self.assertEqual([a.shape for _, a in alone], [(len(a), 0) for a in self.actions])

    def test_pictures_in_the_tables(self):
        lerobot.write_v21(self.path("set"), self.actions[:2], [TOP], images=pngs)
        got, _ = self.imported(self.path("set"))
        self.check(got, self.actions[:2])
        np.testing.assert_array_equal(got[1][0], scene.frames(self.actions[1]))

    def test_damage_is_named(self):
        lerobot.write_v30(self.path("set"), self.actions, [TOP])
        film = self.path("set", "videos", TOP, "chunk-000", "file-001.mp4")
        os.rename(film, film + ".away")
        message = run("import", self.path("set"), "--out", self.path("o"), ok=False).stderr
        for word in ("2 of 5 recordings", "file-001.mp4", "--skip-bad"):
            self.assertIn(word, message)
        run("import", self.path("set"), "--skip-bad", "--out", self.path("skipped"))
        self.assertEqual(self.index(self.path("skipped"))["episodes"], 3)
        os.rename(film + ".away", film)
        data = self.path("set", "data", "chunk-000", "file-000.parquet")
        with open(data, "rb") as f:
            good = f.read()
        with open(data, "wb") as f:
            f.write(good[: len(good) // 2])
        self.assertIn("file-000.parquet: no Parquet file", run("import", self.path("set"), "--out", self.path("o"), ok=False).stderr)
        info = self.path("set", "meta", "info.json")
        with open(info) as f:
            text = f.read()
        with open(info, "w") as f:
            f.write(text.replace("v3.0", "v1.6"))
        self.assertIn("v1.6", self.refused(self.path("set")))

    def test_a_parquet_table_beside_a_video(self):
        a = self.actions[0]
        lerobot.ffmpeg(scene.frames(a), self.path("in", "run.mp4"), *lerobot.FINE, fps=20)
        lerobot.write(self.path("in", "run.parquet"), lerobot.table(a, 0, 0), compression="zstd")
        self.check(self.imported(self.path("in"))[0], [a])
        self.check(self.imported(self.path("in"), "--align", "time")[0], [a])
        self.assertIn("observation.state", self.refused(self.path("in"), "--actions", "dx"))


if __name__ == "__main__":
    main()
