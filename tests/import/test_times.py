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


if __name__ == "__main__":
    main()
