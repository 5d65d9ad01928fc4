"""Includes go downward only; each outside library is known to the folders that may know it."""
import glob
import os
import re

# Floors of the house. Folders on one floor are siblings and never include each other.
FLOOR = {"base": 1, "kernels": 2, "dist": 3, "data": 3, "checkpoints": 3, "configs": 4, "train": 5}
# Floors of the rooms inside a folder: strictly downward, so rooms on one floor are siblings too.
ROOMS = {
    "data": {"shard": 1, "remote": 1, "pictures": 1, "sound": 1, "set": 2, "clips": 3, "sim": 3, "import": 3},
    "train": {"timing": 1, "model": 2, "engine": 3, "setup": 3, "step": 3, "save": 4, "observe": 4, "run": 5, "infer": 5,
              "eval": 6, "policy": 6, "report": 6, "plan": 6, "bench": 7, "live": 7, "exam": 7, "cli": 8},
}

# (header, where it may appear): patterns on the path in the include and on the path of the file.
# The first row that matches the header decides.
LIBRARIES = [(re.compile(header), re.compile(place), why) for header, place, why in (
    (r"mpi\.h$", r"dist/|tests/dist/", "MPI stays in dist/"),
    (r"nccl", r"dist/comm_nccl[._]|tests/dist/played/", "NCCL stays in dist/comm_nccl.*"),
    (r"(cuda|cublas|cudnn|cutlass|curand|nvtx|nvToolsExt|nvml|device_launch|mma\.h|cooperative_groups)",
     r"kernels/cuda/|dist/comm_nccl[._]|tests/cuda_host/|tests/dist/played/|tests/dist/device_cuda\.c", "CUDA stays in kernels/cuda/ and dist/comm_nccl.*"),
    (r"(hdf5|H5\w*)\.h$", r"data/(shard|import)/|tests/data/", "HDF5 stays in data/shard/ and data/import/"),
    (r"curl/", r"data/remote/|tests/data/remote/", "curl stays in data/remote/"),
    (r"lib(av|sw)\w+/", r"data/(pictures|sound)/|tests/data/", "libav stays in data/pictures/ and data/sound/"),
    (r"png\.h$", r"data/pictures/|tests/data/", "libpng stays in data/pictures/"),
    (r"(turbojpeg|jpeglib)\.h$", r"data/pictures/|tests/data/", "libjpeg-turbo stays in data/pictures/"),
    (r"(snappy-c|zstd)\.h$", r"data/import/parquet/", "codecs of Parquet stay in data/import/parquet/"),
    (r"(mujoco/|GL/)", r"data/sim/|tests/data/sim/", "the simulator stays in data/sim/"),
    (r"(espeak-ng/|fftw3\.h)", r"data/sound/|tests/data/sound/", "speech and spectra stay in data/sound/"),
    (r"protobuf-c/", r"train/observe/|tests/train/observe/", "protobuf-c stays in train/observe/"),
    (r"(microhttpd\.h|wslay/)", r"train/(live|policy)/|tests/train/(live|policy)/", "HTTP and WebSockets stay in train/live/ and train/policy/"),
    (r"yaml\.h$", r"configs/|tests/configs/", "libyaml stays in configs/"),
    (r"xxhash\.h$", r"base/", "xxHash stays in base/: use base/hash.h"),
    (r"Random123/", r"base/|kernels/", "Random123 stays in base/ and kernels/: use base/rng.h"),
    (r"cmocka\.h$", r"tests/", "cmocka stays in tests/"),
)]

_INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(["<])([^">\n]+)[">]', re.MULTILINE)
_IFDEF_CUDA = re.compile(r"^[ \t]*#[ \t]*(?:if|ifdef|ifndef|elif)\b[^\n]*(?:CUDA|NCCL)", re.MULTILINE)
# One place a table chooses among the backends that were built; everything else asks the table.
_CHOOSERS = re.compile(r"kernels/cuda/|kernels/kern\.c$|dist/comm_nccl[._]|dist/comm\.c$|dist/world\.c$|tests/")


def _owner(path):
    """The folder whose floor a file counts for: a test counts for the folder that it tests."""
    parts = path.split("/")
    if parts[0] != "tests":
        return parts[0]
    if parts[1] == "cuda_host":  # plays what is below kernels/cuda and below dist/comm_nccl
        return "dist" if "nccl" in parts[2] + parts[-1] else "kernels"
    return parts[1] if len(parts) > 2 and parts[1] in FLOOR else "train"


def _room(path, folder):
    """The room of `folder` that a file lies in or, for a test, tests; None for a test of the whole folder."""
    parts = path.split("/")
    parts = parts[1:] if parts[0] == "tests" else parts
    return parts[1] if len(parts) > 2 and parts[0] == folder else None


def _upward_room(source, target, folder):
    """What is wrong with an include from one room of a folder into another, or None."""
    own, theirs = _room(source.path, folder), _room(target, folder)
    if own is None or own == theirs:
        return None
    floors = ROOMS[folder]
    for room in (own, theirs):
        if room not in floors:
            return f'{folder}/{room}/ has no floor: give it one in tests/check/layering.py'
    if floors[theirs] < floors[own]:
        return None
    way = "siblings never include each other" if floors[theirs] == floors[own] else "includes go downward only"
    return f'{folder}/{own}/ may not include "{target}": {way}'


def _own_include(source, target, offset, known):
    folder, owner = target.split("/")[0], _owner(source.path)
    if target not in known:
        return source.finding(offset, f'"{target}" is not a path from the root; include "folder/file.h"')
    if folder == "tests":
        return None if source.folder == "tests" else source.finding(offset, f'"{target}": only tests include tests/')
    if folder != owner and FLOOR[folder] >= FLOOR[owner]:
        way = "siblings never include each other" if FLOOR[folder] == FLOOR[owner] else "includes go downward only"
        return source.finding(offset, f'{owner}/ may not include "{target}": {way}')
    if folder == owner and folder in ROOMS:
        words = _upward_room(source, target, folder)
        if words:
            return source.finding(offset, words)
    if re.match(r"kernels/(cpu|cuda)/", target) and owner != "kernels":
        return source.finding(offset, f'"{target}" is a backend: include "kernels/kern.h" and use the op table')
    return None


def check(sources, root):
    known, findings = {s.path for s in sources}, []
    # protoc-c writes a header for each of these
    known |= {os.path.relpath(p, root)[:-len(".proto")] + ".pb-c.h" for p in glob.glob(f"{root}/*/**/*.proto", recursive=True)}
    for s in sources:
        first = None
        for m in _INCLUDE.finditer(s.no_comments):
            quoted, target = m[1] == '"', m[2]
            first = first or (m.start(), quoted, target)
            library = next((row for row in LIBRARIES if row[0].match(target)), None)
            if library and not quoted and not library[1].match(s.path):
                findings.append(s.finding(m.start(), f"<{target}>: {library[2]}"))
            if quoted:
                findings.append(_own_include(s, target, m.start(), known))
        header = os.path.splitext(s.path)[0] + ".h"
        if s.path.endswith((".c", ".cu")) and header in known and first and first[2] != header:
            findings.append(s.finding(first[0], f'the first include must be its own header "{header}"'))
        if not _CHOOSERS.match(s.path):
            findings += [s.finding(m.start(), "no #ifdef on CUDA or NCCL here: backends are chosen at start-up")
                         for m in _IFDEF_CUDA.finditer(s.code)]
    return [f for f in findings if f]
