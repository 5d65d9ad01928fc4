#!/usr/bin/env python3
"""Proves the checks: each breaks a copy of the tree in one way and must name exactly that place."""
import importlib
import os
import shutil
import sys
import tempfile
import types

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, HERE)
sys.dont_write_bytecode = True
from source import FOLDERS, Source, read_tree  # noqa: E402

# (check, file, its whole text, line that must be named, words of the finding); None: nothing to find
CASES = [
    ("layering", "base/broken_copy.c", '#include "kernels/kern.h"\n', 1, "downward"),
    ("layering", "data/broken_copy.c", '\n#include "checkpoints/checkpoint.h"\n', 2, "siblings"),
    ("layering", "dist/broken_copy.c", '#include "data/pictures/film.h"\n', 1, "siblings"),
    ("layering", "train/model/broken_copy.c", '#include "train/run/loop.h"\n', 1, "downward"),
    ("layering", "train/eval/broken_copy.c", '#include "train/report/report.h"\n', 1, "siblings"),
    ("layering", "tests/data/set/test_broken_copy.c", '#include "data/clips/order.h"\n', 1, "downward"),
    ("layering", "train/cellar/broken_copy.c", '#include "train/model/block.h"\n', 1, "has no floor"),
    ("layering", "data/clips/broken_copy.c", "#include <hdf5.h>\n", 1, "HDF5 stays"),
    ("layering", "tests/data/test_broken_copy.c", '#include "train/model/block.h"\n', 1, "downward"),
    ("layering", "train/broken_copy.c", '#include "status.h"\n', 1, "path from the root"),
    ("layering", "train/broken_copy.c", '#include "tests/broken_copy.h"\n', 1, "path from the root"),
    ("layering", "train/broken_copy.c", "#include <mpi.h>\n", 1, "MPI stays"),
    ("layering", "data/broken_copy.c", "#include <nccl.h>\n", 1, "NCCL stays"),
    ("layering", "kernels/cpu/broken_copy.c", "#include <cuda_runtime.h>\n", 1, "CUDA stays"),
    ("layering", "train/broken_copy.c", "#include <cublasLt.h>\n", 1, "CUDA stays"),
    ("layering", "checkpoints/broken_copy.c", "# include <hdf5.h>\n", 1, "HDF5 stays"),
    ("layering", "train/broken_copy.c", "#include <curl/curl.h>\n", 1, "curl stays"),
    ("layering", "train/broken_copy.c", "#include <libavcodec/avcodec.h>\n", 1, "libav stays"),
    ("layering", "train/broken_copy.c", "#ifdef ORRERY_CUDA\n#endif\n", 1, "no #ifdef"),
    ("layering", "train/broken_copy.c", '// #include <mpi.h>\n#include "kernels/kern.h"\n#include <stdio.h>\n', None, None),
    ("layering", "dist/comm_nccl_copy.c", "#include <mpi.h>\n#include <nccl.h>\n#include <cuda_runtime.h>\n", None, None),
    ("layering", "kernels/cuda/broken_copy.cu", '#include "kernels/kern.h"\n#include <cuda_bf16.h>\n', None, None),
    ("banned", "train/broken_copy.c", "void f(void) {\n  exit(1);\n}\n", 2, "exit()"),
    ("banned", "dist/broken_copy.c", "void f(void) { abort (); }\n", 1, "abort()"),
    ("banned", "base/broken_copy.c", "void f(char *a) { strcpy(a, a); }\n", 1, "strcpy()"),
    ("banned", "base/broken_copy.c", 'void f(char *a) { sprintf(a, "x"); }\n', 1, "sprintf()"),
    ("banned", "base/broken_copy.c", "void f(char *a) { strcat(a, a); }\n", 1, "strcat()"),
    ("banned", "base/broken_copy.c", "void f(char *a) { gets(a); }\n", 1, "gets()"),
    ("banned", "configs/broken_copy.c", 'int f(void) { return atoi("1"); }\n', 1, "atoi()"),
    ("banned", "data/broken_copy.c", "void *f(void) { return malloc(1); }\n", 1, "base/mem.h"),
    ("banned", "kernels/cpu/broken_copy.c", "void *f(void) { return aligned_alloc(64, 64); }\n", 1, "base/mem.h"),
    ("banned", "checkpoints/broken_copy.c", "int f(int fd) { return fsync(fd); }\n", 1, "base/fs.h"),
    ("banned", "train/broken_copy.c", 'char *f(void) { return getenv("HOME"); }\n', 1, "environment"),
    ("banned", "dist/broken_copy.c", 'char *f(const char *n) { return getenv(n); }\n', 1, "environment"),
    ("banned", "dist/broken_copy.c", 'char *f(void) { return getenv("OMPI_COMM_WORLD_SIZE"); }\n', None, None),
    ("banned", "train/broken_copy.c",
     "// exit(1)\n/* malloc(2) */\nconst char *f(T *t) { t->exit(1); t.open(2); orr_malloc(3); my_exit(4); return \"strcpy(\"; }\n",
     None, None),
    ("banned", "train/broken_copy.c", "void f(dist_world *w) { dist_world_leave_device(w); }\n", 1, "frees the graphs"),
    ("banned", "train/broken_copy.c", "long f(void) { return time(0); }\n", 1, "two nodes' clocks"),
    ("banned", "checkpoints/broken_copy.c", "long f(struct stat *s) { return s->st_mtime; }\n", 1, "two nodes' clocks"),
    ("banned", "dist/broken_copy.c", "// st_mtime\nint c = f(CLOCK_MONOTONIC, run_time(1));\n", None, None),
    ("headers", "base/broken_copy.h", "// The file.\n#include <stdint.h>\n\nint orr_probe(int a,\n              int b);\n", 4, "orr_probe()"),
    ("headers", "base/broken_copy.h", "// One.\nint orr_one(void);\n\nint orr_two(void);\n", 4, "orr_two()"),
    ("headers", "base/broken_copy.h",
     "// One and two.\nint orr_one(void);\nint orr_two(void) __attribute__((noreturn));\n\nint orr_three(void); // three\n"
     "typedef int (*orr_fn)(int);\n\nstruct orr_s {\n  int (*f)(void);\n};\nstatic inline int orr_four(void) { return 4; }\n",
     None, None),
    ("own_header", "train/model/broken_copy.c", '#include "train/model/block.h"\n', 1, "has no header of its name"),
    ("own_header", "train/model/block_copy.c", '#include "base/mem.h"\n', 1, "train/model/block.h"),
    ("own_header", "train/model/block_copy.c", '#include "train/model/block.h"\n', None, None),
    ("own_header", "kernels/cpu/broken_copy.c", '#include "kernels/cpu/gemm.h"\n', None, None),
    ("own_header", "kernels/cuda/broken_copy.cu", '#include "base/mem.h"\n', 1, "kernels/cuda/cuda.h"),
    ("own_header", "train/model/block.c", '#include <math.h>\n#include "base/mem.h"\n#include "train/model/block.h"\n', 1,
     "includes its own header first"),
    ("own_header", "train/cli/broken_copy.c", "int main(void) {\n  return 0;\n}\n", None, None),
    ("globals", "train/broken_copy.c", "static int count;\n", 1, "'count'"),
    ("globals", "train/broken_copy.c", "\nconst char *names[] = {\"a\", \"b\"};\n", 2, "'names'"),
    ("globals", "data/broken_copy.c", "static int (*hook)(int) = 0;\n", 1, "'hook'"),
    ("globals", "train/broken_copy.c",
     "static const int a = 1;\nstatic const char *const b[] = {\"a\"};\nstruct s {\n  int x;\n};\nenum { A, B };\n"
     "int f(int (*g)(void));\nint f(int (*g)(void)) {\n  static const int c = 3;\n  return c;\n}\n"
     "typedef struct {\n  int y;\n} t;\nextern int z;\ntemplate <typename T> struct u {\n  T v;\n};\n", None, None),
    ("labels", "tests/base/test_broken_copy.c", "#include <cmocka.h>\n", 1, "first line"),
    ("labels", "tests/base/test_broken_copy.c", "// labels: quikc\n", 1, "unknown label quikc"),
    ("labels", "tests/dist/test_broken_copy.c", "// labels: full mpi\n", 1, "go together"),
    ("labels", "tests/dist/test_broken_copy.c", "// labels: full mpi; ranks: 2\n", None, None),
    ("labels", "tests/train/run/test_broken_copy.c", "// labels: fool\n", 1, "unknown label fool"),
    ("labels", "tests/train/run/test_broken_copy.c", "// labels: quick; wrap: f\nint __wrap_f(void) { return __wrap_g(); }\n", 1,
     "differ in g"),
    ("labels", "tests/train/run/test_broken_copy.c", "// labels: quick; needs: hdf5\n#include \"tests/train/program.h\"\n", 1,
     "needs: orrery"),
    ("labels", "tests/train/run/test_broken_copy.c",
     "// labels: quick; wrap: f; needs: orrery hdf5\n#include \"tests/train/program.h\"\nint __wrap_f(void) { return 1; }\n",
     None, None),
    ("words", "base/broken_copy.c", "// It waits behind the copy.\nint f(void);\n", 1, "say after"),
    ("words", "base/broken_copy.c", "int f(void); /* as train_nothing_does */\n", 1, "train_nothing_does"),
    ("words", "base/broken_copy.c", "int f(void); // with CUDA_NOTHING_AT_ALL\n", 1, "CUDA_NOTHING_AT_ALL"),
    ("words", "base/broken_copy.c", "enum { ORR_BROKEN_MOST = 3 };\n// at most BROKEN_MOST\n", 2, "ORR_BROKEN_MOST"),
    ("words", "base/broken_copy.c", "\n// See base/broken.h.\nint f(void);\n", 2, "base/broken.h"),
    ("words", "base/broken_copy.c", "// As orr_broken_one and orr_broken_* do (base/mem.h).\nint orr_broken_one(void);\n", None, None),
    ("shell", "slurm/broken_copy", "#!/bin/bash\nrm $1\n", 2, "Double quote"),
    ("shell", "slurm/broken_copy", "#!/usr/bin/env bash\n\nread x\necho \"$x\"\n", 3, "backslashes"),
    ("shell", "slurm/broken_copy", "#!/bin/bash\n#SBATCH --nodes=1\nrm \"$1\"\n", None, None),
    ("pages", "docs/broken_copy.md", "# A page\n[link](broken.md)\n", 2, "links to broken.md"),
    ("pages", "docs/broken_copy.md", "[up](#a-page), [no](#another)\n# A page\n", 1, "no heading"),
    ("pages", "docs/broken_copy.md", "as `base/broken.h` has it\n", 1, "names base/broken.h"),
    ("pages", "docs/broken_copy.md", "\n`--set train.stepz=3`\n", 2, "knob train.stepz"),
    ("pages", "docs/broken_copy.md", "# A: page\n[up](#a-page), `base/mem.h`, `train.steps`, `metrics.jsonl`, configs/rows.h\n",
     None, None),
    ("format", "base/broken_copy.c", "int   f( void );\n", 1, "clang-format"),
    ("format", "base/broken_copy.c", "int f(void);\n", None, None),
]

ACROSS = ("layering", "words", "own_header")


def run(case, root, tree, before):
    name, path, text, line, words = case
    file = os.path.join(root, path)
    os.makedirs(os.path.dirname(file), exist_ok=True)
    with open(file, "w", encoding="utf-8") as f:
        f.write(text)
    # these ask which other files there are; the rest judge each file by itself
    sources = [s for s in tree if s.path != path and name in ACROSS] + [Source(root, path)]
    new = [f for f in importlib.import_module(name).check(sources, root) if f not in before]
    if line is None:
        return None if not new else f"{name} on {path}: found {new} in\n{text}"
    if len(new) == 1 and new[0].startswith(f"{path}:{line}: ") and words in new[0]:
        return None
    return f"{name} on {path}: wanted one finding on line {line} with '{words}', got {new} for\n{text}"


def full_room():
    """A folder of 46 files of one kind is one too many; of 45, or 46 of two kinds, it is not."""
    rooms = importlib.import_module("rooms")
    files = [types.SimpleNamespace(path=f"train/model/broken_{i}.c") for i in range(rooms.MOST + 1)]
    full, sound = rooms.check(files, ROOT), rooms.check(files[1:] + [types.SimpleNamespace(path="train/model/x.h")], ROOT)
    ops = rooms.check([types.SimpleNamespace(path=f.path.replace("train/model", "kernels/cpu")) for f in files], ROOT)
    right = len(full) == 1 and "46 .c files" in full[0] and not sound and not ops
    return None if right else f"rooms: got {full}, {sound}, {ops}"


def main():
    failures, skipped = [], 0
    with tempfile.TemporaryDirectory() as root:
        for folder in FOLDERS:
            if os.path.isdir(os.path.join(ROOT, folder)):
                shutil.copytree(os.path.join(ROOT, folder), os.path.join(root, folder))
        shutil.copy(os.path.join(ROOT, ".clang-format"), root)
        tree = read_tree(root)
        before = {f for name in ACROSS for f in importlib.import_module(name).check(tree, root)}
        formatted, shell = importlib.import_module("format"), importlib.import_module("shell")
        decide = {"format": formatted.find_tool()[1] == formatted.VERSION, "shell": shell.find_tool() is not None}
        for case in CASES:
            if not decide.get(case[0], True):
                skipped += 1
                continue
            failures.append(run(case, root, tree, before))
    failures.append(full_room())
    failures = [f for f in failures if f]
    print(*failures, sep="\n")
    print(f"{len(CASES) + 1 - len(failures) - skipped} of {len(CASES) + 1} broken and sound copies judged rightly, {skipped} skipped (want clang-format 14, shellcheck)")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
