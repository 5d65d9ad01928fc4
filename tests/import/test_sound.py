"""Sound as actions: the track of a film, or a WAV file beside it, heard around the frame that it leads to."""
import os
import shutil
import subprocess
import wave

import numpy as np

from program import ImportTest, episodes, ffmpeg, main, run

FPS, FRAMES, FROM = 25, 50, 1.0  # a tone from here on, to the end


def tone(seconds, rate=22050, channels=1):
    t = np.arange(int(seconds * rate)) / rate
    x = (0.4 * np.sin(2 * np.pi * 700 * t) * (t >= FROM) * 32767).astype("<i2")
    return np.repeat(x[:, None], channels, 1)


def write_wav(path, samples, rate=22050):
    with wave.open(path, "wb") as f:
        f.setnchannels(samples.shape[1])
        f.setsampwidth(2)
        f.setframerate(rate)
        f.writeframes(samples.tobytes())


class Sound(ImportTest):
    def film(self, name):
        path = self.path(name, "a.mp4")
        frames = np.random.default_rng(1).integers(0, 255, (FRAMES, 16, 16, 3), "u1")
        ffmpeg(frames, path, "-c:v", "libx264", "-qp", "10", "-pix_fmt", "yuv444p", fps=FPS)
        return path

    def check(self, folder, fps=FPS):
        run("import", folder, "--out", folder + "-out", "--audio", "mel", "--processes", 1, "--fps", fps)
        ((frames, actions),), attributes = episodes(folder + "-out")
        self.assertEqual([n.decode() if isinstance(n, bytes) else n for n in attributes["action_names"]],
                         [f"mel{b:02d}" for b in range(20)])
        self.assertEqual(len(frames), FRAMES * fps // FPS)
        loud = actions.max(1)[:-1]  # the last row leads nowhere
        begins = int(FROM * fps) - 1  # row t is heard around frame t+1
        self.assertTrue((loud[: begins - 1] < -0.5).all(), loud)
        self.assertTrue((loud[begins + 1 :] > 0.5).all(), loud)

    def test_the_wav_beside_a_film(self):
        path = self.film("beside")
        write_wav(path[:-4] + ".wav", tone(FRAMES / FPS, channels=2))
        self.check(os.path.dirname(path))

    def test_the_track_of_a_film_at_its_rate_and_at_another(self):
        path = self.film("plain")
        write_wav(self.path("tone.wav"), tone(FRAMES / FPS))
        os.makedirs(self.path("track"))
        subprocess.run(["ffmpeg", "-v", "error", "-y", "-i", path, "-i", self.path("tone.wav"), "-c:v", "copy", "-c:a", "aac",
                        self.path("track", "a.mp4")], check=True, timeout=120)
        shutil.copytree(self.path("track"), self.path("slower"))
        self.check(self.path("track"))
        self.check(self.path("slower"), fps=5)

    def test_sound_that_does_not_fit_is_named(self):
        path = self.film("short")
        folder = os.path.dirname(path)
        done = run("import", folder, "--out", self.path("out"), "--audio", "mel", ok=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("no sound", done.stderr)
        write_wav(path[:-4] + ".wav", tone(1.5))
        done = run("import", folder, "--out", self.path("out"), "--audio", "mel", ok=False)
        self.assertEqual(done.returncode, 1)
        for word in ("1.50 s", "50 frames 2.00 s", "--slack"):
            self.assertIn(word, done.stderr)
        run("import", folder, "--out", self.path("out"), "--audio", "mel", "--slack", 12)
        done = run("import", folder, "--out", self.path("out2"), "--audio", "wave", ok=False)
        self.assertEqual(done.returncode, 2)
        self.assertIn("got 'wave', wanted mel", done.stderr)
        done = run("import", folder, "--out", self.path("out3"), "--audio", "mel", "--no-actions", ok=False)
        self.assertEqual(done.returncode, 2)


if __name__ == "__main__":
    main()
