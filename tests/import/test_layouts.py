"""HDF5 layouts of other programs, whose datasets are found or named with --map; pictures in every form that people
store; columns of many episodes; rewards, ends and success beside the actions."""
import glob
import io
import os
import shutil
import struct
import zlib

import h5py
import numpy as np

import scene
from program import ImportTest, ffmpeg, main, run
from test_hdf5 import jpegs, write_act


def png(picture):
    """A PNG of [h,w,3] or [h,w]."""
    h, w = picture.shape[:2]
    chunk = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    rows = b"".join(b"\0" + row.tobytes() for row in picture)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", w, h, 8, 2 if picture.ndim == 3 else 0, 0, 0, 0))
            + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def strings(pictures):
    return np.array([bytes(p) for p in pictures])


class Pictures(ImportTest):
    def imported_as(self, data, *words, **extra):
        path = self.path("in", "episode_0.hdf5")
        write_act(path, self.a)
        with h5py.File(path, "a") as f:
            del f["observations/images/top"]
            f["observations/images"].create_dataset("top", data=data, **extra)
        return self.imported(path, *words, verify=False)[0][0][0]

    def test_every_form_gives_the_same_frames(self):
        self.a = scene.actions(10)
        frames = scene.frames(self.a)
        packed, opaque = jpegs(frames), strings(map(png, frames))
        sequences = np.empty(10, object)
        sequences[:] = [np.frombuffer(png(f), "u1") for f in frames]
        exact = {
            "planes": frames.transpose(0, 3, 1, 2),
            "rgba": np.concatenate([frames, np.full_like(frames[..., :1], 7)], 3),
            "float 0 to 1": frames.astype("f4") / 255,
            "float 0 to 255": frames.astype("f8"),
            "half, planes": (frames.astype("f4") / 255).astype("f2").transpose(0, 3, 1, 2),
            "int64": frames.astype("i8"),
            "PNG in strings": strings(map(png, frames)),
            "PNG in opaque values": opaque.astype(f"V{opaque.dtype.itemsize}"),
        }
        for form, data in exact.items():
            got = self.imported_as(data)
            np.testing.assert_allclose(got.astype("i4"), frames, atol=1 if "half" in form else 0, err_msg=form)
        np.testing.assert_array_equal(self.imported_as(sequences, dtype=h5py.vlen_dtype(np.dtype("u1"))), frames)
        grey = frames[..., 0]
        for data in (grey, grey[..., None], grey[:, None], strings(map(png, grey)), grey.astype("f4") / 255):
            got = self.imported_as(data, "--camera", "top")
            np.testing.assert_array_equal(got, np.repeat(grey[..., None], 3, 3))
        lossy = self.imported_as(strings(packed))  # JPEGs, padded with zeros as numpy does
        self.assertGreater(scene.psnr(lossy, frames), 55)
        np.testing.assert_array_equal(self.imported_as(frames * 2.0 / 255 - 1, "--pixel-range", "-1:1"), frames)

    def test_values_that_are_no_pixels_are_named(self):
        self.a = scene.actions(10)
        frames = scene.frames(self.a).astype("f4")
        for data, words in ((frames / 127.5 - 1, ("from -", "to 0.7", "--pixel-range")), (frames * 256, ("--pixel-range",)),
                            (np.where(frames == 64, np.nan, frames), ("no numbers",)), (np.zeros((10, 48, 64, 2), "f4"), ("float32 [10,48,64,2]",)),
                            (np.zeros(10, [("a", "f4"), ("b", "f4")]), ("compound", "[10]"))):
            write_act(self.path("in", "episode_0.hdf5"), self.a)
            with h5py.File(self.path("in", "episode_0.hdf5"), "a") as f:
                del f["observations/images/top"]
                f["observations/images/top"] = data
            message = self.refused(self.path("in"), "--camera", "top")
            for word in ("episode_0.hdf5", *words):
                self.assertIn(word, message)

    def test_a_dark_start_does_not_make_floats_bright(self):
        """The range of pixels is decided over all recordings: a first one in the dark says nothing."""
        self.a = scene.actions(10)
        for e, scale in enumerate((0.0, 1.0)):
            write_act(self.path("in", f"episode_{e}.hdf5"), self.a)
            with h5py.File(self.path("in", f"episode_{e}.hdf5"), "a") as f:
                del f["observations/images/top"]
                f["observations/images/top"] = scene.frames(self.a).astype("f4") * scale
        got, _ = self.imported(self.path("in"))
        self.assertFalse(got[0][0].any())
        np.testing.assert_array_equal(got[1][0], scene.frames(self.a))

    def test_only_the_cameras_asked_for_are_opened(self):
        a = scene.actions(12)
        path = self.path("in", "episode_0.hdf5")
        write_act(path, a, cameras=("top", "wrist", "side"))
        with h5py.File(path, "a") as f:
            del f["observations/images/wrist"], f["observations/images/side"]
            f["observations/images/wrist"] = scene.frames(a)[:9]
            f["observations/images/side"] = h5py.ExternalLink("gone.h5", "/x")
            f["observations/images/depth"] = np.zeros((12, 48, 64), "u2")
        (frames, _), = self.imported(self.path("in"), "--camera", "top")[0]
        np.testing.assert_array_equal(frames, scene.frames(a))
        for camera, words in (("wrist", ("9 frames", "12 actions")), ("side", ("gone.h5",)), ("top,wrist", ("12", "9 frames"))):
            for word in words:
                self.assertIn(word, self.refused(self.path("in"), "--camera", camera))
        message = self.refused(self.path("in"))
        for word in ("top", "wrist", "side", "--camera"):
            self.assertIn(word, message)
        self.assertNotIn("depth", message)


class Layouts(ImportTest):
    def same(self, got, sources, width=None):
        self.assertEqual(len(got), len(sources))
        for (frames, actions), a in zip(got, sources):
            np.testing.assert_array_equal(frames, scene.frames(a))
            np.testing.assert_allclose(actions[:-1], a[: len(frames) - 1, :width], atol=1e-6)
            self.assertEqual(scene.misaligned(frames, actions), [])

    def shards(self, out):
        """The datasets of all shards, one after the other."""
        parts = []
        for path in sorted(glob.glob(os.path.join(out, "shard-*.h5"))):
            with h5py.File(path) as f:
                parts.append({name: f[name][...] for name in f})
        return {name: np.concatenate([p[name] for p in parts]) for name in parts[0] if name != "episode_offsets"}

    def outcome(self, *words):
        out = self.path("outcome")
        run("import", *words, "--out", out)
        run("verify", out)
        facts = run("inspect", out).stdout
        return self.shards(out), self.index(out), facts

    def maniskill(self):
        self.sources = [scene.actions(n, 7, seed=n) for n in (21, 31)]
        with h5py.File(self.path("trajectory.rgb.pd_ee_delta_pose.h5"), "w") as f:
            for k, a in enumerate(self.sources):
                g = f.create_group(f"traj_{k}")
                n = len(a) - 1  # one observation more than actions
                g["actions"] = a[:n]
                g["obs/sensor_data/base_camera/rgb"] = scene.frames(a)
                g["obs/sensor_data/base_camera/depth"] = np.zeros((n + 1, 48, 64, 1), "i2")
                g["obs/agent/qpos"] = np.zeros((n + 1, 9))
                g["env_states/actors/cube"] = np.zeros((n + 1, 13))
                g["terminated"] = np.arange(n) == n - 1
                g["truncated"] = np.zeros(n, "?")
                g["success"] = (np.arange(n) > n - 4) if k else np.zeros(n, "?")
                g["rewards"] = np.linspace(0, 1, n, dtype="f4")
        return self.path("trajectory.rgb.pd_ee_delta_pose.h5")

    def test_maniskill(self):
        path = self.maniskill()
        got, attributes = self.imported(path)
        self.same(got, self.sources)
        self.assertEqual(attributes["fps"], 20)
        data, index, facts = self.outcome(path)
        self.assertEqual((index["reward"], index["done"], index["success"]), (True, True, True))
        np.testing.assert_array_equal(data["success"], [0, 1])
        np.testing.assert_array_equal(np.flatnonzero(data["done"]), [19, 21 + 29])
        np.testing.assert_allclose(data["reward"][:20], np.linspace(0, 1, 20), atol=1e-6)
        self.assertEqual(data["reward"][20], 0)  # the last frame was followed by nothing
        shard = self.path("outcome", "shard-00000.h5")
        for name, bad, said in (("done", 2, "/done[5] is 2"), ("success", 3, "/success[1] is 3"), ("reward", np.nan, "/reward[5,0]")):
            with h5py.File(shard, "r+") as f:
                row = 1 if name == "success" else 5
                good = f[name][row]
                f[name][row] = bad
            self.assertIn(said, run("verify", self.path("outcome"), ok=False).stderr)
            with h5py.File(shard, "r+") as f:
                f[name][row] = good
        for word in ("reward", "0 to 1", "done", "2 frames", "success", "1 of 2 episodes"):
            self.assertIn(word, facts)

    def test_robotwin_and_minari(self):
        a = scene.actions(20, 14)
        os.mkdir(self.path("data"))
        for e in range(2):
            with h5py.File(self.path("data", f"episode{e}.hdf5"), "w") as f:
                f["joint_action/vector"] = a.astype("f8")
                f["joint_action/left_arm"] = a[:, :6].astype("f8")
                f["observation/head_camera/rgb"] = strings(map(png, scene.frames(a)))
                f["observation/head_camera/intrinsic_cv"] = np.zeros((20, 3, 3))
                f["observation/left_camera/rgb"] = strings(map(png, scene.frames(a, first=100)))
                f.attrs["take"] = e  # or the second one would be a copy of the first
        got, _ = self.imported(self.path("data"), "--source-fps", "15", "--camera", "head_camera")
        self.same(got, [a, a])
        self.assertIn("--source-fps", self.refused(self.path("data"), "--camera", "head_camera"))
        with h5py.File(self.path("main_data.hdf5"), "w") as f:
            for k in range(3):
                g = f.create_group(f"episode_{k}")
                g.attrs["total_steps"] = 19
                g["observations"] = scene.frames(a)
                g["actions"] = a[:19]
                g["rewards"] = np.full(19, k + 1.0)
                g["terminations"] = np.arange(19) == 18
                g["truncations"] = np.zeros(19, "?")
        self.same(self.imported(self.path("main_data.hdf5"), "--source-fps", "15")[0], [a] * 3)
        data, index, _ = self.outcome(self.path("main_data.hdf5"), "--source-fps", "15", "--fps", "5")
        np.testing.assert_array_equal(data["reward"][:7], [3, 3, 3, 3, 3, 3, 1])  # summed over left out frames

    def test_films_in_hdf5(self):
        """PhyWorld: every element is a film."""
        a = scene.actions(20)
        ffmpeg(scene.frames(a), self.path("films", "a.mp4"), "-c:v", "libx264rgb", "-crf", "0", fps=10)
        with open(self.path("films", "a.mp4"), "rb") as f:
            film = np.frombuffer(f.read(), "u1")
        with h5py.File(self.path("eval.hdf5"), "w") as f:
            for k in range(3):
                f.create_dataset(f"video_streams/{k:05}", (1 + k % 2,), h5py.vlen_dtype(np.dtype("u1")))[:] = [film] * (1 + k % 2)
            f["position_streams/00000"] = np.zeros((20, 2))
        got, attributes = self.imported(self.path("eval.hdf5"))
        self.assertEqual((len(got), attributes["fps"]), (4, 10))
        for frames, actions in got:
            np.testing.assert_array_equal(frames, scene.frames(a))
            self.assertEqual(actions.shape, (20, 0))
        with h5py.File(self.path("eval.hdf5"), "a") as f:
            f["video_streams/00001"][1] = film[: len(film) // 2]
        self.assertIn("video_streams/00001[1]", self.refused(self.path("eval.hdf5")))

    def test_map_names_the_datasets_of_any_layout(self):
        path = self.maniskill()
        rgb = "obs/sensor_data/base_camera/rgb"
        for words in ((f"frames={rgb},actions=actions,episodes=traj_*",), (f"frames=traj_*/{rgb},actions=traj_*/actions",),
                      ("frames=obs/sensor_data/*/rgb", "actions=actions", "episodes=/traj_*")):
            options = [word for w in words for word in ("--map", w)]
            self.same(self.imported(path, *options, "--source-fps", "10")[0], self.sources)
        message = self.refused(path, "--map", "frames=obs/rgb,actions=actions,episodes=traj_*", "--source-fps", "10")
        for word in ("traj_0", "obs/rgb", "sensor_data"):
            self.assertIn(word, message)
        self.assertIn("no group demo_*", self.refused(path, "--map", "frames=x,actions=y,episodes=demo_*", "--source-fps", "10"))
        self.assertIn("frames, actions, episodes", self.refused(path, "--map", "pictures=x", code=2))
        self.assertIn("twice", self.refused(path, "--map", "frames=x,actions=y", "--actions", "z", code=2))
        data, index, _ = self.outcome(path, "--map", f"frames={rgb},actions=actions,episodes=traj_*,done=truncated", "--source-fps", "10")
        self.assertFalse(data["done"].any())
        self.assertNotIn("reward", index)
        self.assertIn("traj_0/gone", self.refused(path, "--map", f"frames={rgb},actions=actions,episodes=traj_*,reward=gone", "--source-fps", "10"))

    def test_rewards_of_robomimic(self):
        a = scene.actions(16, 7)
        with h5py.File(self.path("demo.hdf5"), "w") as f:
            f.create_group("data").attrs["env_args"] = '{"env_kwargs": {"control_freq": 20}}'
            for k in range(2):
                f[f"data/demo_{k}/actions"] = a
                f[f"data/demo_{k}/obs/agentview_image"] = scene.frames(a)
                f[f"data/demo_{k}/rewards"] = np.arange(16.0)
                f[f"data/demo_{k}/dones"] = (np.arange(16) == 15).astype("i8")
        data, index, _ = self.outcome(self.path("demo.hdf5"), "--fps", "5")
        np.testing.assert_array_equal(data["reward"][:4], [6, 22, 38, 54])
        np.testing.assert_array_equal(data["done"], [0, 0, 0, 1] * 2)
        self.assertNotIn("success", index)
        with h5py.File(self.path("demo.hdf5"), "a") as f:
            del f["data/demo_1/rewards"]
        out = self.path("some")
        self.assertIn("1 of 2 recordings have a reward", run("import", self.path("demo.hdf5"), "--out", out).stderr)
        self.assertNotIn("reward", self.index(out))


class Columns(ImportTest):
    LENGTHS = [12, 8, 15]

    def write(self, **columns):
        self.a = [scene.actions(n, seed=n) for n in self.LENGTHS]
        with h5py.File(self.path("d.h5"), "w") as f:
            f["pixels"] = np.concatenate([scene.frames(a) for a in self.a])
            f["action"] = np.concatenate(self.a)
            for name, values in columns.items():
                f[name] = values

    def lengths(self, *words):
        return [len(frames) for frames, _ in self.imported(self.path("d.h5"), "--source-fps", "10", *words, verify=False)[0]]

    def test_what_stands_beside_them_cuts_columns(self):
        rows = np.arange(35)
        last, first = np.isin(rows, [11, 19, 34]), np.isin(rows, [0, 12, 20])
        index = np.repeat([3, 0, 7], self.LENGTHS)
        step = np.concatenate([np.arange(n) for n in self.LENGTHS])
        for columns in (
            {"terminated": last & (rows < 15), "truncated": last & (rows > 15)}, {"terminals": last.astype("f4"), "timeouts": np.zeros(35, "?")},
            {"done": last.astype("u1")}, {"dones": last[:, None]}, {"is_last": last}, {"is_first": first}, {"episode_idx": index},
            {"episode_index": index.astype("f8"), "done": np.ones(35, "?")}, {"episode_id": index}, {"step_idx": step}, {"timestep": step},
            {"ep_len": [12, 8, 15], "ep_offset": [0, 12, 20]}, {"ep_len": [12, 8, 15]}, {"episode_ends": [12, 20, 35]},
            {"episode_starts": [0, 12, 20]}, {"is_first": first, "is_last": np.zeros(35, "?")},
        ):
            self.write(**columns)
            self.assertEqual(self.lengths(), self.LENGTHS, columns.keys())

    def test_with_nothing_to_cut_by_it_is_said(self):
        for columns in ({}, {"terminated": np.zeros(35, "?")}, {"truncated": np.zeros(34, "?")}):
            self.write(**columns)
            out = self.path("out" + str(len(columns)) + str(len(columns.get("truncated", []))))
            done = run("import", self.path("d.h5"), "--out", out, "--source-fps", "10")
            self.assertIn("nothing beside the pictures says where an episode ends", done.stderr)
            self.assertEqual(self.index(out)["episodes"], 1)
        self.assertNotIn("nothing beside", run("import", self.path("d.h5"), "--out", self.path("none"), "--source-fps", "10",
                                               "--map", "cut=none").stderr)

    def test_cut_names_what_does(self):
        rows = np.arange(35)
        for values in (np.isin(rows, [11, 19, 34]), np.repeat([4, 5, 6], self.LENGTHS), np.array(self.LENGTHS), np.array([0, 12, 20]),
                       np.array([12, 20, 35]), np.concatenate([np.arange(n) for n in self.LENGTHS])):
            self.write(mine=values)
            self.assertEqual(self.lengths("--map", "cut=mine"), self.LENGTHS)
        self.write(mine=np.array([12, 8, 16]))
        self.assertIn("/mine", self.refused(self.path("d.h5"), "--source-fps", "10", "--map", "cut=mine"))
        self.assertIn("/gone", self.refused(self.path("d.h5"), "--source-fps", "10", "--map", "cut=gone"))

    def test_other_columns_with_map(self):
        self.write(terminals=np.isin(np.arange(35), [11, 19]), reward=np.arange(35.0))
        with h5py.File(self.path("d.h5"), "a") as f:
            f.move("pixels", "observations")
            f.move("action", "actions")
        got = self.imported(self.path("d.h5"), "--map", "frames=observations,actions=actions,reward=reward", "--source-fps", "10")[0]
        self.assertEqual([len(f) for f, _ in got], self.LENGTHS)
        for (frames, actions), a in zip(got, self.a):
            np.testing.assert_array_equal(frames, scene.frames(a))
            self.assertEqual(scene.misaligned(frames, actions), [])

    def test_an_act_file_of_several_episodes_is_cut_too(self):
        a = scene.actions(35)
        write_act(self.path("in", "episode_0.hdf5"), a)
        with h5py.File(self.path("in", "episode_0.hdf5"), "a") as f:
            f["observations/images/done"] = np.isin(np.arange(35), [11, 19])
        got, _ = self.imported(self.path("in"))
        self.assertEqual([len(f) for f, _ in got], self.LENGTHS)


class Bad(ImportTest):
    def test_all_bad_recordings_are_named_in_one_list(self):
        for e in range(6):
            a = scene.actions(20, seed=e)
            write_act(self.path("in", f"episode_{e}.hdf5"), a, a[:12] if e == 1 else None)
        with open(self.path("in", "episode_2.hdf5"), "w") as f:
            f.write("no HDF5")
        with h5py.File(self.path("in", "episode_4.hdf5"), "a") as f:
            del f["observations/images/top"]
        done = run("import", self.path("in"), "--out", self.path("out"), ok=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("3 of 6 recordings", done.stderr)
        for e in (1, 2, 4):
            self.assertIn(f"episode_{e}.hdf5", done.stderr)
        self.assertFalse(os.path.exists(self.path("out", "index.json")))
        run("import", self.path("in"), "--out", self.path("out"), "--skip-bad")
        run("verify", self.path("out"))
        self.assertEqual(self.index(self.path("out"))["episodes"], 3)

    def test_demos_without_steps_are_left_out(self):
        a = scene.actions(12, 7)
        with h5py.File(self.path("demo.hdf5"), "w") as f:
            f.create_group("data").attrs["env_args"] = "{}"
            for k, n in enumerate((12, 0, 12, 1)):
                f[f"data/demo_{k}/actions"] = a[:n]
                f[f"data/demo_{k}/obs/agentview_image"] = scene.frames(a)[:n]
            f.create_group("data/demo_4")
        out = self.path("out")
        done = run("import", self.path("demo.hdf5"), "--out", out)
        self.assertIn("3 episodes are shorter than 2 frames", done.stderr)
        self.assertEqual(self.index(out)["episodes"], 2)

    def test_each_file_is_imported_once(self):
        for seed, run_ in enumerate(("run1", "run2")):
            write_act(self.path("in", run_, "episode_0.hdf5"), scene.actions(12, seed=seed))
        os.symlink("run2", self.path("in", "latest"))
        os.symlink("run1/episode_0.hdf5", self.path("in", "best.hdf5"))
        out = self.path("out")
        run("import", self.path("in"), self.path("in", "run1"), "--out", out)
        self.assertEqual(self.index(out)["episodes"], 2)

    def test_copies_under_other_names_are_imported_once(self):
        """Else the same recording would be learned from and held out."""
        for e in range(6):
            write_act(self.path("in", f"episode_{e}.hdf5"), scene.actions(12, seed=e))
        shutil.copy(self.path("in", "episode_2.hdf5"), self.path("in", "take_9.hdf5"))
        shutil.copy(self.path("in", "episode_2.hdf5"), self.path("in", "zoom.hdf5"))
        os.link(self.path("in", "episode_3.hdf5"), self.path("in", "hard.hdf5"))
        done = run("import", self.path("in"), "--out", self.path("out"), "--validation", "0.5", "--seed", "2")
        self.assertIn("take_9.hdf5: byte for byte episode_2.hdf5; it is imported once (and 1 more like this)", done.stderr)
        names = [r["name"] for part in ("train", "validation") for r in self.index(self.path("out", part))["recordings"]]
        self.assertEqual(sorted(names), [f"in/episode_{e}.hdf5" for e in range(6)])

    def test_a_file_of_many_episodes_copied_is_imported_once(self):
        with h5py.File(self.path("demo.hdf5"), "w") as f:
            f.create_group("data").attrs["env_args"] = "{}"
            for k in range(3):
                a = scene.actions(12, seed=k // 2)  # demo_0 and demo_1 are equal, but no copies of a file
                f[f"data/demo_{k}/actions"] = a
                f[f"data/demo_{k}/obs/agentview_image"] = scene.frames(a)
        shutil.copy(self.path("demo.hdf5"), self.path("again.hdf5"))
        done = run("import", self.path("again.hdf5"), self.path("demo.hdf5"), "--out", self.path("out"))
        self.assertIn("byte for byte", done.stderr)
        self.assertEqual(self.index(self.path("out"))["episodes"], 3)


if __name__ == "__main__":
    main()
