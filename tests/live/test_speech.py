"""Sound that acts, in a real browser (browser.py): files and a microphone, in a world that shows its two bands of sound
as the shades of its halves, and in one that hears nothing."""
import math
import pathlib
import struct
import sys
import tempfile
import unittest

from browser import Browser, installed
from client import BINARY
from served import Server, main
from test_page import SHADE

RATE = 22050
LOW, HIGH = 500, 5000  # Hz: each in a band of its own


def tone(hz, seconds, rate=RATE):
    return [0.9 * math.sin(2 * math.pi * hz * i / rate) for i in range(int(seconds * rate))]


def wav(path, channels, rate=RATE, bits=16, kind=1):
    """A WAV file of lists of samples in [-1,1], one a channel."""
    form = {(1, 8): "B", (1, 16): "<h", (1, 24): None, (1, 32): "<i", (3, 32): "<f"}[kind, bits]
    data = b""
    for row in zip(*channels):
        for x in row:
            if kind == 3:
                data += struct.pack(form, x)
            elif bits == 8:
                data += bytes([int(x * 127) + 128])
            else:
                data += int(x * (2 ** (bits - 1) - 1)).to_bytes(bits // 8, "little", signed=True)
    wide = bits // 8 * len(channels)
    head = struct.pack("<HHIIHH", kind, len(channels), rate, rate * wide, wide, bits)
    body = b"WAVEfmt " + struct.pack("<I", len(head)) + head + b"LIST" + struct.pack("<I", 3) + b"abc\0"
    body += b"data" + struct.pack("<I", len(data)) + data
    pathlib.Path(path).write_bytes(b"RIFF" + struct.pack("<I", len(body)) + body)
    return path


class Speech(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="orrery-speech-")
        cls.addClassCleanup(folder.cleanup)
        cls.folder = pathlib.Path(folder.name)
        wav(cls.folder / "microphone.wav", [tone(LOW, 1)])
        cls.server = Server(data="heard")
        cls.browser = Browser(words=("--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream",
                                     f"--use-file-for-fake-audio-capture={cls.folder / 'microphone.wav'}",
                                     "--autoplay-policy=no-user-gesture-required"))

    @classmethod
    def tearDownClass(cls):
        cls.browser.close()
        assert cls.server.stop() == 0, cls.server.said

    def tearDown(self):
        self.browser.open("about:blank")

    def enter(self, server=None):
        b = self.browser
        b.events.clear()
        b.open((server or self.server).url)
        b.wait("orrery.connected && !document.getElementById('start').disabled && orrery.frames > 0")
        return b

    def text(self, selector):
        return self.browser.evaluate(f"document.querySelector({selector!r}).textContent")

    def shades(self, left, right):
        self.browser.wait(f"(([l, r]) => l {left} && r {right})({SHADE})")

    def test_a_file_acts_frame_by_frame_and_is_silent_then(self):
        b = self.enter()
        self.assertFalse(b.evaluate("document.getElementById('voice').hidden"))
        b.upload("#sound", wav(self.folder / "speech.wav", [tone(LOW, 1.5) + tone(HIGH, 1.5)]))
        self.shades("> 170", "< 90")
        self.assertIn("speech.wav: 3.0 s, 22.1 kHz", self.text("#heard"))
        self.shades("< 90", "> 170")
        b.wait("orrery.sound.kind === 'none'")
        self.shades("< 90", "< 90")  # silence is no band at all, not half of each
        self.assertEqual(b.complaints(), [])

    def test_the_microphone_acts_until_it_is_hushed(self):
        b = self.enter()
        b.click("#microphone")
        b.wait("orrery.sound && orrery.sound.kind === 'stream'")
        self.shades("> 170", "< 90")
        self.assertGreater(b.evaluate("document.getElementById('level').value"), 0.3)
        b.click("#hush")
        b.wait("orrery.sound.kind === 'none'")
        self.shades("< 90", "< 90")
        self.assertEqual(b.evaluate("document.getElementById('level').value"), 0)
        self.assertEqual(b.complaints(), [])

    def test_samples_are_those_of_the_file(self):
        b = self.enter()
        left, right = [0.0, 0.5, -0.75, 0.999, -1.0], [0.0, -0.25, -0.75, 0.001, 1.0]
        for kind, bits in ((1, 8), (1, 16), (1, 24), (1, 32), (3, 32)):
            path = wav(self.folder / f"form-{kind}-{bits}.wav", [left, right], 48000, bits, kind)
            b.upload("#sound", path)
            b.wait(f"spoken && spoken.name === '{path.name}'")
            got = b.evaluate("Array.from(spoken.samples)")
            step = 1 / 127 if bits == 8 else 2.0 ** (1 - bits) if kind == 1 else 1e-7
            self.assertEqual((len(got), b.evaluate("spoken.rate")), (len(left), 48000))
            for x, y, z in zip(left, right, got):
                self.assertAlmostEqual((x + y) / 2, z, delta=1.1 * step + 1e-7, msg=path.name)

    def test_what_is_no_sound_is_named(self):
        b = self.enter()
        (self.folder / "words.wav").write_text("no sound at all")
        wav(self.folder / "empty.wav", [[]])
        wav(self.folder / "slow.wav", [tone(100, 1, 500)], 500)
        for name, word in (("words.wav", "words.wav cannot be heard"), ("empty.wav", "it holds no sound"), ("slow.wav", "of a sound of 500 Hz")):
            b.upload("#sound", self.folder / name)
            b.wait(f"document.getElementById('notice').textContent.includes({word!r})")
        b.upload("#sound", wav(self.folder / "again.wav", [tone(LOW, 1)]))
        self.shades("> 170", "< 90")  # the session goes on
        self.assertTrue(b.evaluate("document.getElementById('notice').hidden"))

    def test_a_world_that_hears_nothing_says_so(self):
        server = Server()
        b = self.enter(server)
        self.assertTrue(b.evaluate("document.getElementById('voice').hidden"))
        b.evaluate("(() => { const d = new DataTransfer(); d.items.add(new File(['RIFF'], 'a.wav', {type: 'audio/wav'}));"
                   "window.dispatchEvent(new DragEvent('drop', {dataTransfer: d})); })()")
        self.assertIn("hears nothing: its actions are left, right", self.text("#notice"))
        c = server.client()
        c.begin()
        c.send(BINARY, struct.pack("<BBBBIII2f", 4, 0, 0, 0, RATE, 2, 0, 0.5, 0.5))
        self.assertIn("actions are no sound", c.hear("error")["words"])
        c.close()
        b.open("about:blank")
        self.assertEqual(server.stop(), 0)

    def test_it_fits_a_phone(self):
        b = self.browser
        b.size(390, 844, True)
        self.enter()
        self.assertLessEqual(b.evaluate("document.documentElement.scrollWidth"), 390)
        self.assertGreater(b.middle("#microphone")[0], 0)
        b.call("Emulation.clearDeviceMetricsOverride")


if __name__ == "__main__":
    if not installed():
        print("skipped: no chromium")
        sys.exit(77)
    main()
