# SPDX-License-Identifier: Apache-2.0
"""Rules about the text of the sources that no compiler knows; tools/check and the tests run it.

Every C++ file starts with the licence line, no file is longer than it can be read, no header brings names into its
includers, nothing is left "to do", and every layer has a README.md that names each of its headers.
"""
import pathlib
import re
import subprocess
import sys

TOP = pathlib.Path(__file__).resolve().parents[2]
LINES_MAX = 500
TOP_LAYERS = ("storage", "streamproto", "filters")
BANNED = (
    (re.compile(r"\b(TODO|FIXME|XXX)\b"), "finish it or leave it out"),
    (re.compile(r"\bstd::(cout|cerr)\b"), "use fmt::print or the log"),
    (re.compile(r"\bsleep_for\b"), "wait for what you wait for"),
)
SLEEPERS = ("bench/", "tools/demo/", "clients/cpp/examples/", "src/runtime/")


def complaints():
    names = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=TOP, check=True, capture_output=True,
                           text=True).stdout.splitlines()
    folders = set()
    for name in names:
        path = TOP / name
        if not path.is_file() or path.suffix not in (".cc", ".h"):
            continue
        folders.add(path.parent)
        lines = path.read_text().splitlines()
        if not lines or "SPDX-License-Identifier: Apache-2.0" not in lines[0]:
            yield f"{name}:1: the first line is not the licence line"
        if len(lines) > LINES_MAX:
            yield f"{name}: {len(lines)} lines (at most {LINES_MAX})"
        for number, line in enumerate(lines, 1):
            if path.suffix == ".h" and "/examples/" not in name and re.match(r"\s*using namespace\b", line):
                yield f"{name}:{number}: using namespace in a header"
            for pattern, instead in BANNED:
                if pattern.search(line) and not ("sleep" in line and name.startswith(SLEEPERS)):
                    yield f"{name}:{number}: {pattern.pattern}: {instead}"
    for folder in sorted(folders):
        top_folder = folder.relative_to(TOP)
        parts = top_folder.parts
        layer = len(parts) == 2 if parts[0] == "src" else len(parts) == 1 and parts[0] in TOP_LAYERS
        if layer and not (folder / "README.md").exists():
            yield f"{top_folder}: no README.md"
        elif layer:
            readme = (folder / "README.md").read_text()
            for header in sorted(folder.glob("*.h")):
                if header.name not in readme:
                    yield f"{top_folder}/README.md does not name {header.name}"


if __name__ == "__main__":
    found = list(complaints())
    print("\n".join(found) if found else "    text rules hold")
    sys.exit(1 if found else 0)
