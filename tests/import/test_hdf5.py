"""Recordings in HDF5, laid out as their makers write them: what is imported equals the source."""
import os
import subprocess
import tempfile

import h5py
import numpy as np

import scene
from program import ImportTest, main, run


def jpegs(frames):
    """Each frame as a JPEG of its own, by ffmpeg."""
    n, h, w, _ = frames.shape
    raw = subprocess.run(["ffmpeg", "-v", "error", "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{w}x{h}", "-i", "-",
                          "-c:v", "mjpeg", "-pix_fmt", "yuvj444p", "-q:v", "2", "-f", "image2pipe", "-"],
                         input=frames.tobytes(), capture_output=True, check=True).stdout
    parts = raw.split(b"\xff\xd8\xff")[1:]
    assert len(parts) == n
    return [np.frombuffer(b"\xff\xd8\xff" + p, "u1") for p in parts]


def write_act(path, a, recorded=None, cameras=("top",), packed=None, chunks=True, **extra):
    """As ACT's record_sim_episodes.py and ACT++'s compress_data.py lay an episode out."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    n = len(a)
    with h5py.File(path, "w") as f:
        f.attrs["sim"] = True
        f.attrs["compress"] = packed is not None
        f["action"] = (a if recorded is None else recorded).astype("f8")
        f["observations/qpos"] = np.zeros((n, 14))
        f["observations/qvel"] = np.zeros((n, 14))
        images = f.create_group("observations/images")
        for c, name in enumerate(cameras):
            pictures = scene.frames(a, first=100 * c)
            if packed is None:
                images.create_dataset(name, data=pictures, chunks=(1,) + pictures.shape[1:] if chunks else None, **extra)
                continue
            rows = jpegs(pictures)
            if packed == "padded":
                padded = np.zeros((n, max(map(len, rows))), "u1")
                for row, p in zip(rows, padded):
                    p[: len(row)] = row
                images[name] = padded
            else:
                d = images.create_dataset(name, (n,), h5py.vlen_dtype(np.dtype("u1")))
                for t, row in enumerate(rows):
                    d[t] = row
            f.require_dataset("compress_len", (len(cameras), n), "f4")[c] = [len(r) for r in rows]


class Act(ImportTest):
    def test_frames_and_actions_equal_the_source(self):
        source = []
        for e in (0, 1, 10, 2):  # natural order: 10 comes last
            a = scene.actions(20 + e, 14, seed=e)
            write_act(self.path("aloha", f"episode_{e}.hdf5"), a)
            source.append((e, a))
        got, attributes = self.imported(self.path("aloha"))
        self.assertEqual(len(got), 4)
        for (frames, actions), (_, a) in zip(got, sorted(source)):
            np.testing.assert_array_equal(frames, scene.frames(a))
            np.testing.assert_array_equal(actions, a)
            self.assertEqual(scene.misaligned(frames, actions), [])
        self.assertEqual(attributes["fps"], 50)
        self.assertEqual(attributes["action_names"][13], b"action_13")

    def test_packings_of_hdf5_make_no_difference(self):
        a = scene.actions(20)
        for i, extra in enumerate(({"compression": "gzip"}, {"compression": "lzf"}, {"chunks": False})):
            write_act(self.path(str(i), "episode_0.hdf5"), a, **extra)
            got, _ = self.imported(self.path(str(i)))
            np.testing.assert_array_equal(got[0][0], scene.frames(a))

    def test_jpegs_are_decoded(self):
        a = scene.actions(20)
        for packed in ("padded", "sequence"):
            write_act(self.path(packed, "episode_0.hdf5"), a, packed=packed)
            (frames, actions), = self.imported(self.path(packed))[0]
            # fine JPEGs with whole colour planes: measured 60 dB
            self.assertGreater(scene.psnr(frames, scene.frames(a)), 55)
            self.assertEqual(scene.misaligned(frames, actions), [])

    def test_action_shift_mends_actions_recorded_with_the_frame_they_led_to(self):
        a = scene.actions(30)
        for shift in (1, 2, -1):
            recorded = np.roll(a, shift, axis=0)
            write_act(self.path(f"s{shift}", "episode_0.hdf5"), a, recorded)
            (frames, actions), = self.imported(self.path(f"s{shift}"))[0]
            self.assertNotEqual(scene.misaligned(frames, actions), [])  # the check sees what is wrong
            (frames, actions), = self.imported(self.path(f"s{shift}"), "--action-shift", shift)[0]
            self.assertEqual(scene.misaligned(frames, actions), [])
            # frames whose action was not recorded are left out: at the end, or the first one
            self.assertEqual(scene.numbers(frames), list(range(max(0, -shift), 30 - max(0, shift - 1))))

    def test_cameras_are_chosen_and_tiled(self):
        a = scene.actions(12)
        write_act(self.path("in", "episode_0.hdf5"), a, cameras=("top", "left_wrist", "depth_like"))
        message = self.refused(self.path("in"))
        for word in ("--camera", "top", "left_wrist", "depth_like"):
            self.assertIn(word, message)
        for number, name in enumerate(("top", "left_wrist", "depth_like")):  # as they were written
            got, _ = self.imported(self.path("in"), "--camera", name)
            self.assertEqual(scene.numbers(got[0][0])[0], 100 * number)
        both, _ = self.imported(self.path("in"), "--camera", "left_wrist,top")
        self.assertEqual(both[0][0].shape[1:], (scene.HEIGHT, 2 * scene.WIDTH, 3))
        grid, _ = self.imported(self.path("in"), "--camera", "left_wrist,top,depth_like", "--tile", "2x2", "--size", "96x128")
        one = {name: self.imported(self.path("in"), "--camera", name)[0][0][0] for name in ("top", "left_wrist", "depth_like")}
        np.testing.assert_array_equal(grid[0][0][:, :48, :64], one["left_wrist"])
        np.testing.assert_array_equal(grid[0][0][:, :48, 64:], one["top"])
        np.testing.assert_array_equal(grid[0][0][:, 48:, :64], one["depth_like"])
        self.assertFalse(grid[0][0][:, 48:, 64:].any())

    def test_several_datasets_of_actions_lie_side_by_side(self):
        a = scene.actions(10)
        write_act(self.path("in", "episode_0.hdf5"), a)
        with h5py.File(self.path("in", "episode_0.hdf5"), "a") as f:
            f["base_action"] = a[:, 0] * 2
        (_, actions), = self.imported(self.path("in"), "--actions", "/action,/base_action")[0]
        np.testing.assert_array_equal(actions, np.c_[a, a[:, 0] * 2])


class Robomimic(ImportTest):
    def write(self, demos=4, control=None):
        self.a = [scene.actions(15 + k, 7, seed=k) for k in range(demos)]
        with h5py.File(self.path("demo.hdf5"), "w") as f:
            data = f.create_group("data")
            data.attrs["env_args"] = '{"env_name": "Lift", "env_kwargs": {"control_freq": 10}}'
            data.attrs["total"] = sum(map(len, self.a))
            for k, a in enumerate(self.a):
                demo = data.create_group(f"demo_{k}")
                demo.attrs["num_samples"] = len(a)
                demo["actions"] = a.astype("f8")
                demo["states"] = np.zeros((len(a), 32))
                demo["obs/agentview_image"] = scene.frames(a)
                demo["obs/robot0_eye_in_hand_image"] = scene.frames(a)[:, :, ::-1]
                demo["obs/robot0_eef_pos"] = np.zeros((len(a), 3))
            f["mask/valid"] = np.array([b"demo_3", b"demo_1"])
            f["mask/train"] = np.array(["demo_0", "demo_2"], dtype=h5py.string_dtype())

    def test_demos_and_filter_keys(self):
        self.write()
        got, attributes = self.imported(self.path("demo.hdf5"), "--camera", "agentview_image")
        self.assertEqual(attributes["fps"], 10)
        for (frames, actions), a in zip(got, self.a, strict=True):
            np.testing.assert_array_equal(frames, scene.frames(a))
            np.testing.assert_array_equal(actions, a)
            self.assertEqual(scene.misaligned(frames, actions), [])
        for key, wanted in (("valid", (1, 3)), ("train", (0, 2))):
            got, _ = self.imported(self.path("demo.hdf5"), "--camera", "agentview_image", "--mask", key)
            self.assertEqual([len(a) for _, a in got], [15 + k for k in wanted])
        message = self.refused(self.path("demo.hdf5"), "--camera", "agentview_image", "--mask", "test")
        self.assertIn("/mask/test", message)
        self.assertIn("train, valid", message)


class Csgo(ImportTest):
    def test_frames_are_blue_first_and_actions_have_names(self):
        rng = np.random.default_rng(0)
        a = rng.integers(0, 2, (40, 51)).astype("f8")
        frames = scene.frames(a)
        with h5py.File(self.path("hdf5_dm_july2021_1.hdf5"), "w") as f:
            for i in range(len(a)):
                f[f"frame_{i}_x"] = frames[i, :, :, ::-1]
                f[f"frame_{i}_y"] = a[i]
                f[f"frame_{i}_xaux"] = np.zeros(54)
                f[f"frame_{i}_helperarr"] = np.zeros(2)
        (got, actions), = self.imported(self.path("hdf5_dm_july2021_1.hdf5"))[0]
        np.testing.assert_array_equal(got, frames)
        np.testing.assert_array_equal(actions, a)
        self.assertEqual(scene.misaligned(got, actions), [])
        attributes = self.imported(self.path("hdf5_dm_july2021_1.hdf5"))[1]
        self.assertEqual(attributes["fps"], 16)
        names = [n.decode() for n in attributes["action_names"]]
        self.assertEqual((names[0], names[12], names[13], names[50]), ("key_w", "click_right", "mouse_x-1000", "mouse_y+200"))


class Flat(ImportTest):
    def write(self, planes=False):
        lengths = [12, 30, 17]
        self.a = [scene.actions(n, seed=n) for n in lengths]
        pixels = np.concatenate([scene.frames(a) for a in self.a])
        actions = np.concatenate(self.a)
        actions[np.cumsum(lengths) - 1] = np.nan  # the action that leads nowhere, as such files have it
        with h5py.File(self.path("flat.h5"), "w") as f:
            f["pixels"] = pixels.transpose(0, 3, 1, 2) if planes else pixels
            f["action"] = actions
            f["reward"] = np.zeros(len(actions))
            f["terminated"] = np.zeros(len(actions), "?")
            f["ep_len"] = np.array(lengths, "i4")
            f["ep_offset"] = np.array([0, 12, 42], "i8")

    def test_columns_are_cut_into_episodes(self):
        for planes in (False, True):
            self.write(planes)
            got, _ = self.imported(self.path("flat.h5"), "--source-fps", "10")
            for (frames, actions), a in zip(got, self.a, strict=True):
                np.testing.assert_array_equal(frames, scene.frames(a))
                np.testing.assert_array_equal(actions[:-1], a[:-1])
                np.testing.assert_array_equal(actions[-1], 0)
        self.assertIn("--source-fps", self.refused(self.path("flat.h5")))

    def test_lengths_beyond_the_columns_are_named(self):
        self.write()
        with h5py.File(self.path("flat.h5"), "a") as f:
            f["ep_len"][2] = 18
        message = self.refused(self.path("flat.h5"), "--source-fps", "10")
        for word in ("episode 2", "/ep_offset 42", "/ep_len 18", "59 rows"):
            self.assertIn(word, message)


class Options(ImportTest):
    def setUp(self):
        super().setUp()
        self.a = scene.actions(60)
        write_act(self.path("in", "episode_0.hdf5"), self.a)

    def test_lower_frame_rates_merge_actions(self):
        source = scene.frames(self.a)
        for how, merge in (("last", lambda x: x[-1]), ("first", lambda x: x[0]), ("sum", lambda x: x.sum(0)),
                           ("mean", lambda x: x.mean(0)), ("max", lambda x: x.max(0))):
            (frames, actions), = self.imported(self.path("in"), "--fps", "10", "--merge", how)[0]
            np.testing.assert_array_equal(frames, source[::5])
            np.testing.assert_allclose(actions[:-1], [merge(self.a[t : t + 5]) for t in range(0, 55, 5)], atol=1e-6)
        (_, actions), = self.imported(self.path("in"), "--fps", "10", "--merge", "sum,last")[0]
        np.testing.assert_allclose(actions[0], [self.a[:5, 0].sum(), self.a[4, 1]], atol=1e-6)
        (frames, actions), = self.imported(self.path("in"), "--fps", "10")[0]
        self.assertEqual(scene.misaligned(frames, actions), [])  # the last one leads to the next kept frame

    def test_rates_that_do_not_divide_keep_the_nearest_frames(self):
        (frames, actions), = self.imported(self.path("in"), "--fps", "20")[0]
        kept = [int(np.floor(k * 2.5 + 0.5)) for k in range(24)]
        self.assertEqual(scene.numbers(frames), kept)
        np.testing.assert_array_equal(actions[:-1], self.a[np.array(kept[1:]) - 1])
        self.assertIn("--source-fps", self.refused(self.path("in"), "--fps", "60"))

    def test_resizing_and_cutting(self):
        (frames, actions), = self.imported(self.path("in"), "--size", "24x32")[0]
        source = scene.frames(self.a).astype("f8")
        area = source.reshape(60, 24, 2, 32, 2, 3).mean((2, 4))
        self.assertLessEqual(np.abs(frames - area).max(), 0.51)  # rounding to bytes
        (frames, _), = self.imported(self.path("in"), "--crop", "10x20+3+5")[0]
        np.testing.assert_array_equal(frames, source[:, 3:13, 5:25])
        (frames, _), = self.imported(self.path("in"), "--crop", "centre", "--size", "48")[0]
        np.testing.assert_array_equal(frames, source[:, :, 8:56])
        message = self.refused(self.path("in"), "--crop", "40x20+10+0")
        for word in ("--crop 40x20+10+0", "48 x 64", "top"):
            self.assertIn(word, message)

    def test_ranges_map_to_one(self):
        (_, actions), = self.imported(self.path("in"), "--action-range", "-2:2,-1:3")[0]
        np.testing.assert_allclose(actions, np.c_[self.a[:, 0] / 2, (self.a[:, 1] - 1) / 2], atol=1e-6)
        out = self.path("auto")
        run("import", self.path("in"), "--out", out, "--action-range", "auto", "--action-names", "left,right")
        low, high = self.index(out)["import"]["ranges"][0]
        self.assertEqual((low, high), (self.a[:-1, 0].min(), self.a[:-1, 0].max()))
        self.assertEqual(self.index(out)["action_names"], ["left", "right"])
        message = self.refused(self.path("in"), "--action-range", "-0.5:0.5")
        self.assertIn("widen", message)

    def test_validation_episodes_stay_so(self):
        for e in range(1, 30):
            write_act(self.path("in", f"episode_{e}.hdf5"), scene.actions(5 + e))
        sides = []
        for extra in ((), (), ("--seed", "7")):
            out = tempfile.mkdtemp(dir=self.dir)
            run("import", self.path("in"), "--out", out, "--validation", "0.2", *extra)
            lengths = {part: {n for n, c in self.index(os.path.join(out, part))["shards"][0]["lengths"]}
                       for part in ("train", "validation")}
            self.assertFalse(lengths["train"] & lengths["validation"])
            self.assertEqual(len(lengths["train"]) + len(lengths["validation"]), 30)
            sides.append(lengths["validation"])
        self.assertEqual(sides[0], sides[1])
        self.assertNotEqual(sides[0], sides[2])
        # another episode moves no other
        write_act(self.path("in", "episode_99.hdf5"), scene.actions(99))
        out = tempfile.mkdtemp(dir=self.dir)
        run("import", self.path("in"), "--out", out, "--validation", "0.2")
        now = {n for n, c in self.index(os.path.join(out, "validation"))["shards"][0]["lengths"]}
        self.assertEqual(now - {99}, sides[0])


class BadInput(ImportTest):
    def names(self, message, *words):
        for word in words:
            self.assertIn(word, message)

    def test_recordings_that_do_not_fit_are_named(self):
        a = scene.actions(20)
        one, two = self.path("in", "episode_0.hdf5"), self.path("in", "episode_1.hdf5")
        write_act(one, a)
        write_act(two, np.c_[a, a[:, 0]])
        self.names(self.refused(self.path("in")), "episode_1.hdf5", "3 components", "2 in episode_0.hdf5")
        write_act(two, a)
        with h5py.File(two, "a") as f:
            del f["observations/images/top"]
            f["observations/images/top"] = scene.frames(a, 96, 128)
        self.names(self.refused(self.path("in")), "episode_1.hdf5", "96 x 128", "48 x 64", "episode_0.hdf5", "--size")
        self.imported(self.path("in"), "--size", "24")
        write_act(two, a, a[:15])
        message = self.refused(self.path("in"))
        self.names(message, "episode_1.hdf5", "20 frames", "15 actions", "--action-fps")
        self.assertNotIn("--slack", message)  # five rows of twenty are no tail
        write_act(two, a, a[:18])
        self.names(self.refused(self.path("in")), "20 frames", "18 actions", "--slack 2")
        write_act(two, a, a[:15])
        got, _ = self.imported(self.path("in"), "--slack", "5")
        self.assertEqual([len(f) for f, _ in got], [20, 16])
        bad = a.copy()
        bad[7, 1] = np.nan
        write_act(two, a, bad)
        self.names(self.refused(self.path("in")), two, "row 7", "component 1", "nan")

    def test_missing_datasets_are_named_with_what_is_there(self):
        path = self.path("in", "episode_0.hdf5")
        a = scene.actions(20)
        write_act(path, a)
        with h5py.File(path, "a") as f:
            f.move("action", "actions")
        self.names(self.refused(path), path, "action", "there is: actions", "observations")
        self.imported(path, "--actions", "actions")
        self.names(self.refused(path, "--actions", "actions", "--camera", "front"), "no camera front", "top")
        with h5py.File(path, "a") as f:
            del f["observations/images"]
        self.names(self.refused(path), path, "holds actions, observations", "/observations/images")

    def test_foreign_and_cut_files_are_named(self):
        path = self.path("in", "episode_0.hdf5")
        write_act(path, scene.actions(20))
        with open(path, "r+b") as f:
            f.truncate(os.path.getsize(path) // 2)
        self.names(self.refused(path), path, "truncated")
        with open(self.path("x.h5"), "w") as f:
            f.write("no HDF5")
        self.names(self.refused(self.path("x.h5")), "x.h5", "no HDF5 file")
        self.names(self.refused(self.path("nothing")), "nothing", "no such file")
        os.mkdir(self.path("empty"))
        self.names(self.refused(self.path("empty")), "no HDF5 file", "video")

    def test_short_episodes_are_left_out(self):
        write_act(self.path("in", "episode_0.hdf5"), scene.actions(20))
        write_act(self.path("in", "episode_1.hdf5"), scene.actions(9))
        out = self.path("out")
        done = run("import", self.path("in"), "--out", out, "--min-frames", "10")
        self.names(done.stderr, "1 episodes are shorter than 10 frames")
        self.assertEqual(self.index(out)["episodes"], 1)
        self.names(self.refused(self.path("in"), "--min-frames", "21"), "shorter than 21 frames", "--min-frames")

    def test_a_damaged_picture_is_named(self):
        path = self.path("in", "episode_0.hdf5")
        write_act(path, scene.actions(20), packed="padded")
        with h5py.File(path, "a") as f:
            f["observations/images/top"][13, 200:] = 0
        out = self.path("out")
        done = run("import", path, "--out", out, ok=False)
        self.assertEqual(done.returncode, 1)
        self.names(done.stderr, path, "/observations/images/top[13]", "JPEG")


if __name__ == "__main__":
    main()
