"""Sources are as clang-format leaves them. Versions differ in taste, so only the one that the house
uses decides; another one's findings are printed and pass."""
import os
import re
import shutil
import subprocess

VERSION = 14


def find_tool():
    """(path, major version) of clang-format, or (None, 0)."""
    tool = shutil.which(f"clang-format-{VERSION}") or shutil.which("clang-format")
    if not tool:
        return None, 0
    text = subprocess.run([tool, "--version"], capture_output=True, text=True, check=True).stdout
    return tool, int(re.search(r"version (\d+)", text)[1])


def check(sources, root):
    tool, version = find_tool()
    if not tool:
        print("skipped: there is no clang-format")
        return []
    # one process for all files: starting it takes far longer than a file does
    files = [os.path.join(root, s.path) for s in sources]
    result = subprocess.run([tool, "--style=file", "--dry-run", *files], capture_output=True, text=True, check=True)
    first = {}
    for path, line in re.findall(r"^(.+?):(\d+):\d+: warning: code should be clang-formatted", result.stderr, re.MULTILINE):
        first.setdefault(os.path.relpath(path, root), line)
    findings = [f"{path}:{line}: clang-format would change it" for path, line in first.items()]
    if version != VERSION:
        print(*(f"{f} (version {version}; only {VERSION} decides)" for f in findings), sep="\n")
        return []
    return findings
