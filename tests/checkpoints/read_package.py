"""Reads ROOT's latest checkpoint with the safetensors package and compares with ROOT/NAME.raw."""
import glob, os, sys

try:
    from safetensors.numpy import load_file
except ImportError:
    sys.exit(77)

root = sys.argv[1]
folder = os.path.join(root, open(os.path.join(root, "latest")).read().strip())
tensors = {}
for path in sorted(glob.glob(os.path.join(folder, "model-*.safetensors"))):
    tensors.update(load_file(path))
assert tensors and all(glob.glob(os.path.join(root, glob.escape(key) + ".raw")) for key in tensors)
for key, got in tensors.items():
    assert got.tobytes() == open(os.path.join(root, key + ".raw"), "rb").read(), key
assert len(tensors) == len(glob.glob(os.path.join(root, "*.raw")))
for path in glob.glob(os.path.join(folder, "optim-*.safetensors")):
    assert load_file(path)
