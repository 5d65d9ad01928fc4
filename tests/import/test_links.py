"""HDF5 files whose rows lie elsewhere or nowhere: links, virtual datasets, raw data in other files, chunks that
were never written, packings that nobody has. Recordings are read where everything lies inside the imported
folder, else refused by name; shards hold their rows themselves. Nothing crashes and nothing becomes black frames."""
import glob
import os
import shutil
import subprocess

import h5py
import numpy as np

import scene
from program import ORRERY, ImportTest, main, run

TRAIN = """
run: {{dir: {root}/run}}
train: {{stage: tokenizer, steps: 1, batch: 1}}
optim: {{warmup_steps: 0, decay_steps: 0}}
data: {{train: ["{root}/set"], frames: 1}}
model: {{actions: 2}}
tokenizer: {{patch: 16, rows: 3, cols: 4, levels: [8, 8], width: 16, heads: 2, kv_heads: 2, hidden: 16, layers: 1}}
"""


class Foreign(ImportTest):
    """A recording in folder `in`, whose pictures `hide` puts elsewhere."""

    def setUp(self):
        super().setUp()
        self.a = scene.actions(20)
        self.frames = scene.frames(self.a)
        os.makedirs(self.path("in", "src"))
        os.makedirs(self.path("out-of-it"))
        self.file = self.path("in", "episode_0.hdf5")

    def act(self, hide, a=None):
        with h5py.File(self.file, "w") as f:
            f["action"] = self.a if a is None else a
            hide(f, f.create_group("observations/images"))

    def store(self, *parts, rows=None, **extra):
        """The pictures in a file of their own."""
        with h5py.File(self.path(*parts), "w") as f:
            d = f.create_dataset("top", self.frames.shape, "u1", **extra)
            d[slice(rows)] = self.frames[:rows]
        return self.path(*parts)

    def is_source(self, *words, source=None):
        (frames, actions), = self.imported(source or self.path("in"), *words)[0]
        np.testing.assert_array_equal(frames, self.frames)
        self.assertEqual(scene.misaligned(frames, actions), [])

    def names(self, message, *words):
        for word in words:
            self.assertIn(word, message)


class Recordings(Foreign):
    def test_links_inside_the_folder_are_followed(self):
        self.store("in", "src", "images.h5")
        self.act(lambda f, g: g.__setitem__("top", h5py.ExternalLink("src/images.h5", "/top")))
        self.is_source()  # and src/images.h5 is no recording of its own
        os.remove(self.path("in", "src", "images.h5"))
        self.act(lambda f, g: (f.__setitem__("pictures", self.frames), g.__setitem__("top", h5py.SoftLink("/pictures"))))
        self.is_source()
        # an external group, and a soft link through an external link
        with h5py.File(self.path("in", "src", "images.h5"), "w") as f:
            f["cameras/top"] = self.frames
        self.act(lambda f, g: (f.__setitem__("away", h5py.ExternalLink("src/images.h5", "/cameras")),
                               g.__setitem__("top", h5py.SoftLink("/away/top"))))
        self.is_source()

    def test_links_out_of_the_folder_are_refused(self):
        self.store("out-of-it", "images.h5")
        for target in ("../out-of-it/images.h5", self.path("out-of-it", "images.h5")):
            self.act(lambda f, g: g.__setitem__("top", h5py.ExternalLink(target, "/top")))
            self.names(self.refused(self.path("in")), self.file, "/observations/images/top", "external link", "images.h5:/top", "lies outside of " + self.path("in"))
        os.symlink(self.path("out-of-it", "images.h5"), self.path("in", "src", "inside.h5"))
        self.act(lambda f, g: g.__setitem__("top", h5py.ExternalLink("src/inside.h5", "/top")))
        self.names(self.refused(self.path("in"), "--camera", "top"), "lies outside of " + self.path("in"))
        # the whole of the observations
        with h5py.File(self.file, "w") as f:
            f["action"] = self.a
            f["observations"] = h5py.ExternalLink("../out-of-it/images.h5", "/")
        self.names(self.refused(self.path("in", "episode_0.hdf5"), "--format", "act"), "/observations", "lies outside")

    def test_links_to_nothing_are_refused(self):
        self.act(lambda f, g: g.__setitem__("top", h5py.SoftLink("/pictures")))
        self.names(self.refused(self.path("in"), "--camera", "top"), self.file, "soft link to /pictures", "not there")
        self.act(lambda f, g: g.__setitem__("top", h5py.ExternalLink("gone.h5", "/top")))
        self.names(self.refused(self.path("in"), "--camera", "top"), "external link to gone.h5:/top", "not there")
        self.act(lambda f, g: g.__setitem__("top", h5py.SoftLink("/observations/images/top")))
        self.names(self.refused(self.path("in"), "--camera", "top"), "soft link")
        self.act(lambda f, g: (g.__setitem__("top", self.frames), f.__delitem__("action"),
                               f.__setitem__("action", h5py.ExternalLink("gone.h5", "/a"))))
        self.names(self.refused(self.path("in")), "/action", "external link to gone.h5:/a")

    def virtual(self, sources, shape=None):
        """sources: (path in the file, first row, rows)."""
        def hide(f, g):
            layout = h5py.VirtualLayout(shape or self.frames.shape, "u1")
            for path, first, rows in sources:
                layout[first : first + rows] = h5py.VirtualSource(path, "top", self.frames.shape)[first : first + rows]
            g.create_virtual_dataset("top", layout)
        self.act(hide)

    def test_virtual_datasets_need_every_source(self):
        self.store("in", "src", "a.h5")
        self.store("in", "src", "b.h5")
        self.virtual([("src/a.h5", 0, 12), ("src/b.h5", 12, 8)])
        self.is_source()
        self.virtual([("src/a.h5", 0, 12), ("src/c.h5", 12, 8)])
        self.names(self.refused(self.path("in", "episode_0.hdf5")), self.file, "virtual dataset", "src/c.h5:top", "not there")
        self.virtual([("src/a.h5", 0, 12), ("src/b.h5", 15, 5)])
        self.names(self.refused(self.path("in", "episode_0.hdf5")), "17 of 20")
        shutil.move(self.path("in", "src", "b.h5"), self.path("out-of-it", "b.h5"))
        self.virtual([("src/a.h5", 0, 12), ("../out-of-it/b.h5", 12, 8)])
        self.names(self.refused(self.path("in", "episode_0.hdf5")), "../out-of-it/b.h5:top", "lies outside")
        self.store("in", "src", "b.h5", rows=15, chunks=(1, *self.frames.shape[1:]))
        self.virtual([("src/a.h5", 0, 12), ("src/b.h5", 12, 8)])
        self.names(self.refused(self.path("in", "episode_0.hdf5")), "src/b.h5", "3 of 8")

    def test_raw_data_in_other_files(self):
        raw = self.path("in", "src", "frames.bin")
        self.frames.tofile(raw)
        hide = lambda name: lambda f, g: g.create_dataset("top", self.frames.shape, "u1", external=[(name, 0, self.frames.nbytes)])
        for name in ("src/frames.bin", raw):
            self.act(hide(name))
            self.is_source()
        os.truncate(raw, self.frames.nbytes - 1)
        self.names(self.refused(self.path("in")), self.file, "frames.bin", f"wanted {self.frames.nbytes}")
        os.rename(raw, self.path("out-of-it", "frames.bin"))
        self.names(self.refused(self.path("in")), "frames.bin", "not there")
        self.act(hide("../out-of-it/frames.bin"))
        self.names(self.refused(self.path("in")), "../out-of-it/frames.bin", "lies outside")

    def test_rows_that_were_never_written_are_counted(self):
        chunk = (1, *self.frames.shape[1:])
        for rows, extra in ((13, {"chunks": chunk}), (13, {"chunks": chunk, "compression": "gzip"}), (0, {"chunks": chunk}), (0, {}),
                            (13, {"chunks": (1, 24, 32, 3)})):
            def hide(f, g):
                d = g.create_dataset("top", self.frames.shape, "u1", **extra)
                if rows:
                    d[:rows] = self.frames[:rows]
            self.act(hide)
            self.names(self.refused(self.path("in")), self.file, "/observations/images/top", f"{rows} of 20")
        with h5py.File(self.file, "w") as f:
            f["observations/images/top"] = self.frames
            f.create_dataset("action", (20, 2), "f8")
        self.names(self.refused(self.path("in")), "/action", "0 of 20")

    def test_other_packings_and_types_are_named(self):
        def pack(f, g):
            create = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
            create.set_chunk((20, *self.frames.shape[1:]))
            create.set_filter(32015, h5py.h5z.FLAG_OPTIONAL)
            space = h5py.h5s.create_simple(self.frames.shape)
            h5py.Dataset(h5py.h5d.create(g.id, b"top", h5py.h5t.STD_U8LE, space, create))[...] = self.frames
        self.act(pack)
        self.names(self.refused(self.path("in")), self.file, "/observations/images/top", "filter 32015")
        self.act(lambda f, g: g.create_dataset("top", data=[f.ref] * 20, dtype=h5py.ref_dtype))
        self.names(self.refused(self.path("in"), "--camera", "top"), self.file, "/observations/images/top", "object reference")
        self.act(lambda f, g: g.create_group("top"))
        self.names(self.refused(self.path("in"), "--camera", "top"), self.file, "top", "group")


class Shards(Foreign):
    def setUp(self):
        super().setUp()
        self.set = self.path("set")
        self.act(lambda f, g: g.__setitem__("top", self.frames))
        run("import", self.path("in"), "--out", self.set)
        self.good = self.path("set", "shard-00000.h5")
        with open(self.path("c.yaml"), "w") as f:
            f.write(TRAIN.format(root=self.dir))

    def everywhere(self, *words):
        """inspect, verify and train name the fault in one line."""
        for command in (["data", "inspect", self.set], ["data", "verify", self.set], ["data", "verify", self.set, "--index"],
                        ["train", self.path("c.yaml")]):
            done = subprocess.run([ORRERY, *command], capture_output=True, text=True, timeout=300)
            self.assertEqual(done.returncode, 1, (command, done.stderr))
            if "index.json says" not in done.stderr:  # where verify sees at once that it is another file
                self.names(done.stderr, *words)
            self.assertIn(self.good, done.stderr)

    def rebuilt(self, name, **extra):
        """Takes one dataset out of the shard and returns the file, open, and the rows."""
        f = h5py.File(self.good, "r+")
        rows = f[name][...]
        del f[name]
        return f, rows

    def test_rows_that_lie_elsewhere_are_refused(self):
        with open(self.good, "rb") as f:
            good = f.read()
        with h5py.File(self.path("set", "other.h5"), "w") as f:
            f["frames"] = self.frames
        for name in ("frames", "actions", "episode_offsets"):
            f, rows = self.rebuilt(name)
            f[name] = h5py.ExternalLink("other.h5", "/frames")
            f.close()
            self.everywhere("/" + name, "external link to other.h5:/frames")
            f = h5py.File(self.good, "r+")
            del f[name]
            f["elsewhere"] = rows
            f[name] = h5py.SoftLink("/elsewhere")
            f.close()
            self.everywhere("/" + name, "soft link to /elsewhere")
            with open(self.good, "wb") as f:
                f.write(good)
        for source in ("other.h5", "gone.h5"):
            f, rows = self.rebuilt("frames")
            layout = h5py.VirtualLayout(rows.shape, "u1")
            layout[:] = h5py.VirtualSource(source, "frames", rows.shape)
            f.create_virtual_dataset("frames", layout)
            f.close()
            self.everywhere("/frames", "virtual dataset")
            with open(self.good, "wb") as f:
                f.write(good)
        f, rows = self.rebuilt("frames")
        rows.tofile(self.path("set", "raw.bin"))
        f.create_dataset("frames", rows.shape, "u1", external=[("raw.bin", 0, rows.nbytes)])
        f.close()
        self.everywhere("/frames", "raw data in other files")
        with open(self.good, "wb") as f:
            f.write(good)
        f, rows = self.rebuilt("frames")
        f.create_group("frames")
        f.close()
        self.everywhere("dataset")

    def test_rows_that_were_never_written_are_counted(self):
        for chunks, rows in (((4, *self.frames.shape[1:]), 12), (None, 0)):
            f, frames = self.rebuilt("frames")
            d = f.create_dataset("frames", frames.shape, "u1", chunks=chunks)
            if rows:
                d[:rows] = frames[:rows]
            f.close()
            self.everywhere("/frames", f"{rows} of 20")
        self.assertFalse(glob.glob(self.path("run", "ckpt", "*")))


if __name__ == "__main__":
    main()
