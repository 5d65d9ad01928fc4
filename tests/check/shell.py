"""Shell scripts pass shellcheck: `run`, and what lies in slurm/ or tests/ and begins like a shell script."""
import os
import re
import shutil
import subprocess

FOLDERS = ("slurm", "tests")
SHELL = re.compile(rb"#!.*\b(ba|da)?sh\b|# .*\n(#.*\n)*# shellcheck shell=")


def find_tool():
    return shutil.which("shellcheck")


def scripts(root):
    """Paths from the root of the scripts there."""
    found = ["run"] if os.path.exists(os.path.join(root, "run")) else []
    for folder in FOLDERS:
        for place, _, names in os.walk(os.path.join(root, folder)):
            for name in sorted(names):
                with open(os.path.join(place, name), "rb") as f:
                    if SHELL.match(f.read(1000)):
                        found.append(os.path.relpath(os.path.join(place, name), root))
    return found


def check(_sources, root):
    if not find_tool():
        print("skipped: there is no shellcheck")
        return []
    files = scripts(root)
    if not files:
        return []
    # a file that is read by another (source) is checked by itself, so it need not be followed
    result = subprocess.run([find_tool(), "--format=gcc", "--exclude=SC1091", *files], cwd=root, capture_output=True,
                            text=True, check=False)
    found = re.findall(r"^(.+?:\d+):\d+: \w+: (.*)$", result.stdout, re.MULTILINE)
    if result.returncode != 0 and not found:
        return [f"shellcheck: {result.stderr.strip()}"]
    return [f"{place}: {words}" for place, words in found]
