#!/usr/bin/env python3
"""Where a run's metrics go: a real Pushgateway, one that dies half-way, a webhook that first refuses, and
TensorBoard's own reader.

usage: sinks.py BIN_DIR    BIN_DIR/orrery trains, BIN_DIR/slurm_small_set writes what it trains on
"""
import glob
import http.server
import json
import shutil
import socket
import subprocess
import sys
import threading
import time
import unittest
import urllib.request

from small_run import SmallRun

GATEWAY = "prometheus-pushgateway"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Webhook(http.server.BaseHTTPRequestHandler):
    """Refuses the first message once; keeps what it was told afterwards."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.tries += 1
        refused = self.server.tries == 1
        if not refused:
            self.server.told.append(json.loads(body))
        self.send_response(503 if refused else 204)
        self.end_headers()

    def log_message(self, *words):
        pass


class ShortLived(http.server.BaseHTTPRequestHandler):
    """A gateway that takes one push and is gone before it has been answered."""

    def do_PUT(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.server_close()
        self.send_response(202)
        self.end_headers()

    def log_message(self, *words):
        pass


class Sinks(SmallRun):
    @classmethod
    def setUpClass(cls):
        """Runs that wait for answers do so beside the other tests."""
        super().setUpClass()
        cls.deaf = socket.socket()  # takes connections into its queue, and that is all
        cls.addClassCleanup(cls.deaf.close)
        cls.deaf.bind(("127.0.0.1", 0))
        cls.deaf.listen(8)
        # A request is given up after ten seconds: a run that waited for each of its steps to be sent would be at it
        # for 2,000 s.
        cls.held = cls.begin("held", f"metrics.pushgateway=http://127.0.0.1:{cls.deaf.getsockname()[1]}",
                             "metrics.push_every_s=0.1", "train.steps=200")
        cls.vague = cls.begin("vague", "metrics.webhook=nonsense://x")
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Webhook)
        server.tries, server.told = 0, []
        threading.Thread(target=server.serve_forever, daemon=True).start()
        cls.addClassCleanup(server.server_close)
        cls.addClassCleanup(server.shutdown)
        secret = cls.data / "webhook"
        secret.write_text(f"http://127.0.0.1:{server.server_address[1]}/hook/s3cr3t\n")
        cls.server, cls.told = server, cls.begin("told", f"metrics.webhook=@{secret}")

    @classmethod
    def begin(cls, name, *more):
        run = subprocess.Popen(cls.words(cls.data / name, *more), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        cls.addClassCleanup(run.wait)
        cls.addClassCleanup(run.kill)
        return run

    def said_by(self, run):
        """What a run that `begin` started has to say, once it has ended as it should."""
        said = run.communicate(timeout=600)[1]
        self.assertEqual(run.returncode, 0, said)
        return said

    def train(self, name, *more):
        # the time-out is for what hangs
        return subprocess.run(self.command(name, *more), capture_output=True, text=True, timeout=600, check=False)

    def start_gateway(self, port):
        if not shutil.which(GATEWAY):
            self.skipTest(f"no {GATEWAY}")
        # Debian's keeps what it is told in a file of the system, and tells it the next one
        gateway = subprocess.Popen([GATEWAY, f"--web.listen-address=127.0.0.1:{port}", "--persistence.file="],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(gateway.wait)
        self.addCleanup(gateway.kill)
        while gateway.poll() is None:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/-/ready").close()
                return gateway
            except OSError:
                time.sleep(0.05)
        self.fail(f"{GATEWAY} ended with {gateway.returncode}")

    def shown(self, port):
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
            return [l for l in answer.read().decode().splitlines() if l.startswith("orrery_")]

    def run_until(self, port, name, restarts):
        """A run that was restarted so often, and what the gateway shows once this process has a checkpoint."""
        push = (f"metrics.pushgateway=http://127.0.0.1:{port}/", "metrics.push_every_s=0.1", "metrics.job=nightly")
        run = subprocess.Popen(self.command(name, "train.steps=100000", "ckpt.every=2", *push),
                               stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.addCleanup(run.kill)
        lines = []
        values = {}
        while run.poll() is None and not (values.get("orrery_restarts") == restarts and "orrery_checkpoint_step" in values):
            time.sleep(0.02)
            lines = self.shown(port)
            values = {l.split("{")[0]: float(l.split()[-1]) for l in lines}
        return run, lines, values

    def test_a_pushgateway_shows_the_run_while_it_lives(self):
        port = free_port()
        self.start_gateway(port)
        run, lines, values = self.run_until(port, "pushed", 0)
        self.assertTrue(all('job="nightly"' in l and f'run="{self.root / "pushed"}"' in l for l in lines), lines)
        self.assertEqual([l.split('state="')[1].split('"')[0] for l in lines if l.startswith("orrery_state")], ["training"])
        self.assertEqual(values["orrery_lost_steps"], 0)
        self.assertTrue(0 < values["orrery_goodput"] <= 1, lines)
        self.assertGreater(values["orrery_checkpoint_time_seconds"], 1e9)
        run.kill()  # nobody says that it is over
        run.wait(timeout=600)
        values = {l.split("{")[0]: float(l.split()[-1]) for l in self.shown(port)}
        line = self.lines("pushed")[int(values["orrery_step"]) - 1]
        self.assertEqual(line["step"], values["orrery_step"])
        self.assertAlmostEqual(values["orrery_loss"], line["loss"], delta=1e-8)
        again, lines, values = self.run_until(port, "pushed", 1)
        start = [h for h in self.lines("pushed", "history.jsonl") if h["event"] == "start"][-1]
        self.assertEqual(values["orrery_lost_steps"], start["lost_steps"])
        again.terminate()  # it stops and saves
        said = again.communicate(timeout=600)[1]
        self.assertEqual(again.returncode, 85, said)
        self.assertEqual(self.shown(port), [])

    def test_a_gateway_that_dies_changes_nothing(self):
        self.assertEqual(self.train("plain", "train.steps=400").returncode, 0)
        gateway = http.server.HTTPServer(("127.0.0.1", 0), ShortLived)
        life = threading.Thread(target=gateway.handle_request)  # one push, and that is all
        life.start()
        done = self.train("bereft", "train.steps=400", "metrics.push_every_s=0.1",
                          f"metrics.pushgateway=http://127.0.0.1:{gateway.server_address[1]}")
        life.join(timeout=600)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.losses("bereft"), self.losses("plain"))
        self.assertEqual(done.stderr.count("metrics.pushgateway: "), 1, done.stderr)  # one warning, not one a push

    def test_a_gateway_that_never_answers_does_not_hold_the_run(self):
        said = self.said_by(self.held)
        self.assertEqual(len(self.losses(self.data / "held")), 200)
        # at its end; or, where the run takes longer than a request, before
        self.assertRegex(said, "did not reach their sinks|metrics.pushgateway: .*; training goes on")

    def test_a_webhook_hears_of_every_change_of_state(self):
        said = self.said_by(self.told)
        told = self.server.told
        self.assertEqual([m["state"] for m in told], ["ready", "finished"])
        self.assertEqual(told[-1]["step"], 12)
        self.assertEqual(told[-1]["run"], str(self.data / "told"))
        kept = (self.data / "told" / "config.yaml").read_text() + said
        self.assertNotIn("s3cr3t", kept)

    def test_an_address_without_a_scheme_is_one_warning(self):
        said = self.said_by(self.vague)
        self.assertEqual(said.count("metrics.webhook: "), 1, said)

    def test_tensorboard_reads_every_step(self):
        try:
            from tensorboard.backend.event_processing import event_accumulator
        except ImportError as missing:
            self.skipTest(f"{missing}: see tests/python.txt")
        self.assertEqual(self.train("seen", "train.steps=7").returncode, 0)
        self.assertEqual(self.train("seen", "train.steps=12").returncode, 0)
        self.assertEqual(len(glob.glob(str(self.root / "seen/tensorboard/events.out.tfevents.*"))), 2)
        events = event_accumulator.EventAccumulator(str(self.root / "seen" / "tensorboard"))
        events.Reload()
        lines = self.lines("seen")
        for tag in ("loss", "lr", "grad_norm"):
            shown = events.Scalars(tag)
            self.assertEqual([e.step for e in shown], [l["step"] for l in lines])
            for e, l in zip(shown, lines):
                self.assertAlmostEqual(e.value, l[tag], delta=1e-6 * abs(l[tag]))  # float32

    def test_history_tells_of_every_process(self):
        self.assertEqual(self.train("twice", "train.steps=7", "ckpt.every=0").returncode, 0)
        self.assertEqual(self.train("twice", "train.steps=9", "ckpt.every=0").returncode, 0)
        history = self.lines("twice", "history.jsonl")
        self.assertEqual([(h["event"], h["step"]) for h in history],
                         [("start", 0), ("ready", 0), ("saved", 7), ("finished", 7), ("start", 7), ("ready", 7),
                          ("finished", 9)])


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
