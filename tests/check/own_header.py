"""A source has a header of its name, and includes it first.

Three sorts of sources share one instead, and reach it by their includes:
  a part of a module   comm_self.c is of comm.h: its name begins with the header's
  a file of a list     kernels/cpu/norm.c is of kernels/cpu/cpu.h, formats/act.c of formats.h beside
                       the folder: the header has the folder's name (configs/: config.h)
  an implementation    kernels/cuda/range.c is of kernels/range.h: one folder up
A file with main() needs none."""
import os
import re

_INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]+"([^"]+)"', re.MULTILINE)
_MAIN = re.compile(r"^int main\(", re.MULTILINE)


def homes(path):
    """Names without ending of the headers that a source may have, the best first."""
    folder, name = os.path.split(os.path.splitext(path)[0])
    parts = name.split("_")
    names = ["_".join(parts[:n]) for n in range(len(parts), 0, -1)]
    room, up = os.path.basename(folder), os.path.dirname(folder)
    found = [f"{at}/{n}" for at in (folder, up) if at for n in names]
    return found + [f"{folder}/{room}", f"{folder}/{room.rstrip('s')}"] + ([f"{up}/{room}"] if up else [])


def _includes(sources):
    return {s.path: _INCLUDE.findall(s.no_comments) for s in sources}


def _reached(path, includes):
    seen, todo = set(), [path]
    while todo:
        for h in includes.get(todo.pop(), ()):
            if h not in seen:
                seen.add(h)
                todo.append(h)
    return seen


def check(sources, root):
    paths, includes, findings = {s.path for s in sources}, _includes(sources), []
    for s in sources:
        ends = (".h", ".cuh") if s.path.endswith(".cu") else (".h",)
        if s.folder == "tests" or not s.path.endswith((".c", ".cu")) or _MAIN.search(s.code):
            continue
        own = [h + end for h in homes(s.path) for end in ends if h + end in paths]
        if not own:
            findings.append(s.finding(0, "has no header of its name, nor one that its name begins with, nor its folder's"))
            continue
        first = os.path.splitext(own[0])[0] == os.path.splitext(s.path)[0]
        if first and includes[s.path][:1] != own[:1]:
            findings.append(s.finding(0, f"includes its own header first: {own[0]}"))
        elif not first and not set(own) & _reached(s.path, includes):
            findings.append(s.finding(0, f"does not include {own[0]}, whose part its name says it is"))
    return findings
