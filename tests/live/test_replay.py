"""A session is a file: wherever it is played again its frames are the same, hash by hash."""
import struct
import unittest

from client import BINARY
from served import Server, main, orrery
import served


def play(c, who, frames=30):
    """Steps, a way back and on again; [number, hash] of what stayed."""
    seen = [c.begin(clip=who, seed=who, temperature=5)]
    for i in range(frames):
        seen.append(c.step((i // 3 + who) % 3 - 1, who % 2))
        if i == frames // 2:
            c.do("back", frame=seen[i // 2].number)
            del seen[i // 2:]
            seen.append(c.frame())
    c.do("save")
    return [(f.number, f.hash) for f in seen], c.file()


class Replay(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server("--sessions", 8)
        clients = [cls.server.client() for _ in range(8)]
        cls.sessions = [play(c, i) for i, c in enumerate(clients)]
        cls.names = [x["name"] for x in clients[0].hello["components"]]
        assert not any(name.startswith("component ") for name in cls.names), cls.names
        for c in clients:
            c.do("go", fps=500)  # all at once, while those below are compared
        cls.files = []
        for i, (_, file) in enumerate(cls.sessions):
            cls.files.append(served.root / f"{i}.orrery")
            cls.files[i].write_bytes(file)
        cls.clients = clients

    @classmethod
    def tearDownClass(cls):
        for c in cls.clients:
            c.close()
        assert cls.server.stop() == 0

    def rollout(self, i, *words, model="dynamics"):
        out = served.root / f"{i}.hashes"
        code, said = orrery("rollout", served.root / model, "--session", self.files[i], "--hashes", out, "--device", "cpu", *words)
        return code, said, [(int(n), h) for n, h in (line.split() for line in out.read_text().splitlines())] if out.exists() else []

    def test_rollout_gives_the_same_frames_in_another_process(self):
        for i, (seen, _) in enumerate(self.sessions):
            code, said, frames = self.rollout(i, "--threads", 1 + i % 2)
            self.assertEqual(code, 0, said)
            self.assertIn("to the bit", said)
            self.assertEqual(frames, seen)

    def test_results_without_a_folder_are_refused_before_anything_is_read(self):
        for option, name in (("--hashes", "all.hashes"), ("--out", "all.gif")):
            code, said = orrery("rollout", served.root / "nowhere", "--session", self.files[0], option, served.root / "missing" / name)
            self.assertEqual(code, 1)
            self.assertIn(f"there is no folder {served.root / 'missing'}", said)

    def test_a_film_of_it(self):
        film = served.root / "film.gif"
        code, said, _ = self.rollout(0, "--out", film, "--scale", 2)
        self.assertEqual(code, 0, said)
        self.assertEqual(film.read_bytes()[:6], b"GIF89a")

    def test_another_checkpoint_is_refused_with_both_hashes(self):
        server = Server(model="another")
        with server.client() as c:
            other = c.hello["checkpoint"]
        self.assertEqual(server.stop(), 0)
        for words in (("rollout", served.root / "another", "--session", self.files[1]),
                      ("play", served.root / "another", "--port", 0, "--replay", self.files[1])):
            code, said = orrery(*words)
            self.assertEqual(code, 1)
            for name in (self.clients[0].hello["checkpoint"], other, "--anyway"):
                self.assertIn(name, said)
        code, said, frames = self.rollout(1, "--anyway", model="another")
        self.assertEqual(code, 0, said)
        self.assertNotIn("to the bit", said)
        self.assertEqual([n for n, _ in frames], [n for n, _ in self.sessions[1][0]])
        self.assertNotEqual(frames, self.sessions[1][0])

    def test_damaged_files_and_words_that_do_not_go_together(self):
        whole = self.files[2].read_bytes()
        bad = served.root / "bad.orrery"
        for data, word in ((whole[:-1], "cut off"), (whole[:40] + bytes([whole[40] ^ 1]) + whole[41:], "damaged"), (b"GIF89a", "no session file")):
            bad.write_bytes(data)
            code, said = orrery("rollout", served.root / "dynamics", "--session", bad)
            self.assertEqual(code, 1)
            self.assertIn(word, said)
            self.assertIn("bad.orrery", said)
        for option in (("--data", served.root / "clips"), ("--frames", 3), ("--beside",)):
            code, said = orrery("rollout", served.root / "dynamics", "--session", self.files[2], *option)
            self.assertEqual(code, 2)
            self.assertIn(option[0], said)

    def test_play_shows_it_again_and_goes_on_from_there(self):
        seen, _ = self.sessions[3]
        server = Server("--replay", self.files[3], data=False)
        with server.client() as c:
            self.assertEqual(c.hello["replay"], "3.orrery")
            self.assertEqual([x["name"] for x in c.hello["components"]], self.names)  # with no data set open
            frames = [c.begin(replay=True)]
            for _ in seen[1:-1]:
                c.do("step")
                frames.append(c.frame())
            c.do("step")
            f, said = c.both(seen[-1][0], "replayed")
            frames.append(f)
            self.assertEqual([(f.number, f.hash) for f in frames], seen)
            self.assertTrue(said["equal"], said)
            self.assertEqual(said["frames"], len(seen) - 1)
            self.assertEqual(c.step(1, 1).number, seen[-1][0] + 1)
            # by itself: a frame may be missed, none is another
            c.begin(replay=True)
            c.do("go", fps=200)
            for _ in range(5):
                f = c.frame()
                self.assertIn((f.number, f.hash), seen)
            # stopped on the way, and on from there
            c.begin(replay=True)
            for i in range(1, 6):
                c.do("step")
                self.assertEqual(c.frame().hash, seen[i][1])
            c.do("back", frame=seen[5][0])
            self.assertEqual(c.frame().hash, seen[5][1])
            self.assertEqual(c.step(-1, 1).number, seen[5][0] + 1)
            c.do("save")
            self.assertLess(len(c.file()), len(self.sessions[3][1]))
        self.assertEqual(server.stop(), 0)

    def test_a_file_that_is_sent_goes_on_at_its_end(self):
        seen, file = self.sessions[4]
        c = self.clients[4]
        c.do("pause")
        c.send(BINARY, struct.pack("<BB6x", 3, 1) + file)
        c.hear("started")
        f, said = c.both(seen[-1][0], "replayed")
        self.assertEqual(f.hash, seen[-1][1])
        self.assertTrue(said["equal"])
        following = [c.step(1, 0).hash for _ in range(4)]
        c.do("save")
        (served.root / "more.orrery").write_bytes(c.file())
        out = served.root / "more.hashes"
        code, said = orrery("rollout", served.root / "dynamics", "--session", served.root / "more.orrery", "--hashes", out)
        self.assertEqual(code, 0, said)
        self.assertEqual([line.split()[1] for line in out.read_text().splitlines()], [h for _, h in seen] + following)


if __name__ == "__main__":
    main()
