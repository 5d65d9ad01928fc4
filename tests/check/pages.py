"""What the pages name exists: linked files and headings, files of the tree, knobs."""
import glob
import os
import re

PAGES = ("*.md", "docs/*.md", "slurm/*.md")
ENDINGS = ("json", "jsonl", "lock", "md", "safetensors", "sbatch", "yaml")  # model.safetensors is a file
_LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)")
_FILE = re.compile(r"(?<![\w/.-])((?:base|configs|kernels|dist|checkpoints|train|slurm|tests|docs|data)/[\w/]+"
                   r"\.(?:h|c|cu|cuh|py|sh|sbatch|txt|cmake|supp|md|yaml|png))\b")
_PLACEHOLDER = re.compile(r"[A-Z]{3}")  # kernels/cpu/NAME.c, in a recipe
_SECTION = re.compile(r"^#define CFG_([A-Z]+)\(.*\n((?:.+\n)*)", re.MULTILINE)
_ROW = re.compile(r"\b(?:L?I64|L?F64|BOOL|L?STR|ENUM)\((\w+),")


def knobs(root):
    """{section: names} of configs/rows.h."""
    with open(os.path.join(root, "configs/rows.h"), encoding="utf-8") as f:
        return {m[1].lower(): set(_ROW.findall(m[2])) for m in _SECTION.finditer(f.read())}


def anchors(path):
    """What a link may name after '#': headings in lower case, spaces as dashes, without signs."""
    with open(path, encoding="utf-8") as f:
        return {re.sub(r"[^\w -]", "", h.lower()).replace(" ", "-") for h in re.findall(r"^#+ (.+)$", f.read(), re.MULTILINE)}


def check_page(root, page, sections):
    findings = []
    with open(os.path.join(root, page), encoding="utf-8") as f:
        text = f.read()

    def find(m, words):
        findings.append(f"{page}:{text.count(chr(10), 0, m.start()) + 1}: {words}")

    for m in _LINK.finditer(text):
        target = os.path.join(root, os.path.dirname(page), m[1]) if m[1] else os.path.join(root, page)
        if not os.path.exists(target):
            find(m, f"links to {m[1]}, which is not there")
        elif m[2] and m[2] not in anchors(target):
            find(m, f"links to #{m[2]}, which {m[1] or 'this page'} has no heading for")
    for m in _FILE.finditer(text):
        if not _PLACEHOLDER.search(m[1]) and not os.path.exists(os.path.join(root, m[1])):
            find(m, f"names {m[1]}, which is not there")
    for m in re.finditer(r"(?<![\w/.-])(%s)\.(\w+)\b" % "|".join(sections), text):
        if m[2] not in sections[m[1]] and m[2] not in ENDINGS:
            find(m, f"names the knob {m[1]}.{m[2]}, which configs/rows.h does not have")
    return findings


def check(_sources, root):
    sections = knobs(root)
    pages = [os.path.relpath(p, root) for pattern in PAGES for p in sorted(glob.glob(os.path.join(root, pattern)))]
    return [f for page in pages for f in check_page(root, page, sections)]
