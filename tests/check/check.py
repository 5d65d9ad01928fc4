#!/usr/bin/env python3
"""Mechanical checks of the sources: python3 tests/check/check.py NAME... [--root DIR] [--mend]

Each check is a module with check(sources, root) -> findings, 'path:line: words'. A finding is an
error. self_test.py shows that each of them finds what it is there for. A check that can repair what
it finds has mend(sources, root)."""
import argparse
import importlib
import os
import sys

NAMES = ("layering", "banned", "headers", "own_header", "globals", "labels", "format", "rooms", "words", "shell", "pages")


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("names", nargs="*", metavar="NAME", help=", ".join(NAMES))
    p.add_argument("--root", default=os.path.dirname(os.path.dirname(here)))
    p.add_argument("--mend", action="store_true", help="let the named checks repair what they find (format can)")
    a = p.parse_args()
    sys.path.insert(0, here)
    sys.dont_write_bytecode = True
    from source import read_tree

    for name in a.names:
        if name not in NAMES:
            p.error(f"unknown check '{name}', known: {', '.join(NAMES)}")
    sources = read_tree(a.root)
    if not sources:
        p.error(f"no sources below {a.root}")
    for name in a.names if a.mend else ():
        module = importlib.import_module(name)
        words = module.mend(sources, a.root) if hasattr(module, "mend") else "it cannot repair what it finds"
        if words:
            p.error(f"{name}: {words}")
    findings = [f for name in a.names or NAMES for f in importlib.import_module(name).check(sources, a.root)]
    print(*findings, sep="\n")
    print(f"{len(sources)} files, {len(findings)} findings")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
