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


def write(path, tokens_as="u2", text=str, big_endian=False, chunks=True, cut=False, file={}, **packing):
    frames, tokens, actions = arrays()
    order = ">" if big_endian else "<"
    with h5py.File(path, "w", **file) as f:
        f.attrs["orrery_shard"] = np.int32(1)
        f.attrs["fps"] = np.float32(12.5)
        f.attrs["branch"] = text("worlds")
        f.attrs["source"] = text("h5py")
        f.attrs["action_names"] = [text(n) for n in ("left", "right")]
        rows = lambda x: ((16, 4) if cut and x.ndim > 2 else (16,)) + x.shape[2 if cut and x.ndim > 2 else 1:]
        rows = rows if chunks else lambda x: None
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
    write(folder + "/shuffled_lzf.h5", compression="lzf", shuffle=True)
    write(folder + "/checksummed.h5", compression="gzip", fletcher32=True)
    write(folder + "/cut.h5", compression="gzip", cut=True)
    write(folder + "/behind.h5", file={"userblock_size": 1024})
    write(folder + "/behind_plain.h5", chunks=False, file={"userblock_size": 1024})
    write(folder + "/latest.h5", compression="gzip", file={"libver": "latest"})
    write(folder + "/wide.h5", tokens_as="u4", big_endian=True)
    write(folder + "/bytes.h5", text=np.bytes_)
