"""Videos as phones, screen recorders and other clocks make them: turned, with gaps, at other rates than their
actions; tables of time stamps; pictures without actions."""
import os
import subprocess

import numpy as np

import scene
from program import ImportTest, episodes, ffmpeg, main, run
from test_video import FINE, write_csv

# Nothing is lost on whole colour planes; conversion to RGB and back: measured 52 dB.
EXACT, PSNR = ("-c:v", "libx264", "-qp", "0", "-pix_fmt", "yuv444p"), 45


def shown(path, shape):
    """What a player shows of a video: ffmpeg obeys the display matrix."""
    raw = subprocess.run(["ffmpeg", "-v", "error", "-i", path, "-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", "rgb24", "-"],
                         capture_output=True, check=True, timeout=120).stdout
    return np.frombuffer(raw, "u1").reshape(-1, *shape, 3)


def set_matrix(path, a, b, c, d):
    """Writes a display matrix into the only track of an MP4."""
    with open(path, "rb") as f:
        data = bytearray(f.read())
    at = data.index(b"tkhd") + 4 + 40
    rows = (a, b, 0, c, d, 0, 0, 0, 1 << 30)
    data[at : at + 36] = np.array([v if i == 8 else v << 16 for i, v in enumerate(rows)], ">i4").tobytes()
    with open(path, "wb") as f:
        f.write(data)


def drop(frames, times, path, *options, scale=1000):
    """Encodes frames with times of their own, in seconds: a video with gaps."""
    n, h, w, _ = frames.shape
    os.makedirs(os.path.dirname(path), exist_ok=True)
    ticks = "+".join(f"eq(N,{i})*{round(t * scale)}" for i, t in enumerate(times))
    subprocess.run(["ffmpeg", "-v", "error", "-y", "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{w}x{h}", "-r", "20", "-i", "-",
                    "-vf", f"settb=1/{scale},setpts='{ticks}'", "-fps_mode", "passthrough", "-enc_time_base", f"1:{scale}", *options, path],
                   input=frames.tobytes(), check=True, timeout=120)


def write_times(path, times, actions, name="timestamp"):
    with open(path, "w") as f:
        f.write(f"{name},dx,dy\n")
        f.writelines(f"{t!r},{a!r},{b!r}\n" for t, (a, b) in zip(times, actions.tolist()))


def paired(frames, actions):
    """The share of steps whose next frame shows the action, over steps that show a new frame."""
    new = [t for t in range(1, len(frames)) if scene.read(frames[t])[0] != scene.read(frames[t - 1])[0]]
    wrong = {t for t, _, _ in scene.misaligned(frames, actions)}
    return 1 - len(wrong & set(new)) / len(new)


class Turned(ImportTest):
    def test_pictures_are_shown_as_the_container_says(self):
        a = scene.actions(8)
        for e, (name, matrix) in enumerate({"none": (1, 0, 0, 1), "90": (0, 1, -1, 0), "180": (-1, 0, 0, -1), "270": (0, -1, 1, 0),
                                            "h": (-1, 0, 0, 1), "v": (1, 0, 0, -1), "transposed": (0, 1, 1, 0), "other": (0, -1, -1, 0)}.items()):
            folder = self.path(name)
            ffmpeg(scene.frames(a), os.path.join(folder, "a.mp4"), *EXACT)
            set_matrix(os.path.join(folder, "a.mp4"), *matrix)
            write_csv(os.path.join(folder, "a.csv"), a)
            (frames, _), = self.imported(folder)[0]
            wanted = shown(os.path.join(folder, "a.mp4"), (64, 48) if matrix[0] == 0 else (48, 64))
            self.assertEqual(frames.shape, wanted.shape, name)
            self.assertGreater(scene.psnr(frames, wanted), PSNR, name)
        set_matrix(self.path("none", "a.mp4"), 1, 1, -1, 1)  # 45 degrees
        message = self.refused(self.path("none"))
        self.assertIn("45 degrees", message)

    def test_rotate_and_flip_turn_what_was_stored_wrongly(self):
        a = scene.actions(8)
        upright = scene.frames(a)
        for e, (options, wrong) in enumerate(((("--rotate", "90"), np.rot90(upright, 1, (1, 2))), (("--rotate", "180"), np.rot90(upright, 2, (1, 2))),
                                              (("--rotate", "270"), np.rot90(upright, 3, (1, 2))), (("--flip", "h"), upright[:, :, ::-1]),
                                              (("--flip", "v"), upright[:, ::-1]), (("--rotate", "90", "--flip", "v"), np.rot90(upright[:, ::-1], 1, (1, 2))))):
            ffmpeg(np.ascontiguousarray(wrong), self.path(str(e), "a.mp4"), *EXACT)
            write_csv(self.path(str(e), "a.csv"), a)
            (frames, actions), = self.imported(self.path(str(e)), *options)[0]
            self.assertEqual(scene.misaligned(frames, actions), [], options)
            self.assertGreater(scene.psnr(frames, upright), PSNR, options)
        self.assertIn("--rotate", run("import", self.path("0"), "--out", self.path("out"), "--rotate", "45", ok=False).stderr)


class Gaps(ImportTest):
    def make(self, name="a.mp4", gap=0.8, rows=24):
        """24 frames at 20 a second with a gap after frame 7; a row of actions a frame."""
        self.a = scene.actions(rows)
        self.times = np.arange(rows) / 20 + np.where(np.arange(rows) > 7, gap, 0)
        drop(scene.frames(self.a), self.times, self.path("in", name), *FINE)
        write_csv(self.path("in", "a.csv"), self.a, ("action_0", "action_1"))

    def test_a_gap_becomes_as_many_steps_as_it_lasts(self):
        self.make()
        done = run("import", self.path("in"), "--fps", "5", "--out", self.path("told"))
        self.assertIn("1 gaps, the longest 0.85 s at second 0.35", done.stderr)
        (frames, actions), = self.imported(self.path("in"), "--fps", "5")[0]
        self.assertEqual(scene.numbers(frames), [0, 4, 7, 7, 7, 7, 8, 12, 16, 20])
        np.testing.assert_array_equal(actions[2:6], self.a[[7, 7, 7, 7]])  # what was commanded holds on
        self.assertEqual(paired(frames, actions), 1)
        (frames, actions), = self.imported(self.path("in"))[0]  # at the rate that is usual in it
        self.assertEqual(scene.numbers(frames), list(range(8)) + [7] * 16 + list(range(8, 24)))
        self.assertEqual(paired(frames, actions), 1)
        (frames, actions), = self.imported(self.path("in"), "--source-fps", "20")[0]  # frames by their numbers
        self.assertEqual(scene.numbers(frames), list(range(24)))
        self.assertEqual(scene.misaligned(frames, actions), [])

    def test_displacements_over_a_gap_add_up(self):
        self.make()
        (_, actions), = self.imported(self.path("in"), "--fps", "5", "--merge", "sum")[0]
        np.testing.assert_allclose(actions[:-1].sum(0), self.a[:20].sum(0), atol=1e-5)

    def test_time_stamps_in_every_unit_and_from_every_clock(self):
        self.make()
        for k, (scale, first) in enumerate(((1, 0), (1e3, 0), (1e9, 1.7e18), (1, 1.7e9), (1e6, 5e5))):
            write_times(self.path("in", "a.csv"), (self.times * scale + first).tolist(), self.a)
            got = self.imported(self.path("in"), "--actions", "dx,dy", "--align", "time", "--fps", "20")[0]
            self.assertEqual(scene.numbers(got[0][0]), list(range(8)) + [7] * 16 + list(range(8, 24)), k)
            self.assertEqual(paired(*got[0]), 1, k)

    def test_avi_that_repeats_frames(self):
        """An AVI counts a frame that is shown on as one of its frames, but does not hold it; the log has a row for it."""
        rows = scene.actions(40)
        kept = [t for t in range(40) if t % 5 not in (1, 2) or t == 39]
        drop(scene.frames(rows)[kept], np.array(kept) / 20, self.path("in", "a.avi"), "-c:v", "ffv1", scale=20)
        write_csv(self.path("in", "a.csv"), rows)
        done = run("import", self.path("in"), "--out", self.path("told"))
        self.assertIn(f"{len(kept)} frames, of which some are shown for longer, and 40 actions", done.stderr)
        (frames, actions), = self.imported(self.path("in"))[0]
        self.assertEqual(len(frames), 40)
        np.testing.assert_array_equal(actions, rows)
        self.assertEqual(scene.numbers(frames), [max(k for k in kept if k <= t) for t in range(40)])

    def test_no_steady_rate_at_all(self):
        a = scene.actions(30)
        times = np.cumsum(np.random.default_rng(3).uniform(0.02, 0.5, 30))
        drop(scene.frames(a), times - times[0], self.path("in", "a.mp4"), *FINE)
        write_csv(self.path("in", "a.csv"), a, ("action_0", "action_1"))
        message = self.refused(self.path("in"))
        self.assertIn("no steady rate", message)
        self.assertIn("--fps", message)
        (frames, _), = self.imported(self.path("in"), "--fps", "10")[0]
        self.assertAlmostEqual(len(frames), (times[-1] - times[0]) * 10, delta=2)


class OtherRates(ImportTest):
    def test_actions_at_five_times_the_rate(self):
        a = scene.actions(40)
        ffmpeg(scene.frames(a), self.path("in", "a.mp4"), *FINE)
        write_times(self.path("in", "a.csv"), (np.arange(200) / 100).tolist(), a.repeat(5, 0))
        done = run("import", self.path("in"), "--actions", "dx,dy", "--out", self.path("told"))
        self.assertIn("200 actions at 100 a second, 40 frames at 20 a second: put together by their times", done.stderr)
        (frames, actions), = self.imported(self.path("in"), "--actions", "dx,dy")[0]
        self.assertEqual(scene.misaligned(frames, actions), [])
        np.testing.assert_array_equal(actions, a)
        message = self.refused(self.path("in"), "--actions", "dx,dy", "--align", "rows")
        for word in ("40 frames", "200 actions", "5 actions a frame", "--action-fps 100"):
            self.assertIn(word, message)
        self.assertNotIn("--slack", message)
        # without time stamps the rates are named, and --action-fps stands in for them
        write_times(self.path("in", "a.csv"), range(200), a.repeat(5, 0), "row")
        self.assertIn("--action-fps 100", self.refused(self.path("in"), "--actions", "dx,dy"))
        (frames, actions), = self.imported(self.path("in"), "--actions", "dx,dy", "--action-fps", "100")[0]
        self.assertEqual(scene.misaligned(frames, actions), [])

    def test_stamps_that_jitter_fall_to_the_frame_next_to_them(self):
        a = scene.actions(40)
        ffmpeg(scene.frames(a), self.path("in", "a.mp4"), *FINE)
        jitter = np.random.default_rng(1).uniform(-0.02, 0.02, 40)
        write_times(self.path("in", "a.csv"), (1.7e9 + np.arange(40) / 20 + jitter - jitter[0]).tolist(), a)
        (frames, actions), = self.imported(self.path("in"), "--actions", "dx,dy", "--align", "time")[0]
        self.assertEqual(scene.misaligned(frames, actions), [])

    def test_slower_actions_hold_on_and_offsets_are_added(self):
        a = scene.actions(40)
        ffmpeg(scene.frames(a.repeat(2, 0)[1:]), self.path("in", "a.mp4"), *FINE, fps=20)
        write_times(self.path("in", "a.csv"), (np.arange(40) / 10 - 3).tolist(), a)
        (frames, actions), = self.imported(self.path("in"), "--actions", "dx,dy", "--time-offset", "2.95")[0]
        self.assertEqual(scene.misaligned(frames, actions), [])

    def test_slack_is_offered_for_a_tail_alone(self):
        a = scene.actions(40)
        ffmpeg(scene.frames(a), self.path("in", "a.mp4"), *FINE)
        write_times(self.path("in", "a.csv"), (np.arange(28) / 20).tolist(), a[:28])
        self.assertIn("--slack 12", self.refused(self.path("in"), "--actions", "dx,dy"))  # stamps say: the same rate, ended early
        write_times(self.path("in", "a.csv"), range(28), a[:28], "row")
        message = self.refused(self.path("in"), "--actions", "dx,dy")
        self.assertNotIn("--slack", message)
        self.assertIn("different rates, or some are missing in between", message)
        times = np.delete(np.arange(40), range(10, 20)) / 20  # rows missing in the middle
        write_times(self.path("in", "a.csv"), times.tolist(), np.delete(a, range(10, 20), 0))
        (frames, actions), = self.imported(self.path("in"), "--actions", "dx,dy")[0]
        wrong = [t for t, _, _ in scene.misaligned(frames, actions)]
        self.assertEqual(len(frames), 40)
        self.assertTrue(set(wrong) <= set(range(11, 21)), wrong)

    def test_stamps_that_lie_elsewhere_are_refused(self):
        a = scene.actions(40)
        ffmpeg(scene.frames(a), self.path("in", "a.mp4"), *FINE)
        write_times(self.path("in", "a.csv"), (np.arange(40) / 20).tolist(), a)
        message = self.refused(self.path("in"), "--actions", "dx,dy", "--time-offset", "1.5")
        self.assertIn("less than half of them together", message)
        write_times(self.path("in", "a.csv"), (np.arange(40) / -20).tolist(), a)
        self.assertIn("go back", self.refused(self.path("in"), "--actions", "dx,dy", "--align", "time"))
        write_csv(self.path("in", "a.csv"), a)
        os.rename(self.path("in", "a.csv"), self.path("in", "b.csv"))
        with open(self.path("in", "b.csv")) as f, open(self.path("in", "a.csv"), "w") as g:
            g.writelines(line.split(",", 1)[1] for line in f)
        self.assertIn("--time-column", self.refused(self.path("in", "a.mp4"), "--align", "time"))

    def test_clocks_of_phones(self):
        rates = ("30", "30000/1001", "29.93", "30.05")
        for e, rate in enumerate(rates):
            a = scene.actions(30, seed=e)
            ffmpeg(scene.frames(a), self.path("in", f"clip{e}.mp4"), *FINE, fps=rate)
            write_csv(self.path("in", f"clip{e}.csv"), a)
        message = self.refused(self.path("in"))
        for word in ("29.93 frames/s (clip2", "30.05 (clip3", "--source-fps 30", "--fps 29"):
            self.assertIn(word, message)
        for options in (("--source-fps", "30"), ("--fps", "29")):
            got, _ = self.imported(self.path("in"), *options)
            self.assertEqual(len(got), 4)
            for frames, actions in got:
                self.assertEqual(scene.misaligned(frames, actions), [], options)


class Choices(ImportTest):
    def test_choices_become_a_component_each(self):
        choice = np.random.default_rng(0).integers(0, 3, 20)
        ffmpeg(scene.frames(scene.actions(20)), self.path("in", "a.mp4"), *FINE)
        with open(self.path("in", "a.csv"), "w") as f:
            f.write("action,speed\n" + "".join(f"{c},{t / 4}\n" for t, c in enumerate(choice)))
        got, attributes = self.imported(self.path("in"), "--actions", "speed,action", "--one-hot", "action:3")
        self.assertEqual(list(attributes["action_names"]), [b"speed", b"action_0", b"action_1", b"action_2"])
        np.testing.assert_array_equal(got[0][1], np.c_[np.arange(20) / 4, np.eye(3)[choice]])
        words = np.array(["left", "right", "no move"])[choice]
        with open(self.path("in", "a.csv"), "w") as f:
            f.write("action\n" + "".join(f"{w}\n" for w in words))
        self.assertIn("--one-hot", self.refused(self.path("in")))
        got, attributes = self.imported(self.path("in"), "--one-hot", "action:left|right|no move")
        self.assertEqual(list(attributes["action_names"]), [b"action_left", b"action_right", b"action_no move"])
        np.testing.assert_array_equal(got[0][1], np.eye(3)[choice])
        message = self.refused(self.path("in"), "--one-hot", "action:left|right")
        self.assertIn("no move", message)
        self.assertIn("no component move", self.refused(self.path("in"), "--one-hot", "action:left|right|no move,move:2"))


class Sizes(ImportTest):
    def test_actions_far_beyond_one_are_told_and_mapped(self):
        a = scene.actions(60)
        ffmpeg(scene.frames(a), self.path("in", "a.mp4"), *FINE)
        large = a * 300
        large[33] = (9000, 0)  # an outlier
        write_csv(self.path("in", "a.csv"), large)
        done = run("import", self.path("in"), "--out", self.path("told"))
        self.assertIn("9000", done.stderr)
        self.assertIn("--action-range auto", done.stderr)
        done = run("import", self.path("in"), "--action-range", "auto", "--out", self.path("out"))
        self.assertIn("clipped", done.stderr)
        (_, actions), = episodes(self.path("out"))[0]
        low, high = np.array(self.index(self.path("out"))["import"]["ranges"]).T
        np.testing.assert_array_equal(low, -high)  # zero stays zero
        self.assertLess(high.max(), 620)
        np.testing.assert_allclose(actions[:-1], np.clip(large[:-1] / high, -1, 1), atol=1e-5)


class WithoutActions(ImportTest):
    def test_videos_alone_are_imported_when_that_is_said(self):
        for e in range(2):
            ffmpeg(scene.frames(scene.actions(20, seed=e)), self.path("in", f"{e}.mp4"), *EXACT)
        message = self.refused(self.path("in"))
        self.assertIn("--no-actions", message)
        out = self.path("out")
        run("import", self.path("in"), "--no-actions", "--out", out)
        self.assertEqual(self.index(out)["action_names"], [])
        run("verify", out)
        self.assertIn("none: frames alone", run("inspect", out, "--sheet", self.path("sheet.png")).stdout)
        got, _ = episodes(out)
        self.assertEqual([scene.numbers(frames) for frames, _ in got], [list(range(20))] * 2)
        self.assertEqual([actions.shape for _, actions in got], [(20, 0)] * 2)


class Pictures(ImportTest):
    def write(self, folder, frames, names=None, kind="png"):
        os.makedirs(folder, exist_ok=True)
        ffmpeg(frames, os.path.join(folder, f"%03d.{kind}"), "-start_number", "0", "-q:v", "2")
        for i, name in enumerate(names or [f"frame_{i}" for i in range(len(frames))]):  # 9 comes before 10
            os.rename(os.path.join(folder, f"{i:03d}.{kind}"), os.path.join(folder, f"{name}.{kind}"))

    def test_folders_of_pictures(self):
        actions = [scene.actions(15 + e, seed=e) for e in range(2)]
        for e, a in enumerate(actions):
            self.write(self.path("in", f"run{e}"), scene.frames(a))
            write_csv(self.path("in", f"run{e}.csv"), a)
        os.symlink("run1", self.path("in", "latest"))
        self.assertIn("--source-fps", self.refused(self.path("in")))
        got, attributes = self.imported(self.path("in"), "--source-fps", "10")
        self.assertEqual((len(got), attributes["fps"]), (2, 10))
        for (frames, imported), a in zip(got, actions):
            np.testing.assert_array_equal(frames, scene.frames(a))
            np.testing.assert_array_equal(imported, a)
        alone, _ = self.imported(self.path("in", "run1"), "--source-fps", "10", "--no-actions")
        np.testing.assert_array_equal(alone[0][0], scene.frames(actions[1]))
        os.remove(self.path("in", "run0.csv"))
        os.remove(self.path("in", "run1.csv"))
        self.assertIn("--no-actions", self.refused(self.path("in"), "--source-fps", "10"))

    def test_folders_that_look_alike_are_named(self):
        a = scene.actions(12)
        for run_ in ("one", "two"):
            self.write(self.path("in", run_), scene.frames(a))
            write_csv(self.path("in", f"{run_}.csv"), a)
        done = run("import", self.path("in"), "--out", self.path("out"), "--source-fps", "10")
        self.assertIn("begins like", done.stderr)
        self.assertIn("both are imported", done.stderr)
        self.assertEqual(self.index(self.path("out"))["episodes"], 2)

    def test_cameras_of_a_recording_and_names_that_are_time_stamps(self):
        a = scene.actions(12)
        first, times = 1305031102.175304, np.arange(12) / 20
        self.write(self.path("in", "rgb"), scene.frames(a), [f"{first + t:.6f}" for t in times], "jpg")
        self.write(self.path("in", "wrist"), scene.frames(a)[:, ::-1], [f"{first + t:.6f}" for t in times])
        write_times(self.path("in", "log.csv"), (first - 0.2 + np.arange(32) / 40).tolist(), np.r_[np.zeros((8, 2)), a.repeat(2, 0)])  # began before
        self.assertIn("rgb, wrist", self.refused(self.path("in"), "--actions", "dx,dy"))
        got, attributes = self.imported(self.path("in"), "--actions", "dx,dy", "--camera", "rgb")
        self.assertEqual(attributes["fps"], 20)
        self.assertEqual(scene.misaligned(*got[0]), [])
        self.assertEqual(scene.numbers(got[0][0]), list(range(12)))


class Parts(ImportTest):
    def numbers_of(self, out):
        return [[scene.numbers(frames) for frames, _ in episodes(os.path.join(out, part))[0]] for part in ("train", "validation")]

    def test_a_recording_alone_gives_its_end_for_validation(self):
        a = scene.actions(120)
        ffmpeg(scene.frames(a), self.path("in", "a.mp4"), *FINE)
        write_csv(self.path("in", "a.csv"), a)
        done = run("import", self.path("in"), "--validation", "0.25", "--out", self.path("out"))
        self.assertIn("the last 25 % of each recording, after a gap of 20 frames", done.stderr)
        self.assertEqual(self.numbers_of(self.path("out")), [[list(range(70))], [list(range(90, 120))]])
        for part in ("train", "validation"):
            run("verify", self.path("out", part))
            (frames, actions), = episodes(self.path("out", part))[0]
            self.assertEqual(scene.misaligned(frames, actions), [])
        self.assertIn("there already", run("import", self.path("in"), "--validation", "0.25", "--out", self.path("out")).stderr)
        self.assertIn("--validation-by time", self.refused(self.path("in"), "--validation", "0.25", "--validation-by", "episodes"))
        self.assertIn("--validation-gap", self.refused(self.path("in"), "--validation", "0.25", "--validation-gap", "4.5"))

    def test_each_of_several_gives_its_end_when_that_is_said(self):
        for e, n in enumerate((60, 80, 12)):
            a = scene.actions(n, seed=e)
            ffmpeg(scene.frames(a), self.path("in", f"{e}.mp4"), *FINE)
            write_csv(self.path("in", f"{e}.csv"), a)
        done = run("import", self.path("in"), "--validation", "0.25", "--validation-by", "time", "--validation-gap", "0.5", "--min-frames", "5",
                   "--shard-frames", "50", "--out", self.path("out"))
        self.assertIn("too short", done.stderr)
        self.assertEqual(self.numbers_of(self.path("out")), [[list(range(35)), list(range(50)), list(range(12))],
                                                             [list(range(45, 60)), list(range(60, 80))]])


if __name__ == "__main__":
    main()
