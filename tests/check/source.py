"""The C sources of a tree, read once and stripped of what the checks must not trip over."""
import os
import re

FOLDERS = ("base", "configs", "kernels", "dist", "data", "checkpoints", "train", "tests")
SUFFIXES = (".c", ".h", ".cu", ".cuh")

_TOKEN = re.compile(r"""//(?:\\\n|[^\n])*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'""", re.DOTALL)


def _blank(text):
    """The same number of characters and lines, without content."""
    return re.sub(r"[^\n]", " ", text)


class Source:
    """One file. All texts have the same length, so that offsets and lines agree between them."""

    def __init__(self, root, path):
        self.path = path  # from the root, with /
        with open(os.path.join(root, path), encoding="utf-8") as f:
            self.text = f.read()
        # without comments
        self.no_comments = _TOKEN.sub(lambda m: _blank(m[0]) if m[0][0] == "/" else m[0], self.text)
        # without comments and without what stands between quotes
        self.code = _TOKEN.sub(lambda m: _blank(m[0]) if m[0][0] == "/" else m[0][0] + _blank(m[0][1:-1]) + m[0][-1],
                               self.text)

    @property
    def folder(self):
        return self.path.split("/")[0]

    def line(self, offset):
        return self.text.count("\n", 0, offset) + 1

    def finding(self, offset, words):
        return f"{self.path}:{self.line(offset)}: {words}"


def read_tree(root):
    """All sources below the root, by path."""
    found = []
    for folder in FOLDERS:
        for at, _, names in os.walk(os.path.join(root, folder)):
            for name in names:
                if name.endswith(SUFFIXES):
                    found.append(os.path.relpath(os.path.join(at, name), root).replace(os.sep, "/"))
    return [Source(root, path) for path in sorted(found)]
