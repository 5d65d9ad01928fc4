#!/usr/bin/env python3
"""Proves golden_check: self_test.py GOLDEN_CHECK FILE. Copies of a golden file with one value moved
beyond its bar must fail and name the value; moved within the bar they must pass."""
import json
import os
import struct
import subprocess
import sys
import tempfile


def main():
    program, path = sys.argv[1:3]
    raw = open(path, "rb").read()
    begin = 8 + struct.unpack("<Q", raw[:8])[0]
    head = json.loads(raw[8:begin])

    def moved(name, relative):
        """The file with the largest value of a tensor moved by a share of itself."""
        kind = {"F32": "f", "I64": "q"}[head[name]["dtype"]]
        a, b = (begin + x for x in head[name]["data_offsets"])
        values = list(struct.unpack(f"<{(b - a) // struct.calcsize(kind)}{kind}", raw[a:b]))
        at = max(range(len(values)), key=lambda i: abs(values[i]))
        values[at] = values[at] + 1 if kind == "q" else values[at] * (1 + relative)
        return raw[:a] + struct.pack(f"<{len(values)}{kind}", *values) + raw[b:]

    cases = [("the file itself", raw, 0, "all within")]
    for name, bar in (("tokenizer.loss", 1e-5), ("dynamics.loss", 1e-5), ("dynamics.out.logits", 1e-5),
                      ("tokenizer.grad.encoder.code.weight", 1e-4), ("dynamics.grad.embed.branch.weight", 1e-4)):
        cases.append((f"{name} moved by twice its bar", moved(name, 2 * bar), 1, name))
        cases.append((f"{name} moved by half its bar", moved(name, 0.5 * bar), 0, "all within"))
        cases.append((f"{name} not a number", moved(name, float("nan")), 1, name))
    cases += [
        ("one code index off", moved("tokenizer.out.index", 0), 1, "1 of"),
        ("an input moved", moved("tokenizer.in.frames", 0.5), 1, "BEYOND"),
        ("a weight moved", moved("dynamics.weight.blocks.1.attn.o.weight", 0.5), 1, "BEYOND"),
        ("the last byte missing", raw[:-1], 1, "truncated"),
        ("a tensor renamed", raw.replace(b"dynamics.in.valid", b"dynamics.in.valix"), 1, "dynamics.in.valid"),
        ("another width in the metadata", raw.replace(b'\\"width\\": 32', b'\\"width\\": 16'), 1, "wanted"),
    ]
    failures = 0
    with tempfile.TemporaryDirectory() as folder:
        copy = os.path.join(folder, "copy.safetensors")
        for words, data, code, expect in cases:
            with open(copy, "wb") as f:
                f.write(data)
            got = subprocess.run([program, copy, "--threads", "1"], capture_output=True, text=True)
            if got.returncode != code or expect not in got.stdout + got.stderr:
                failures += 1
                print(f"{words}: wanted exit {code} and '{expect}', got exit {got.returncode}:\n{got.stdout}{got.stderr}")
    print(f"{len(cases) - failures} of {len(cases)} copies judged rightly")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
