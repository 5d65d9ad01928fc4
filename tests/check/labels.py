"""The first line of a test says its labels, its ranks, what it wraps and what it needs: tests.cmake builds and
runs it by that line alone."""
import re

LABELS = {"quick", "full", "mpi", "gpu", "faults"}
_FIRST = re.compile(r"// labels: ([a-z]+(?: [a-z]+)*)(?:; ranks: ([1-9][0-9]*))?(?:; wrap: (\w+(?: \w+)*))?"
                    r"(?:; needs: (\S+(?: \S+)*))?$")
_WRAPPED = re.compile(r"\b__wrap_(\w+)")
PROGRAM = "tests/train/program.h"  # starts the program


def _differences(s, line):
    labels = set(line[1].split())
    if labels - LABELS:
        yield f"unknown label {', '.join(sorted(labels - LABELS))}; known: {', '.join(sorted(LABELS))}"
    if (line[2] is not None) != ("mpi" in labels):
        yield "the label mpi and '; ranks: N' go together"
    wrapped, said = set(_WRAPPED.findall(s.code)), set((line[3] or "").split())
    if wrapped != said:
        yield f"'wrap:' and the functions __wrap_... differ in {', '.join(sorted(wrapped ^ said))}"
    if f'#include "{PROGRAM}"' in s.no_comments and "orrery" not in (line[4] or "").split():
        yield f"it starts the program ({PROGRAM}): '; needs: orrery'"


def check(sources, root):
    findings = []
    for s in sources:
        if not re.match(r"tests/(?!cuda_host/)\w+/(\w+/)?test_\w+\.c$", s.path):
            continue
        line = _FIRST.match(s.text.split("\n", 1)[0])
        if line:
            findings += [s.finding(0, words) for words in _differences(s, line)]
        else:
            findings.append(s.finding(0, "the first line must read '// labels: quick' or '// labels: full mpi; ranks: 2', with "
                                         "'; wrap: FUNCTION...' and '; needs: WORD...' as it wants them"))
    return findings
