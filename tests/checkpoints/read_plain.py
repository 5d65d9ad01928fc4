"""Reads ROOT's latest checkpoint with nothing but numpy and compares with ROOT/NAME.raw."""
import json, os, sys

try:
    import numpy as np
except ImportError:
    sys.exit(77)

root = sys.argv[1]
folder = os.path.join(root, open(os.path.join(root, "latest")).read().strip())
with open(os.path.join(folder, "model.safetensors.index.json")) as f:
    index = json.load(f)["weight_map"]
tensors = {}
for name in sorted(set(index.values())):
    data = open(os.path.join(folder, name), "rb").read()
    start = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:start])
    header.pop("__metadata__")
    for key, t in header.items():
        first, end = t["data_offsets"]
        tensors[key] = np.frombuffer(data[start + first:start + end], "<f4").reshape(t["shape"])
assert sorted(tensors) == sorted(index) == sorted(f[:-4] for f in os.listdir(root) if f.endswith(".raw"))
for key, got in tensors.items():
    assert got.tobytes() == open(os.path.join(root, key + ".raw"), "rb").read(), key
