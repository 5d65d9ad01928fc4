"""Writes the seeds of fuzz_session and fuzz_wire: python3 this. The sums of session files are made right by the target."""
import json
import os
import struct
import zlib

HERE = os.path.dirname(os.path.abspath(__file__))


def store(folder, name, data):
    os.makedirs(os.path.join(HERE, folder), exist_ok=True)
    with open(os.path.join(HERE, folder, name), "wb") as f:
        f.write(data)


def session(level, components, positions, prompt, runs, **more):
    frames = sum(n for n, _ in runs)
    head = {"checkpoint": "0123456789abcdef" * 2, "tokenizer": "fedcba9876543210" * 2, "ema": True, "branch": 0, "fps": 10.0,
            "components": components, "positions": positions, "prompt": prompt, "frames": frames, "window": 3, "seed": 1,
            "sample": 0, "steps": 2, "temperature": 0.5, "choice_temperature": 1.0, **more}
    body = struct.pack(f"<{prompt * positions}I", *range(prompt * positions)) + bytes(4 * (prompt - 1) * components)
    for n, action in runs:
        while n >= 128:
            body += bytes([n & 127 | 128])
            n >>= 7
        body += bytes([n]) + struct.pack(f"<{components}f", *action)
    body += bytes(8 * (frames // 256 + 1))
    packed, text = zlib.compress(body, level), json.dumps(head).encode()
    return b"orrsess1" + struct.pack("<III", len(text), len(packed), len(body)) + text + packed + bytes(16)


store("session", "empty", session(9, 1, 2, 1, []))
store("session", "stored", session(0, 2, 6, 3, [(5, (1, 0)), (1, (0, 0)), (300, (0, -1))]))
store("session", "packed", session(9, 2, 6, 2, [(1000, (1, 0)), (70000, (0, 0))], mapping={"keys": [{"code": "KeyW"}]}, start={"set": "test"}))


def frame(opcode, payload, final=True, mask=b"\1\2\3\4"):
    n = len(payload)
    size = struct.pack("!B", 128 | n) if n < 126 else struct.pack("!BH", 128 | 126, n) if n < 65536 else struct.pack("!BQ", 128 | 127, n)
    return bytes([(128 if final else 0) | opcode]) + size + mask + bytes(b ^ mask[i % 4] for i, b in enumerate(payload))


message = struct.pack("<BBHId2f", 1, 0, 2, 7, 1.5, 1.0, -1.0)
picture = struct.pack("<B3xHH", 2, 2, 1) + bytes(6)
store("wire", "input", frame(2, message))
store("wire", "plain_input", message)
store("wire", "plain_picture", picture)
store("wire", "words", frame(1, b'{"do":"start","set":0,"clip":1}') + frame(1, b'{"do":"go"}') + frame(2, picture))
store("wire", "pieces", frame(2, message[:9], False) + frame(9, b"here") + frame(0, message[9:]) + frame(8, b"\x03\xe8bye"))
store("wire", "long", frame(1, b"x" * 300) + frame(2, bytes(5000)))
store("wire", "pings", frame(9, b"") * 80 + frame(10, b"x"))
store("wire", "unmasked", b"\x82\x02hi" + b"\xff\xff" + bytes(20))
