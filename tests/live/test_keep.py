"""What is kept of sessions: files every time they are asked for, films, and a data set."""
import struct
import time
import unittest

from client import BINARY
from served import Served, Server, main, orrery
import served


class Films(Served):
    def test_a_film_is_made_while_the_session_goes_on(self):
        c = self.client()
        c.begin(clip=0)
        for i in range(10):
            c.step(i % 3 - 1, 0)
        for wanted, form, begins in (("gif", 1, b"GIF89a"), (None, 0, b"ftyp"), ("mp4", 0, b"ftyp")):
            c.do("film", **({"format": wanted} if wanted else {}))
            self.assertEqual(c.hear("filming")["frames"], 11)
            while True:
                opcode, payload = c.receive()
                if opcode == BINARY and payload[0] == 18:
                    break
            self.assertEqual(payload[1], form)
            self.assertIn(begins, payload[8:20])
        c.do("film", format="avi")
        self.assertIn("format", c.hear("error")["words"])

    def test_a_way_back_takes_the_film_back(self):
        c = self.client()
        first = c.begin(clip=0)
        for _ in range(20):
            c.step(1, 0)
        c.do("back", frame=first.number + 5)
        c.frame()
        c.do("film", format="gif")
        self.assertEqual(c.hear("filming")["frames"], 6)
        c.file(18)
        c.begin(clip=1)
        c.do("film", format="gif")
        self.assertEqual(c.hear("filming")["frames"], 1)
        c.file(18)

    def test_whoever_leaves_leaves_the_projector_to_others(self):
        for _ in range(3):
            c = self.client()
            c.begin(clip=0)
            c.do("film")
            c.close()
        c = self.client()
        c.begin(clip=0)
        while True:  # that of before may still be at work
            c.do("film")
            said = c.hear("filming", "error")
            if said["say"] == "filming":
                break
            self.assertIn("moment", said["words"])
            time.sleep(0.2)  # who asks as fast as answers come is put out for too many messages
        self.assertTrue(c.file(18))

    def test_a_session_file_comes_every_time(self):
        c = self.client()
        c.begin(clip=0, seed=4)
        sizes = set()
        for i in range(50):
            c.step(i % 3 - 1, 0)
            c.do("save")
            sizes.add(len(c.file()))
            c.do("go", fps=300)
            c.do("save")
            c.file()
            c.do("pause")
        self.assertGreater(len(sizes), 1)


class LetGo(unittest.TestCase):
    def test_who_is_let_go_gets_his_session_and_comes_back_with_it(self):
        server = Server("--idle", 1)
        c = server.client()
        c.begin(clip=0, seed=4, temperature=5)
        for i in range(12):
            last = c.step(i % 3 - 1, 1)
        file = c.file()
        self.assertEqual(c.hear("error")["code"], "idle")
        c.close()
        c = server.client()
        c.send(BINARY, struct.pack("<BB6x", 3, 1) + file)
        self.assertEqual(c.both(last.number, "replayed")[0].hash, last.hash)
        c.send(BINARY, struct.pack("<BB6x", 3, 1) + file)
        c.do("go", fps=100)  # at once, before it is there
        while c.frame().number < last.number + 5:
            pass
        c.close()
        self.assertEqual(server.stop(), 0)


class Record(unittest.TestCase):
    def test_sessions_become_a_data_set(self):
        served.make_world()
        folder = served.root / "recorded"
        server = Server("--record", folder)
        clients = [server.client() for _ in range(2)]
        for i, c in enumerate(clients):
            c.begin(clip=i)
            for t in range(15 + i):
                c.step((t // 2) % 3 - 1, i)
        clients[0].begin(clip=3)  # the first session has ended
        clients[0].step(1, 1)
        watcher = server.client()
        watcher.begin(clip=0)  # nothing was done in it
        for c in (*clients, watcher):
            c.close()
        self.assertEqual(server.stop(), 0, server.said)
        self.assertEqual(sorted(p.name for p in folder.glob("session-*")), [f"session-{i:05}.orrery" for i in range(3)])
        self.assertEqual(sorted(p.name for p in folder.glob("shard-*")), [f"shard-{i:05}.h5" for i in range(3)])
        code, said = orrery("data", "verify", folder)
        self.assertEqual(code, 0, said)
        for session in folder.glob("session-*"):
            code, said = orrery("rollout", served.root / "dynamics", "--session", session, "--device", "cpu")
            self.assertEqual(code, 0, said)
        code, said = orrery("play", served.root / "dynamics", "--record", served.root / "clips", "--port", 0)
        self.assertEqual(code, 1)
        self.assertIn("--record", said)


if __name__ == "__main__":
    main()
