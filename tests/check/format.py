"""Sources are as clang-format leaves them. Versions differ in taste, so one decides: VERSION, which
Debian's package or a Python package brings (tests/python.txt). Another one's findings are printed and pass."""
import os
import re
import shutil
import subprocess

VERSION = 14
PYTHON = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "build", "python", "bin")


def find_tool():
    """(path, major version) of clang-format: the deciding one where there is one; (None, 0) without any."""
    tools = [shutil.which(f"clang-format-{VERSION}"), shutil.which("clang-format"), shutil.which("clang-format", path=PYTHON)]
    found = []
    for tool in filter(None, tools):
        text = subprocess.run([tool, "--version"], capture_output=True, text=True, check=True).stdout
        found.append((tool, int(re.search(r"version (\d+)", text)[1])))
    return next((t for t in found if t[1] == VERSION), found[0] if found else (None, 0))


def _run(tool, sources, root, *arguments):
    # one process for all files: starting it takes far longer than a file does
    files = [os.path.join(root, s.path) for s in sources]
    return subprocess.run([tool, "--style=file", *arguments, *files], capture_output=True, text=True, check=True).stderr


def check(sources, root):
    tool, version = find_tool()
    if not tool:
        print("skipped: there is no clang-format")
        return []
    first = {}
    for path, line in re.findall(r"^(.+?):(\d+):\d+: warning: code should be clang-formatted",
                                 _run(tool, sources, root, "--dry-run"), re.MULTILINE):
        first.setdefault(os.path.relpath(path, root), line)
    findings = [f"{path}:{line}: clang-format would change it: `./run format`" for path, line in first.items()]
    if version != VERSION:
        print(*(f"{f} (version {version}; only {VERSION} decides)" for f in findings), sep="\n")
        return []
    return findings


def mend(sources, root):
    """Formats the files in place. Returns words on why it cannot, or None."""
    tool, version = find_tool()
    if version != VERSION:
        return f"clang-format {VERSION} is wanted, there is {version if tool else 'none'}: see docs/build.md"
    _run(tool, sources, root, "-i")
    return None
