"""Shards and h5py: `shard_check.py write DIR` writes shards as a person with h5py would, in every form
that version 1 allows; `shard_check.py read FILE` prints the sums that test_h5py.c compares."""
import sys

import h5py
import numpy as np

FRAMES, SIDE, TOKENS, OFFSETS = 150, 8, 5, [0, 40, 41, 150]


def arrays():
    t = np.arange(FRAMES)
    frames = (t[:, None, None, None] * 13 + np.arange(SIDE * SIDE * 3).reshape(SIDE, SIDE, 3)) % 251
    tokens = (t[:, None] * 7 + np.arange(TOKENS)) % 900
    return frames.astype("u1"), tokens, np.stack([t * 0.5, -t], 1)


def write(path, tokens_as="u2", text=str, big_endian=False, chunks=True, names=("left", "right"), **packing):
    frames, tokens, actions = arrays()
    order = ">" if big_endian else "<"
    with h5py.File(path, "w") as f:
        f.attrs["orrery_shard"] = np.int32(1)
        f.attrs["fps"] = np.float32(12.5)
        f.attrs["branch"] = text("worlds")
        f.attrs["source"] = text("h5py")
        f.attrs["action_names"] = [text(n) for n in names]
        rows = lambda x: (10,) + x.shape[1:] if chunks else None
        f.create_dataset("frames", data=frames, chunks=rows(frames), **packing)
        f.create_dataset("tokens", data=tokens.astype(order + tokens_as), chunks=rows(tokens), **packing)
        f.create_dataset("actions", data=actions.astype(order + "f4"), chunks=rows(actions), **packing)
        f["episode_offsets"] = np.array(OFFSETS, order + "i8")


def read(path):
    with h5py.File(path, "r") as f:
        a = f.attrs
        assert a["orrery_shard"] == 1 and a["branch"] == b"worlds" and a["fps"] == 10, dict(a)
        assert [n.decode() for n in a["action_names"]] == ["left", "right"], a["action_names"]
        weights = lambda x: np.arange(1, x.size + 1) % 1009
        for name in ("frames", "tokens", "actions", "state"):
            x = f[name][...].astype("f8").ravel()
            print(name, f[name].shape, f[name].dtype, int(round((x * weights(x)).sum())))
        print("episode_offsets", f["episode_offsets"][...].tolist())


if sys.argv[1] == "read":
    read(sys.argv[2])
else:
    folder = sys.argv[2]
    write(folder + "/plain.h5", chunks=False)
    write(folder + "/chunked.h5")
    write(folder + "/gzip.h5", compression="gzip")
    write(folder + "/shuffled.h5", compression="gzip", shuffle=True)
    write(folder + "/lzf.h5", compression="lzf")
    write(folder + "/wide.h5", tokens_as="u4", big_endian=True)
    write(folder + "/bytes.h5", text=np.bytes_)
