"""Videos with actions beside them: VPT's, LeRobot-like folders, plain CSV. Frames within what the codec
loses, actions exactly, each frame beside the action that led to it."""
import json
import os

import numpy as np

import scene
from program import ImportTest, ffmpeg, main, run

# Fine H.264 with whole colour planes: measured 57.5 dB on the scene.
FINE = ("-c:v", "libx264", "-crf", "6", "-pix_fmt", "yuv444p")
PSNR = 50


def write_csv(path, a, names=("action_0", "action_1")):
    with open(path, "w") as f:
        f.write("timestamp," + ",".join(names) + "\n")
        for t, row in enumerate(a):
            f.write(f"{t / 20}," + ",".join(map(repr, map(float, row))) + "\n")


def write_jsonl(path, rows):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as f:
        f.writelines(json.dumps(row) + "\n" for row in rows)


class Videos(ImportTest):
    def check(self, got, actions):
        for (frames, imported), a in zip(got, actions, strict=True):
            np.testing.assert_array_equal(imported, a)
            self.assertGreater(scene.psnr(frames, scene.frames(a)), PSNR)
            self.assertEqual(scene.misaligned(frames, imported), [])
            self.assertEqual(scene.numbers(frames), list(range(len(a))))

    def test_csv_beside_videos(self):
        actions = [scene.actions(30 + e, seed=e) for e in range(3)]
        for e, a in enumerate(actions):
            ffmpeg(scene.frames(a), self.path("in", f"run{e}.mp4"), *FINE, fps=20)
            write_csv(self.path("in", f"run{e}.csv"), a)
        got, attributes = self.imported(self.path("in"))
        self.check(got, actions)
        self.assertEqual(attributes["fps"], 20)
        self.assertEqual(list(attributes["action_names"]), [b"action_0", b"action_1"])

    def test_one_table_in_the_folder_of_its_video(self):
        actions = [scene.actions(20, seed=e) for e in range(2)]
        for e, a in enumerate(actions):
            ffmpeg(scene.frames(a), self.path("in", f"session{e}", "screen.mkv"), *FINE)
            write_csv(self.path("in", f"session{e}", "controls.csv"), a, ("dx", "dy"))
        message = self.refused(self.path("in"))
        for word in ("controls.csv", "--actions", "timestamp, dx, dy"):
            self.assertIn(word, message)
        self.check(self.imported(self.path("in"), "--actions", "dx,dy")[0], actions)
        got, _ = self.imported(self.path("in"), "--actions", "dy,dx")  # in the order that was asked for
        np.testing.assert_array_equal(got[0][1], actions[0][:, ::-1])

    def test_videos_that_are_named_bring_their_tables_along(self):
        actions = [scene.actions(12, seed=e) for e in range(3)]
        for e, a in enumerate(actions):
            ffmpeg(scene.frames(a), self.path("in", f"run{e}.mp4"), *FINE)
            write_csv(self.path("in", f"run{e}.csv"), a)
        self.check(self.imported(self.path("in", "run1.mp4"))[0], [actions[1]])
        self.check(self.imported(self.path("in", "run0.mp4"), self.path("in", "run0.csv"), self.path("in", "run2.mp4"))[0], actions[::2])
        os.chdir(self.path("in"))
        self.addCleanup(os.chdir, "/")
        self.check(self.imported("run2.mp4")[0], [actions[2]])
        for name in ("run0.mp4", "run0.csv", "run1.csv", "run2.mp4"):
            os.remove(name)
        os.rename("run2.csv", "other.csv")
        write_csv("other.csv", actions[1])
        self.check(self.imported("run1.mp4")[0], [actions[1]])

    def test_containers_and_codecs(self):
        a = scene.actions(25)
        for name, options in (("a.mp4", ("-c:v", "libx264", "-crf", "10", "-bf", "3", "-pix_fmt", "yuv420p")),
                              ("a.mkv", ("-c:v", "ffv1",)), ("a.avi", ("-c:v", "mjpeg", "-q:v", "2")),
                              ("a.webm", ("-c:v", "libvpx-vp9", "-crf", "10", "-b:v", "0", "-deadline", "realtime")),
                              ("a.mov", ("-c:v", "mpeg4", "-q:v", "2"))):
            folder = self.path(name.replace(".", "-"))
            ffmpeg(scene.frames(a), os.path.join(folder, name), *options)
            write_csv(os.path.join(folder, "a.csv"), a)
            (frames, actions), = self.imported(folder)[0]
            self.assertEqual(scene.misaligned(frames, actions), [], name)
            # half the colour resolution costs most, on the bars' ends: measured 32.5 dB (H.264, MPEG-4), 60 and more
            # for the others, no difference for the lossless FFV1
            self.assertGreater(scene.psnr(frames, scene.frames(a)), 30, name)
            if name == "a.mkv":
                np.testing.assert_array_equal(frames, scene.frames(a))

    def test_colours_follow_matrix_and_range(self):
        a = scene.actions(10)
        for name, options in (("bt709", ("-vf", "scale=out_color_matrix=bt709:out_range=tv", "-colorspace", "bt709", "-color_range", "tv")),
                              ("full", ("-vf", "scale=out_color_matrix=bt601:out_range=pc", "-colorspace", "smpte170m", "-color_range", "pc"))):
            ffmpeg(scene.frames(a), self.path(name, "a.mp4"), *options, *FINE)
            write_csv(self.path(name, "a.csv"), a)
            self.check(self.imported(self.path(name))[0], [a])

    def test_lerobot_like_folder(self):
        actions = [scene.actions(20 + e, seed=e) for e in range(12)]
        for e, a in enumerate(actions):
            for camera in ("observation.images.top", "observation.images.wrist"):
                pictures = scene.frames(a) if camera.endswith("top") else scene.frames(a)[:, ::-1]
                ffmpeg(pictures, self.path("set", "videos", "chunk-000", camera, f"episode_{e:06d}.mp4"), *FINE, fps=30)
            write_jsonl(self.path("set", "data", "chunk-000", f"episode_{e:06d}.jsonl"),
                        [{"action": row.tolist(), "observation.state": [0.0], "timestamp": t / 30, "frame_index": t, "episode_index": e}
                         for t, row in enumerate(a.astype("f8"))])
        os.mkdir(self.path("set", "meta"))
        with open(self.path("set", "meta", "info.json"), "w") as f:
            json.dump({"codebase_version": "v2.1", "fps": 30, "features": {"action": {"shape": [2], "names": {"motors": ["shoulder", "gripper"]}}}}, f)
        write_jsonl(self.path("set", "meta", "episodes.jsonl"), [{"episode_index": e} for e in range(12)])
        self.assertIn("observation.images.top, observation.images.wrist", self.refused(self.path("set")))
        got, attributes = self.imported(self.path("set"), "--camera", "observation.images.top")
        self.check(got, actions)
        self.assertEqual(attributes["fps"], 30)
        self.assertEqual(list(attributes["action_names"]), [b"shoulder", b"gripper"])

    def test_vpt(self):
        a = scene.actions(40)
        a[:, 1] = np.where(a[:, 1] > 0, 1, 0)  # a button is pressed or not

        def line(t):
            keys = ["key.keyboard.w"] if t % 3 == 0 else ["key.keyboard.left.shift", "key.keyboard.unknown"]
            return {"mouse": {"x": 640, "y": 360, "dx": float(a[t, 0]), "dy": -2.0, "buttons": [0] if a[t, 1] else [], "newButtons": []},
                    "keyboard": {"keys": keys, "newKeys": [], "chars": ""}, "isGuiOpen": False, "hotbar": 0, "tick": t}

        ffmpeg(scene.frames(np.c_[a[:, 0], a[:, 1]]), self.path("in", "cheeky-cornflower.mp4"), *FINE)
        write_jsonl(self.path("in", "cheeky-cornflower.jsonl"), map(line, range(40)))
        got, attributes = self.imported(self.path("in"))
        frames, actions = got[0]
        names = [n.decode() for n in attributes["action_names"]]
        column = lambda name: actions[:, names.index(name)]
        np.testing.assert_array_equal(column("camera_x"), a[:, 0])
        np.testing.assert_array_equal(column("camera_y"), -2)
        np.testing.assert_array_equal(column("attack"), a[:, 1])
        np.testing.assert_array_equal(column("forward"), np.arange(40) % 3 == 0)
        np.testing.assert_array_equal(column("sneak"), np.arange(40) % 3 != 0)
        self.assertFalse(column("hotbar_9").any())
        self.assertEqual(scene.misaligned(frames, np.c_[column("camera_x"), column("attack")]), [])
        (_, merged), = self.imported(self.path("in"), "--fps", "5")[0]  # movements add up, keys stay pressed
        np.testing.assert_allclose(merged[:-1, 0], a[:36, 0].reshape(9, 4).sum(1), atol=1e-6)
        np.testing.assert_array_equal(merged[:-1, names.index("attack")], a[:36, 1].reshape(9, 4).max(1))

    def test_action_shift(self):
        a = scene.actions(30)
        ffmpeg(scene.frames(a), self.path("in", "a.mp4"), *FINE)
        write_csv(self.path("in", "a.csv"), np.roll(a, 1, axis=0))
        (frames, actions), = self.imported(self.path("in"))[0]
        self.assertNotEqual(scene.misaligned(frames, actions), [])
        (frames, actions), = self.imported(self.path("in"), "--action-shift", "1")[0]
        self.assertEqual(scene.misaligned(frames, actions), [])
        np.testing.assert_array_equal(actions[:-1], a[:-1])


class BadInput(ImportTest):
    def names(self, message, *words):
        for word in words:
            self.assertIn(word, message)

    def setUp(self):
        super().setUp()
        self.a = scene.actions(30)
        self.video = self.path("in", "a.mp4")
        ffmpeg(scene.frames(self.a), self.video, *FINE)
        write_csv(self.path("in", "a.csv"), self.a)

    def test_video_and_actions_of_different_length(self):
        write_csv(self.path("in", "a.csv"), self.a[:20])
        self.names(self.refused(self.path("in")), "a.csv", "30 frames", "20 actions", "--slack 10")

    def test_tables_that_are_no_numbers(self):
        with open(self.path("in", "a.csv"), "a") as f:
            f.write("1.5,fast,0\n")
        self.names(self.refused(self.path("in")), "a.csv: line 32", "action_0", "fast")
        write_csv(self.path("in", "a.csv"), self.a)
        with open(self.path("in", "a.csv"), "a") as f:
            f.write("1.5,0\n")
        self.names(self.refused(self.path("in")), "a.csv: line 32", "2 cells", "wanted 3")
        a = self.a.copy()
        a[4, 1] = np.nan
        write_csv(self.path("in", "a.csv"), a)
        self.names(self.refused(self.path("in")), "a.csv", "row 4", "component 1 (action_1)", "nan")
        os.remove(self.path("in", "a.csv"))
        write_jsonl(self.path("in", "a.jsonl"), [{"action": [0, 1]}, {"action": [0]}])
        self.names(self.refused(self.path("in")), "a.jsonl: line 2", "action", "1 numbers", "wanted 2")
        write_jsonl(self.path("in", "a.jsonl"), [{"action": [0, 1], "episode_index": e} for e in (0, 0, 1)])
        self.names(self.refused(self.path("in")), "a.jsonl", "several episodes", "row 2", "meta/info.json")

    def test_a_video_without_a_table(self):
        os.remove(self.path("in", "a.csv"))
        self.names(self.refused(self.path("in")), "a.mp4", "a.csv", ".jsonl")
        with open(self.path("in", "a.parquet"), "w") as f:
            f.write("PAR1")
        self.names(self.refused(self.path("in")), "a.parquet", "no Parquet file")

    def test_damaged_videos(self):
        with open(self.video, "rb") as f:
            good = f.read()
        with open(self.video, "wb") as f:
            f.write(b"not a video at all")
        self.names(self.refused(self.path("in")), "a.mp4", "no video")
        with open(self.video, "wb") as f:
            f.write(good[: len(good) // 2])  # the index of an MP4 is at its end
        self.names(self.refused(self.path("in")), "a.mp4")
        bad, n = bytearray(good), len(good)
        bad[n // 3 : n // 2] = bytes(n // 2 - n // 3)
        with open(self.video, "wb") as f:
            f.write(bad)
        done = run("import", self.path("in"), "--out", self.path("out"), ok=False)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.names(done.stderr, "a.mp4", "frame", "damaged")

    def test_other_protocols_are_not_followed(self):
        for text in ("#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/x.ts\n", "ffconcat version 1.0\nfile /etc/passwd\n"):
            with open(self.video, "w") as f:
                f.write(text)
            self.names(self.refused(self.path("in")), "a.mp4", "no video")


if __name__ == "__main__":
    main()
