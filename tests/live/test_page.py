"""The page of `orrery play` in a real browser, without packages (browser.py): keys to pixels, mouse, files, words,
and how it looks on a desk and on a phone."""
import pathlib
import re
import struct
import sys
import tempfile
import time
import unittest
import zlib

from browser import Browser, installed
from served import Server, main, orrery
import served

SHADE = """(() => { const c = document.getElementById('world0'), d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
 const mean = x0 => { let s = 0, n = 0; for (let y = 0; y < c.height; y++) for (let x = x0; x < x0 + c.width / 2; x++) { s += d[4 * (y * c.width + x)]; n++; }
 return s / n; }; return [mean(0), mean(c.width / 2)]; })()"""

# Of all text that is seen: the least contrast with what lies beneath it (WCAG 2, 1.4.3).
CONTRAST = """(() => {
 const parts = c => c.match(/[\\d.]+/g).map(Number);
 const light = c => { const [r, g, b] = c.slice(0, 3).map(v => { v /= 255; return v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4; });
   return .2126 * r + .7152 * g + .0722 * b; };
 const beneath = e => { for (; e; e = e.parentElement) { const c = parts(getComputedStyle(e).backgroundColor); if (c.length < 4 || c[3] > .9) return c; }
   return [255, 255, 255]; };
 let worst = [99, ''];
 for (const e of document.querySelectorAll('body *')) {
   const own = [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim());
   if (!own || !e.getClientRects().length || e.disabled || e.closest('[aria-hidden=true]')) continue;
   const a = light(parts(getComputedStyle(e).color)), b = light(beneath(e)), k = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
   if (k < worst[0]) worst = [k, e.tagName + ' ' + e.textContent.trim().slice(0, 40)];
 } return worst; })()"""


def png(width, height):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    rows = b"".join(b"\0" + bytes([200, 40, 90]) * width for _ in range(height))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


class Page(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server("--sessions", 3)
        cls.browser = Browser()

    @classmethod
    def tearDownClass(cls):
        cls.browser.close()
        assert cls.server.stop() == 0, cls.server.said

    def open(self, server=None):
        b = self.browser
        b.events.clear()
        b.open((server or self.server).url)
        b.wait("orrery.connected")
        return b

    def enter(self, server=None):
        b = self.open(server)
        b.wait("!document.getElementById('enter').disabled")
        b.press("Space")
        b.wait("orrery.frames > 3")
        return b

    def tearDown(self):
        self.browser.open("about:blank")  # its place is free

    def text(self, selector):
        return self.browser.evaluate(f"document.querySelector({selector!r}).textContent")

    def wait_for_shade(self, half, test):
        self.browser.wait(f"({SHADE})[{half}] {test}")

    def test_a_key_that_is_held_is_seen_in_the_world(self):
        b = self.enter()
        for code, half, test in (("KeyD", 0, "> 180"), ("KeyA", 0, "< 80"), ("KeyW", 1, "> 180"), ("ArrowDown", 1, "< 80")):
            b.key(code, True)
            self.wait_for_shade(half, test)
            b.key(code, False)
            self.wait_for_shade(half, "> 90")
            self.wait_for_shade(half, "< 165")
        self.assertGreater(b.evaluate("orrery.latencies.length"), 3)
        self.assertRegex(self.text("#latency"), r"p50 \d+ · p99 \d+ ms")
        self.assertRegex(self.text("#surprise"), "nats a token")

    def test_the_mouse_is_a_stick(self):
        b = self.enter()
        x, y = b.middle("#world0")
        b.mouse("mousePressed", x, y)
        b.mouse("mouseMoved", x + 80, y)
        self.wait_for_shade(0, "> 180")
        b.mouse("mouseMoved", x - 80, y)
        self.wait_for_shade(0, "< 80")
        b.mouse("mouseReleased", x - 80, y)
        self.wait_for_shade(0, "> 90")

    def test_the_keyboard_alone_is_enough(self):
        b = self.enter()
        b.press("Space")
        b.wait("document.getElementById('play').textContent === 'Go'")
        b.wait("!document.getElementById('step').disabled")
        before = b.evaluate("orrery.frame")
        b.press("Period", ".")
        b.wait(f"orrery.frame === {before + 1}")
        b.press("KeyR", "r")
        b.wait(f"orrery.frame < {before}")
        # every control is reached by Tab and shows it
        reached = set()
        for _ in range(60):
            b.press("Tab")
            reached.add(b.evaluate("document.activeElement.id || document.activeElement.tagName"))
            self.assertTrue(b.evaluate("getComputedStyle(document.activeElement).outlineStyle !== 'none' || document.activeElement === document.body"))
        for control in ("play", "step", "reset", "scrub", "fps", "set", "clip", "dice", "seed", "picture", "opened", "start", "save", "film", "world0"):
            self.assertIn(control, reached)

    def test_the_slider_goes_back_and_on_from_there(self):
        b = self.enter()
        b.wait("orrery.frame > 15")
        b.press("Space")
        b.wait("document.getElementById('play').textContent === 'Go'")
        b.evaluate("(() => { const s = document.getElementById('scrub'); s.value = 8; s.dispatchEvent(new Event('input')); s.dispatchEvent(new Event('change')); })()")
        b.wait("orrery.frame === 8")
        b.press("Period", ".")
        b.wait("orrery.frame === 9")
        self.assertEqual(self.text("#frame"), "frame 9")

    def test_files_come_every_time(self):
        b = self.enter()
        with tempfile.TemporaryDirectory(prefix="orrery-page-") as folder:
            folder = pathlib.Path(folder)
            b.downloads_to(folder)
            for i in range(5):
                b.click("#save")
                b.wait(f"orrery.kept && orrery.kept.times === {i + 1}")
            b.evaluate("document.getElementById('format').value = 'gif'")
            for selector, times in (("#film", 6), ("#still", 7)):
                b.click(selector)
                b.wait(f"orrery.kept.times === {times}")
            until = time.monotonic() + 60
            while len(list(folder.glob("*"))) < 7 or any(folder.glob("*.crdownload")):
                self.assertLess(time.monotonic(), until, list(folder.glob("*")))
                time.sleep(0.05)
            files = {p.suffix: p.read_bytes()[:8] for p in folder.glob("*")}
            self.assertEqual(files, {".orrery": b"orrsess1", ".gif": b"GIF89a" + files[".gif"][6:], ".png": b"\x89PNG\r\n\x1a\n"})
            session = next(iter(folder.glob("*.orrery")))
            code, said = orrery("rollout", served.root / "dynamics", "--session", session, "--device", "cpu")
            self.assertEqual(code, 0, said)
            # and the page takes it back
            b.open(self.server.url)
            b.wait("orrery.connected && !document.getElementById('start').disabled")
            b.upload("#opened", session)
            b.wait("document.getElementById('scrub').max > 3")
            b.click("#play")
            b.wait("orrery.replayed")
            self.assertTrue(b.evaluate("orrery.replayed.equal"))
            self.assertIn("to the bit", self.text("#kept"))

    def test_a_picture_of_another_size_is_fitted_in_words(self):
        b = self.open()
        b.wait("!document.getElementById('start').disabled")
        with tempfile.TemporaryDirectory(prefix="orrery-page-") as folder:
            picture = pathlib.Path(folder) / "picture.png"
            picture.write_bytes(png(90, 30))
            b.upload("#picture", picture)
            b.wait("!document.getElementById('fitted').hidden")
            self.assertIn("90 × 30", self.text("#fitted"))
            self.assertIn("24 × 16", self.text("#fitted"))
            b.click("#start")
            b.wait("orrery.frames > 0")
            other = picture.with_name("other.png")
            other.write_bytes(b"no picture")
            b.upload("#picture", other)
            b.wait("!document.getElementById('notice').hidden")
            self.assertIn("picture", self.text("#notice"))

    def test_a_key_can_be_chosen(self):
        b = self.enter()
        b.click("#mapping button[data-code=KeyD]")
        b.press("KeyG", "g")
        b.wait("!!document.querySelector('#mapping button[data-code=KeyG]')")
        b.evaluate("document.activeElement.blur()")
        b.key("KeyG", True)
        self.wait_for_shade(0, "> 180")
        b.key("KeyG", False)
        self.wait_for_shade(0, "< 165")

    def test_nothing_is_loaded_from_elsewhere_and_nothing_complained_of(self):
        b = self.enter()
        b.wait("orrery.frames > 10")
        self.assertEqual(b.complaints(), [])
        self.assertTrue(b.requests())
        for url in b.requests():
            self.assertTrue(url.startswith((self.server.url, "data:", "blob:")), url)

    def test_a_browser_without_websocket_is_told(self):
        b = self.browser
        script = b.call("Page.addScriptToEvaluateOnNewDocument", source="delete window.WebSocket")["identifier"]
        b.open(self.server.url)
        b.wait("!document.getElementById('notice').hidden")
        self.assertIn("no WebSocket", self.text("#notice"))
        b.call("Page.removeScriptToEvaluateOnNewDocument", identifier=script)

    def test_when_every_place_is_taken_the_page_says_so(self):
        others = [self.server.client() for _ in range(3)]
        b = self.browser
        b.open(self.server.url)
        b.wait("document.getElementById('notice').textContent.includes('every place is taken')")
        for c in others:
            c.close()
        b.wait("orrery.connected")  # it tries again

    def test_two_worlds_stand_side_by_side(self):
        server = Server("--beside", served.root / "another", "--sessions", 1)
        b = self.enter(server)
        self.assertFalse(b.evaluate("document.getElementById('view1').hidden"))
        self.assertIn("another", self.text("#name1"))
        b.wait("document.getElementById('world1').getContext('2d').getImageData(1, 1, 1, 1).data[0] > 0")
        self.assertLess(b.middle("#world0")[0], b.middle("#world1")[0])
        b.open("about:blank")
        self.assertEqual(server.stop(), 0)

    def test_a_server_that_stops_says_so_and_the_session_goes_on_when_it_is_back(self):
        server = Server("--sessions", 1)
        b = self.enter(server)
        b.wait("orrery.frame > 8")
        self.assertEqual(server.stop(), 0)
        b.wait("!orrery.connected")
        self.assertIn("stopped", self.text("#notice"))
        frame = b.evaluate("orrery.frame")
        server = Server("--sessions", 1, port=server.port)
        b.wait("orrery.connected && document.getElementById('enter').textContent === 'Go on'")
        b.click("#enter")
        b.wait(f"orrery.frame > {frame}")
        self.assertTrue(b.evaluate("orrery.replayed.equal"))
        # asked for while there is no connection, it goes on as soon as there is one
        self.assertEqual(server.stop(), 0)
        b.wait("!orrery.connected")
        frame = b.evaluate("orrery.frame")
        b.evaluate("(() => { const e = document.getElementById('enter'); e.disabled = false; e.click(); })()")
        server = Server("--sessions", 1, port=server.port)
        b.wait(f"orrery.frame > {frame}")
        b.open("about:blank")
        self.assertEqual(server.stop(), 0)

    def test_it_fits_a_desk_and_a_phone_and_can_be_read(self):
        b = self.browser
        for width, height, mobile in ((1280, 800, False), (390, 844, True)):
            b.size(width, height, mobile)
            for scheme in ("dark", "light"):
                b.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
                self.enter()
                b.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true; })")
                self.assertLessEqual(b.evaluate("document.documentElement.scrollWidth"), width)
                self.assertGreater(b.evaluate("document.getElementById('world0').getBoundingClientRect().width"), 200)
                least, where = b.evaluate(CONTRAST)
                self.assertGreaterEqual(least, 4.5, f"{scheme}: {where}")
                small = b.evaluate("[...document.querySelectorAll('button, select')].filter(e => e.getClientRects().length && "
                                   "e.getBoundingClientRect().height < 30).map(e => e.id || e.textContent)")
                self.assertEqual(small, [])
                b.open("about:blank")
        b.call("Emulation.clearDeviceMetricsOverride")
        b.call("Emulation.setEmulatedMedia", features=[])


if __name__ == "__main__":
    if not installed():
        print("skipped: no chromium")
        sys.exit(77)
    main()
