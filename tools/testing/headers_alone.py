# SPDX-License-Identifier: Apache-2.0
"""Compiles every header by itself: headers_alone.py BUILD [-j N]. tools/check calls it.

A header is compiled with the flags of a source file of its folder (from compile_commands.json), which know what the
folder may include; so a header that leans on its includer, or on a layer it may not see, is found.
"""
import argparse
import concurrent.futures
import json
import pathlib
import shlex
import subprocess
import sys

TOP = pathlib.Path(__file__).resolve().parents[2]
FOLDERS = ("src", "streamproto", "storage", "filters", "clients", "tests/support")


def flags_by_folder(build):
    flags = {}
    for entry in json.loads((build / "compile_commands.json").read_text()):
        words = shlex.split(entry["command"])
        keep, skip = [], False
        for word in words[1:] if "ccache" not in words[0] else words[2:]:
            if skip:
                skip = False
            elif word in ("-o", "-c", "-MF", "-MT", "-MQ"):
                skip = True
            elif not word.startswith("-MD"):
                keep.append(word)
        compiler = words[1] if "ccache" in words[0] else words[0]
        folder = pathlib.Path(entry["file"]).parent
        flags.setdefault(folder, [compiler, *keep])
    return flags


# What the tests share sees all that is tested: it is compiled as the tests of the uppermost layer are.
SUPPORT, UPPERMOST = TOP / "tests/support", TOP / "tests/unit/stream"


def flags_for(header, flags):
    folder = UPPERMOST if header.parent == SUPPORT else header.parent
    while folder != TOP.parent:
        if folder in flags:
            return flags[folder]
        below = [key for key in flags if folder in key.parents]
        if below and folder != TOP:
            return flags[sorted(below)[0]]
        folder = folder.parent
    return None


def compile_alone(header, command):
    done = subprocess.run([*command, "-fsyntax-only", "-Wno-pragma-once-outside-header", "-Wno-unused-const-variable",
                           "-xc++", str(header)], capture_output=True, text=True, cwd=TOP)
    return header, done.returncode, done.stderr


def main():
    options = argparse.ArgumentParser()
    options.add_argument("build", type=pathlib.Path)
    options.add_argument("-j", type=int, default=2)
    options = options.parse_args()
    flags = flags_by_folder(options.build)
    headers = sorted(path for folder in FOLDERS for path in (TOP / folder).rglob("*.h"))
    bad = 0
    with concurrent.futures.ThreadPoolExecutor(options.j) as pool:
        jobs = [pool.submit(compile_alone, header, command) for header in headers
                if (command := flags_for(header, flags))]
        for job in jobs:
            header, code, errors = job.result()
            if code != 0:
                bad += 1
                print(f"{header.relative_to(TOP)} does not compile alone:\n{errors}", file=sys.stderr)
    print(f"    {len(jobs)} headers, {bad} bad")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
