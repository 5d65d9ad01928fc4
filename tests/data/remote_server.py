#!/usr/bin/env python3
"""A web server with planned faults, and an object store that checks signatures, for tests.

    remote_server.py --root DIR --log FILE [--port N] [--tls CERT KEY] [--bucket NAME] [--token] [--fault RULE]...

Serves the files below DIR with ranges and ETags. Prints its port, and ends when its stdin does. Each
request is one line of the log: path, range or '-', status, whether it carried an Authorization.

--bucket makes it a store: /NAME/KEY is DIR/KEY, and each request needs a valid signature version 4 by
KEY and SECRET below (and TOKEN with --token), computed here from Amazon's description of it.

A rule is PART,TIMES,KIND[,ARG...]: the next TIMES requests (-1 = all) whose path holds PART
  status CODE [SECONDS]  are refused, with Retry-After;     error CODE NAME  the same, as a store says it
  cut N                  are cut off after N bytes;         short N          lose their last N bytes
  wrong N                have byte N of the file changed;   long N           have N more bytes
  slow N                 come with N bytes a second;        whole            come whole, whatever the range
  redirect URL           are sent to URL + path;            hang             get no answer"""
import argparse
import datetime
import hashlib
import hmac
import http.server
import os
import ssl
import sys
import threading
import time
import urllib.parse

KEY, SECRET, TOKEN, REGION = "AKIDTESTTESTTESTTEST", "verySECRETtestKEYverySECRETtest+/0123456", "toKen+/=0123", "eu-test-1"


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def mac(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def signature(secret, method, path, query, headers, signed, payload, stamp, scope):
    """Signature version 4: headers maps lower-case names to values, path is as it was sent."""
    uri = urllib.parse.quote(urllib.parse.unquote(path), safe="/-_.~")
    pairs = sorted(urllib.parse.parse_qsl(query, keep_blank_values=True))
    canonical_query = "&".join(f"{urllib.parse.quote(k, safe='-_.~')}={urllib.parse.quote(v, safe='-_.~')}" for k, v in pairs)
    lines = "".join(f"{name}:{' '.join(headers[name].split())}\n" for name in signed)
    request = "\n".join((method, uri, canonical_query, lines, ";".join(signed), payload))
    text = "\n".join(("AWS4-HMAC-SHA256", stamp, scope, sha256(request.encode())))
    key = ("AWS4" + secret).encode()
    for part in scope.split("/"):
        key = mac(key, part)
    return mac(key, text).hex()


def self_test():
    """The example "GET Object" of Amazon's description."""
    empty = sha256(b"")
    headers = {"host": "examplebucket.s3.amazonaws.com", "range": "bytes=0-9", "x-amz-content-sha256": empty,
               "x-amz-date": "20130524T000000Z"}
    got = signature("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "GET", "/test.txt", "", headers, sorted(headers), empty,
                    headers["x-amz-date"], "20130524/us-east-1/s3/aws4_request")
    wanted = "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
    return 0 if got == wanted else f"signature is {got}, wanted {wanted}"


class Refusal(Exception):
    pass


def check_signature(handler, token):
    """Raises Refusal with the store's error name unless the request is signed as it must be."""
    headers = {k.lower(): v for k, v in handler.headers.items()}
    given = headers.get("authorization", "")
    if not given:
        raise Refusal("AccessDenied")
    if not given.startswith("AWS4-HMAC-SHA256 "):
        raise Refusal("InvalidRequest")
    parts = dict(p.strip().split("=", 1) for p in given[len("AWS4-HMAC-SHA256 "):].split(","))
    key, _, scope = parts["Credential"].partition("/")
    signed = parts["SignedHeaders"].split(";")
    stamp = headers.get("x-amz-date", "")
    if key != KEY:
        raise Refusal("InvalidAccessKeyId")
    needed = {"host"} | {name for name in headers if name.startswith("x-amz-")}
    if not needed <= set(signed) or signed != sorted(signed) or "x-amz-content-sha256" not in headers:
        raise Refusal("SignatureDoesNotMatch")
    when = datetime.datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=datetime.timezone.utc)
    if abs((datetime.datetime.now(datetime.timezone.utc) - when).total_seconds()) > 900:
        raise Refusal("RequestTimeTooSkewed")
    if scope != f"{stamp[:8]}/{REGION}/s3/aws4_request":
        raise Refusal("AuthorizationHeaderMalformed")
    if headers.get("x-amz-security-token", "") != token:
        raise Refusal("ExpiredToken")
    path, _, query = handler.path.partition("?")
    wanted = signature(SECRET, handler.command, path, query, headers, signed, headers["x-amz-content-sha256"], stamp, scope)
    if not hmac.compare_digest(wanted, parts["Signature"]):
        raise Refusal("SignatureDoesNotMatch")


class Rules:
    def __init__(self, texts):
        self.lock = threading.Lock()
        self.rules = [(r[0], [int(r[1])], r[2], r[3:]) for r in (t.split(",") for t in texts)]

    def next_for(self, path):
        with self.lock:
            for part, left, kind, args in self.rules:
                if part in path and left[0] != 0:
                    left[0] -= left[0] > 0
                    return kind, args
        return None, []


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def note(self, status):
        line = f"{self.path} {self.headers.get('Range', '-')} {status} {'signed' if self.headers.get('Authorization') else 'open'}\n"
        os.write(self.server.log, line.encode())

    def refuse(self, status, headers=(), text=b""):
        self.note(status)
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def refuse_as_store(self, status, name):
        text = f"<?xml version='1.0'?><Error><Code>{name}</Code><Message>words {KEY}</Message></Error>"
        self.refuse(status, [("Content-Type", "application/xml")], text.encode())

    def do_GET(self):
        kind, args = self.server.rules.next_for(self.path)
        if kind == "status":
            return self.refuse(int(args[0]), [("Retry-After", args[1])] if len(args) > 1 else [])
        if kind == "error":
            return self.refuse_as_store(int(args[0]), args[1])
        if kind == "redirect":
            return self.refuse(302, [("Location", args[0] + self.path)])
        if kind == "hang":
            self.note(0)
            time.sleep(3600)
        name = urllib.parse.unquote(self.path.partition("?")[0]).lstrip("/")
        if self.server.bucket:
            try:
                check_signature(self, self.server.token)
            except Refusal as e:
                return self.refuse_as_store(400 if str(e) == "ExpiredToken" else 403, str(e))
            bucket, _, name = name.partition("/")
            if bucket != self.server.bucket:
                return self.refuse_as_store(404, "NoSuchBucket")
        path = os.path.join(self.server.root, name)
        if ".." in name.split("/") or not os.path.isfile(path):
            return self.refuse_as_store(404, "NoSuchKey") if self.server.bucket else self.refuse(404)
        with open(path, "rb") as f:
            self.send_file(f.read(), kind, [int(a) for a in args])

    def send_file(self, data, kind, args):
        etag = f'"{hashlib.md5(data).hexdigest()}"'
        if kind == "wrong":
            data = data[:args[0]] + bytes([data[args[0]] ^ 1]) + data[args[0] + 1:]
        elif kind == "short":
            data = data[:-args[0]]
        elif kind == "long":
            data += bytes(args[0])
        first, wanted = 0, self.headers.get("Range")
        if wanted and kind != "whole" and self.headers.get("If-Range", etag) == etag:
            first = int(wanted[len("bytes="):].partition("-")[0])
            if first >= len(data):
                return self.refuse(416, [("Content-Range", f"bytes */{len(data)}")])
        self.note(206 if first else 200)
        self.send_response(206 if first else 200)
        if first:
            self.send_header("Content-Range", f"bytes {first}-{len(data) - 1}/{len(data)}")
        self.send_header("ETag", etag)
        self.send_header("Content-Length", str(len(data) - first))
        self.end_headers()
        self.send_body(data[first:], kind, args)

    def send_body(self, body, kind, args):
        try:
            if kind == "cut":
                self.wfile.write(body[:args[0]])
                self.wfile.flush()
                self.close_connection = True
            elif kind == "slow":
                step = max(1, args[0] // 10)
                for at in range(0, len(body), step):
                    self.wfile.write(body[at:at + step])
                    self.wfile.flush()
                    time.sleep(0.1)
            else:
                self.wfile.write(body)
        except (BrokenPipeError, ConnectionResetError, ssl.SSLError):
            self.close_connection = True


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request, address):
        pass  # a client that went away


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--self-test", action="store_true")
    p.add_argument("--root")
    p.add_argument("--log")
    p.add_argument("--port", type=int, default=0)
    p.add_argument("--tls", nargs=2)
    p.add_argument("--bucket")
    p.add_argument("--token", action="store_true")
    p.add_argument("--fault", action="append", default=[])
    a = p.parse_args()
    if a.self_test:
        return self_test()
    server = Server(("127.0.0.1", a.port), Handler)
    server.root, server.bucket, server.token = a.root, a.bucket, TOKEN if a.token else ""
    server.rules = Rules(a.fault)
    server.log = os.open(a.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    if a.tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*a.tls)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    os.write(1, f"{server.server_address[1]}\n".encode())  # one write: the reader closes the pipe after it
    sys.stdin.read()
    return 0


if __name__ == "__main__":
    sys.exit(main())
