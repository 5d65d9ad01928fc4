#!/usr/bin/env python3
"""Breaks one thing at a time in copies of the kernels and runs the parity test that must notice.

A mutant is compiled as host C++ into a library of its own that is loaded in front of the sound one.
Without --all only the mutants marked as cheap and telling run. Sound copies of their units, which must pass,
go first for every test, so that a mutant cannot fail for another reason."""
import argparse
import os
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
KERNELS = "kernels/cuda/"

# file, unit that is compiled with it, test, what is broken, what stands there, what comes instead,
# which occurrence (0 the first), whether it runs without --all
MUTANTS = [
    ("reduce.cuh", "norm", "norm", "no barrier in a sum over warps", "  __syncthreads();\n", "", 0, True),
    ("reduce.cuh", "xent", "losses", "no barrier in a maximum over warps", "  __syncthreads();\n", "", 1, False),
    ("norm.cu", "norm", "norm", "no barrier between the rows that add to dw", "    __syncthreads();\n", "", 0, True),
    ("norm.cu", "norm", "norm", "rstd of the last row unwritten", "if (packs && threadIdx.x == 0)",
     "if (packs && threadIdx.x == 0 && m + 1 < a.M)", 0, True),
    ("norm.cu", "norm", "norm", "rstd one row on", "a.rstd[m] = rstd", "a.rstd[m + 1] = rstd", 0, False),
    ("partials.cu", "partials", "norm", "no barrier before slices are added", "  __syncthreads();\n", "", 0, False),
    ("columns.cu", "columns", "flat", "no barrier before rows are added", "  __syncthreads();\n", "", 0, False),
    ("columns.cu", "columns", "flat", "threads that leave before a barrier", "  float sum[N] = {};\n",
     "  if (!inside) return;\n  float sum[N] = {};\n", 0, True),
    ("flat.cuh", "adamw", "flat", "the last element unwritten", "else if (element < f.n)", "else if (element + 1 < f.n)", 0, True),
    ("rope.cu", "rope", "rope", "no barrier before warps are added", "  __syncthreads();\n", "", 0, False),
    ("rope.cu", "rope", "rope", "the turn the wrong way", "p[e] * c[e] - q[e] * s[e]", "p[e] * c[e] + q[e] * s[e]", 0, False),
    ("swiglu.cu", "swiglu", "flat", "the second half of dgu a pack too late", "cuda_store(dgu + a.F, i, du);",
     "cuda_store(dgu + a.F, i + 1, du);", 0, True),
    ("rows.cu", "rows", "embed", "rows outside the range written", "&& row < rows", "", 0, False),
    ("code_order.cu", "code_order", "embed", "no barrier behind the zeroed counts", "  __syncthreads();\n", "", 2, False),
    ("code_order.cu", "code_order", "embed", "no barrier in the running sum", "    __syncthreads();\n", "", 0, True),
    ("code_order.cu", "code_order", "embed", "no barrier behind the counts", "  __syncthreads();\n", "", 4, False),
    ("code_order.cu", "code_order", "embed", "lanes do not wait before a count grows", "    __syncwarp();\n", "", 0, True),
    ("embed.cu", "embed", "embed", "a crossing code's last chunk forgotten", "c <= last", "c < last", 0, True),
    ("xent.cu", "xent", "losses", "the target a column early", "i * N + e == t", "i * N + e + 1 == t", 0, False),
    ("sample.cu", "sample", "losses", "no barrier before the smallest", "  __syncthreads();\n", "", 0, False),
    ("sample.cu", "sample", "losses", "another counter", "position + (uint64_t)v", "position + (uint64_t)v + 1", 0, False),
    ("pixel.cu", "pixel", "losses", "patch rows mixed up", "(band * s.p + py) * s.cols", "(band * s.p + py) * s.p", 0, False),
    ("attention.cuh", "attention_rows", "attention_own", "nobody sees itself", "j <= i", "j < i", 0, False),
    ("attention_rows.cu", "attention_rows", "attention_own", "a row used before all lanes have kept it", "  __syncwarp();\n", "",
     0, False),
    ("attention_tiles.cu", "attention_tiles", "attention_own", "no barrier between dq's delta and dk", "  __syncthreads();\n", "",
     0, True),
    ("attention_tiles.cu", "attention_tiles", "attention_own", "halves of positions swapped", "0x5410", "0x7632", 0, False),
    ("embed.cu", "embed", "embed", "one view for all", "a.view + a.view_of[n] * a.D", "a.view", 0, False),
    ("embed.cu", "embed", "embed", "views by pairs of tokens", "view.choice.per = 1;", "view.choice.per = 2;", 0, False),
    ("fingerprint.cu", "fingerprint", "flat", "rows side by side", "at / width * pitch", "at / width * width", 0, False),
    ("norm.cu", "norm", "norm", "a unit that ends a row early", "end = a.unit ? begin + a.unit :", "end = a.unit ? begin + a.unit - 1 :", 0,
     False),
    ("rope.cu", "rope", "rope", "all heads of a unit are the first", "begin = a.unit ? part", "begin = a.unit ? 0", 0, False),
    ("ring.cu", "ring", "ring", "frames that stay are not seen", "r.s.sink + r.s.pins + r.s.count + 1", "r.s.sink + r.s.count + 1", 0, False),
    ("ring.cu", "ring", "ring", "a frame that stays keeps its turn", "{x * c + y * s}, second[1] = {y * c - x * s}", "{x}, second[1] = {y}", 0,
     False),
    ("ring.cu", "ring", "ring", "every frame stays in the first slot", "a.r.pins + slot) * a.r.N + n) * GK;", "a.r.pins) * a.r.N + n) * GK;", 0,
     False),
    ("squares.cu", "squares", "flat", "no barrier before bins are added", "  __syncthreads();\n", "", 0, False),
    ("squares.cu", "squares", "flat", "the upper half of a sum lost", "bins[2 * b + 1] += sum >> 32;", ";", 0, False),
    ("tree_sum.cu", "tree_sum", "flat", "one array after the other", "carries(i);", "(i > 0);", 0, False),
    ("tree_sum.cu", "tree_sum", "flat", "groups that lie back to back", "i / inner * a.outer_stride", "i / inner * inner * a.inner_stride", 0,
     False),
    ("tree_sum.cu", "tree_sum", "flat", "numbers in float32", "double sum = 0;", "float sum = 0;", 0, False),
    ("xent.cu", "xent", "losses", "a slice's last logit left out", "v < slices.at[0][s + 1]; v +=", "v + 1 < slices.at[0][s + 1]; v +=", 0,
     False),
    ("xent.cu", "xent", "losses", "no barrier before slices are added", "  if (threadIdx.x == 0) sums[s] = sum;\n  __syncthreads();\n",
     "  if (threadIdx.x == 0) sums[s] = sum;\n", 0, False),
]


def occurrence(text, what, n):
    at = -1
    for _ in range(n + 1):
        at = text.find(what, at + 1)
        if at < 0:
            return -1
    return at


class Bench:
    def __init__(self, compiler, build, work):
        self.compiler, self.build, self.work = compiler, build, work

    def compile(self, name, unit, broken=None):
        """A library of one unit; broken: (file, text) to take in place of the sound file."""
        folder = os.path.join(self.work, name)
        os.makedirs(os.path.join(folder, KERNELS))
        source = os.path.join(ROOT, KERNELS, unit + ".cu")
        if broken:
            copy = os.path.join(folder, KERNELS, broken[0])
            with open(copy, "w", encoding="utf-8") as f:
                f.write(broken[1])
            if broken[0] == unit + ".cu":
                source = copy
        library = os.path.join(folder, "mutant.so")
        subprocess.run([self.compiler, "-std=c++17", "-O1", "-w", "-fPIC", "-shared", "-fsanitize=address", "-fno-math-errno",
                        "-DCUDA_MOST_PARTIALS=5", "-I", os.path.join(ROOT, "tests/cuda_host/include"), "-I", folder, "-I", ROOT,
                        "-x", "c++", source, "-o", library], check=True)
        return library

    def link_sound(self, test, units):
        """A library of the sound units of a test: what the build compiled, loaded as a mutant is."""
        objects = [os.path.join(self.build, "CMakeFiles/orr_cuda_host.dir/cuda_host", unit + ".cpp.o") for unit in units]
        library = os.path.join(self.work, f"sound_{test}.so")
        subprocess.run([self.compiler, "-shared", "-fsanitize=address", *objects, "-o", library], check=True)
        return library

    def passes(self, test, library):
        """Whether the test passes, and what it said: until its first failure, which is all that a mutant needs."""
        runtime = subprocess.run([self.compiler, "-print-file-name=libasan.so"], check=True, capture_output=True, text=True)
        environment = dict(os.environ, LD_PRELOAD=runtime.stdout.strip() + ":" + library, ASAN_OPTIONS="detect_leaks=0")
        said = []
        with subprocess.Popen([os.path.join(self.build, "cuda_host_" + test)], env=environment, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, errors="replace") as run:
            for line in run.stdout:
                said.append(line)
                if line.startswith("[  FAILED  ]"):
                    run.kill()
        return run.returncode == 0, "".join(said)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--compiler", default="c++")
    p.add_argument("--build", default=os.path.join(ROOT, "build/release"))
    p.add_argument("--all", action="store_true", help="every mutant, not the cheap and telling ones alone")
    p.add_argument("--only", metavar="FILE", help="the mutants of one file, all of them")
    a = p.parse_args()
    chosen = [m for m in MUTANTS if (m[0] == a.only if a.only else a.all or m[-1])]
    failures, units = 0, {}
    for _, unit, test, *_ in chosen:
        units.setdefault(test, []).append(unit)
    with tempfile.TemporaryDirectory() as work:
        bench = Bench(a.compiler, a.build, work)
        for test, sound in units.items():
            good, output = bench.passes(test, bench.link_sound(test, sorted(set(sound))))
            if not good:
                print(f"sound copies of {', '.join(sorted(set(sound)))} fail cuda_host_{test}:\n{output}")
                failures += 1
        for number, (file, unit, test, words, old, new, n, _) in enumerate(chosen):
            with open(os.path.join(ROOT, KERNELS, file), encoding="utf-8") as f:
                text = f.read()
            at = occurrence(text, old, n)
            if at < 0:
                print(f"{file}: '{old.strip()}' does not stand there {n + 1} times: mend the list of mutants")
                failures += 1
                continue
            good, _ = bench.passes(test, bench.compile(f"mutant{number}", unit, (file, text[:at] + new + text[at + len(old):])))
            print(f"{file}: {words}: {'SURVIVES cuda_host_' + test if good else 'found'}", flush=True)
            failures += good
    print(f"{len(chosen)} mutants, {failures} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
