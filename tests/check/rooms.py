"""No folder is so full that nobody finds anything in it: at most 45 files of one kind."""
import collections
import os

MOST = 45
ONE_OP_A_FILE = ("kernels/cpu", "kernels/cuda")  # as the op list names them


def check(sources, root):
    count, first = collections.Counter(), {}
    for s in sources:
        folder, kind = os.path.dirname(s.path), os.path.splitext(s.path)[1]
        if folder in ONE_OP_A_FILE:
            continue
        count[folder, kind] += 1
        first.setdefault((folder, kind), s.path)
    return [f"{first[folder, kind]}:1: {folder}/ has {n} {kind} files, wanted at most {MOST}: give it rooms"
            for (folder, kind), n in sorted(count.items()) if n > MOST]
