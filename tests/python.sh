#!/bin/sh
# python.sh FILE [ARGUMENT...]: runs a test under the Python that has the packages of tests/python.txt,
# where `./run` made it, else under Debian's.
python=$(dirname "$0")/../build/python/bin/python
test -x "$python" || python=/usr/bin/python3
test -x "$python" || python=python3
exec "$python" -B "$@"
