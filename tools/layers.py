#!/usr/bin/env python3
"""Refuses includes that go against the layers.

Called by sluice_library() as: layers.py FOLDER NAME [USED NAME ...]. Every #include "x/..." in FOLDER must have
x = NAME or one of the used names. Exits 1 with file, line and the rule otherwise.
"""
import pathlib
import re
import sys

folder, name, *uses = sys.argv[1:]
allowed = {name, *uses}
include = re.compile(r'\s*#\s*include\s+"([^"/]+)/')
bad = 0
for path in sorted(pathlib.Path(folder).rglob("*")):
    if path.suffix not in (".h", ".cc"):
        continue
    for number, line in enumerate(path.read_text().splitlines(), 1):
        match = include.match(line)
        if match and match.group(1) not in allowed:
            bad += 1
            print(f"{path}:{number}: {name} may not include {match.group(1)}/ "
                  f"(it may use: {', '.join(sorted(allowed))}; see docs/architecture.md)", file=sys.stderr)
sys.exit(1 if bad else 0)
