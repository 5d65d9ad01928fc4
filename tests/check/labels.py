"""The first line of a test says its labels and its ranks: tests.cmake and ctest -L depend on it."""
import re

LABELS = {"quick", "full", "mpi", "gpu", "faults"}
_FIRST = re.compile(r"// labels: ([a-z]+(?: [a-z]+)*)(?:; ranks: ([1-9][0-9]*))?$")


def check(sources, root):
    findings = []
    for s in sources:
        if not re.match(r"tests/\w+/test_\w+\.c$", s.path):
            continue
        m = _FIRST.match(s.text.split("\n", 1)[0])
        if not m:
            findings.append(s.finding(0, "the first line must read '// labels: quick' or '// labels: full mpi; ranks: 2'"))
            continue
        labels = set(m[1].split())
        if labels - LABELS:
            findings.append(s.finding(0, f"unknown label {', '.join(sorted(labels - LABELS))}; known: {', '.join(sorted(LABELS))}"))
        if (m[2] is not None) != ("mpi" in labels):
            findings.append(s.finding(0, "the label mpi and '; ranks: N' go together"))
    return findings
