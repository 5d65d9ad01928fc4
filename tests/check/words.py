"""Comments name only what exists, and say it in plain words."""
import os
import re

# word -> what says the same to everybody
PLAIN = {
    "behind": "after, or what it backs",
    "afar": "remote",
}
_WORD = re.compile(r"\b(%s)\b" % "|".join(PLAIN), re.IGNORECASE)
# names of the project's own: functions, types, constants, files
_NAME = re.compile(r"(?<![\w./-])((?:orr|kern|dist|data|ckpt|cfg|train|cpu|cuda|amx|gemm)_[a-z0-9_]+"
                   r"|(?:ORR|KERN|DIST|DATA|CKPT|TRAIN|CPU|CUDA|AMX|GEMM)_[A-Z0-9_]+)(\*?)")
# a constant without its prefix, which grep does not find as a word
_CONSTANT = re.compile(r"(?<![\w./-])([A-Z][A-Z0-9]*_[A-Z0-9_]*[A-Z0-9])(?![\w*])")
_PATH = re.compile(r"(?<![\w./-])((?:base|configs|kernels|dist|checkpoints|train|data|tests|slurm|docs)/[\w/-]+"
                   r"\.(?:h|c|cu|cuh|py|sh|cmake|md|proto|yaml|sbatch))\b")
_MADE = (".pb-c.h", ".pb-c.c")  # protoc-c writes these


def comments(source):
    """(offset, text) of what stands in comments: what the file without them lacks."""
    for m in re.finditer(r"[^\n]+", source.text):
        line, bare = m[0], source.no_comments[m.start():m.end()]
        if line != bare:
            begin = next(i for i, (a, b) in enumerate(zip(line, bare)) if a != b)
            yield m.start() + begin, line[begin:]


def names_of(sources):
    """Every word of the code, of quoted texts too: what macros paste is spelt where it is used."""
    return {w for s in sources for w in re.findall(r"\w+", s.no_comments)}


def check(sources, root):
    known, findings = names_of(sources), []
    constants = {k for k in known if k.isupper() and _NAME.fullmatch(k)}
    for s in sources:
        for offset, text in comments(s):
            for m in _WORD.finditer(text):
                findings.append(s.finding(offset + m.start(), f"'{m[1]}': say {PLAIN[m[1].lower()]}"))
            for m in _NAME.finditer(text):
                name = m[1]
                found = name in known or (m[2] or name.endswith("_")) and any(k.startswith(name) for k in known)
                if not found:
                    findings.append(s.finding(offset + m.start(), f"names {name}, which does not exist"))
            for m in _CONSTANT.finditer(text):
                whole = [] if m[1] in known else sorted(k for k in constants if k.endswith("_" + m[1]))
                if whole:
                    findings.append(s.finding(offset + m.start(), f"names {m[1]}: write it in full, as {whole[0]}"))
            for m in _PATH.finditer(text):
                if not m[1].endswith(_MADE) and not os.path.exists(os.path.join(root, m[1])):
                    findings.append(s.finding(offset + m.start(), f"names {m[1]}, which is not there"))
    return findings
