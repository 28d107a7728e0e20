# SPDX-License-Identifier: Apache-2.0
"""Shows every source and header to the second compiler: second_compiler.py BUILD [-j N]. tools/check calls it.

BUILD is a folder configured for clang; only its compile_commands.json is read. Sources are checked with their own flags
and -fsyntax-only: all that the compiler has to say, without the code that nobody runs. Every header must compile alone,
with the flags of a source file of its folder, which know what the folder may include; so a header that leans on its
includer, or on a layer it may not see, is found. A header that some source of its folder includes first is shown to
compile alone by that source; the others are compiled by themselves.

Sources that prove nothing about a header use precompiled library headers; what such a source forgets to include GCC's
build finds. The work is a ninja file, so a second run checks only what changed.
"""
import argparse
import collections
import json
import pathlib
import re
import shlex
import subprocess
import sys

TOP = pathlib.Path(__file__).resolve().parents[2]
FOLDERS = ("src", "streamproto", "storage", "filters", "clients", "tests/support")
# What the tests share sees all that is tested: it is compiled as the tests of the uppermost layer are.
SUPPORT, UPPERMOST = TOP / "tests/support", TOP / "tests/unit/stream"
INCLUDE = re.compile(r'^\s*#\s*include\s+([<"][^>"]+[>"])', re.M)
# Library headers that so many sources and headers name are worth precompiling; so many sources make it worth while.
USES_MIN, SOURCES_MIN = 8, 8
CATCH = "<catch2/catch.hpp>"


class Source:
    """One entry of compile_commands.json: words is the command without output and optimisation."""

    def __init__(self, entry):
        self.path = pathlib.Path(entry["file"])
        words = shlex.split(entry["command"])
        words = words[1:] if "ccache" in words[0] else words
        self.words, skip = [], False
        for word in words:
            if skip:
                skip = False
            elif word in ("-o", "-c", "-MF", "-MT", "-MQ"):
                skip = word != "-c"
            elif word != str(self.path) and not re.match(r"-MD|-O\d", word):
                self.words.append(word)
        self.includes = INCLUDE.findall(self.path.read_text())

    def first_include(self):
        """The header of the same folder that this source begins with."""
        name = self.includes[0] if self.includes else "<"
        path = self.path.parent / pathlib.PurePath(name[1:-1]).name
        return path if name[0] == '"' and path.exists() else None

    def group(self):
        """Sources with the same group can share a precompiled header: what is in it does not depend on the rest."""
        words = [word for word in self.words if not re.match(r"-I|-isystem|-DSLUICE_", word)]
        return (CATCH in self.includes, *words)


def flags_for(header, by_folder):
    folder = UPPERMOST if header.parent == SUPPORT else header.parent
    while folder != TOP.parent:
        if folder in by_folder:
            return by_folder[folder]
        below = [key for key in by_folder if folder in key.parents]
        if below and folder != TOP:
            return by_folder[sorted(below)[0]]
        folder = folder.parent
    return None


class Plan:
    """The ninja file: one stamp for each source and header, and the precompiled headers."""

    def __init__(self, place):
        self.place, self.steps, self.count = place, [], 0

    def write(self):
        text = ["rule check", "  command = $words -MD -MF $out.d -MT $out $in && touch $out", "  depfile = $out.d",
                "  deps = gcc", "  description = clang $in", "rule pch",
                "  command = $words -MD -MF $out.d -MT $out -o $out $in", "  depfile = $out.d", "  deps = gcc",
                "  description = precompiling $in", *self.steps, ""]
        path = self.place / "build.ninja"
        path.write_text("\n".join(text))

    def step(self, rule, source, words, needs=()):
        source_name = re.sub(r"[^\w.]", "_", str(source.relative_to(TOP)))
        out = f"{source_name}.{'pch' if rule == 'pch' else 'ok'}"
        needed = f" | {' '.join(needs)}" if needs else ""
        command = shlex.join(words)
        self.steps += [f"build {out}: {rule} {source}{needed}", f"  words = {command.replace('$', '$$')}"]
        self.count += rule == "check"
        return out


def precompile(plan, number, group, uses):
    """The header that the sources of a group share; its text decides whether it is made again."""
    has_catch, *words = group
    names = sorted(name for name, count in uses.items()
                   if name[0] == "<" and count >= USES_MIN and (has_catch or name != CATCH))
    path = plan.place / f"libraries_{number}.h"
    text = "".join(f"#include {name}\n" for name in names)
    if not path.exists() or path.read_text() != text:
        path.write_text(text)
    return plan.step("pch", path, [*words, "-xc++-header"])


def main():
    options = argparse.ArgumentParser()
    options.add_argument("build", type=pathlib.Path)
    options.add_argument("-j", type=int, default=2)
    options = options.parse_args()
    sources = [Source(entry) for entry in json.loads((options.build / "compile_commands.json").read_text())]
    sources = list({source.path: source for source in sources}.values())
    by_folder = {}
    for source in sources:
        by_folder.setdefault(source.path.parent, source.words)
    headers = {path for folder in FOLDERS for path in (TOP / folder).rglob("*.h")}

    plan = Plan(options.build.resolve() / "syntax")
    plan.place.mkdir(exist_ok=True)
    uses = collections.Counter(name for source in sources for name in source.includes)
    uses.update(name for header in headers for name in INCLUDE.findall(header.read_text()))
    groups = collections.defaultdict(list)
    alone = set(headers)
    for source in sources:
        header = source.first_include()
        if header in alone:
            alone.discard(header)
            plan.step("check", source.path, [*source.words, "-fsyntax-only"])
        else:
            groups[source.group()].append(source)
    for number, (group, members) in enumerate(groups.items()):
        pch = precompile(plan, number, group, uses) if len(members) >= SOURCES_MIN else None
        for source in members:
            use = ["-include-pch", pch] if pch else []
            plan.step("check", source.path, [*source.words, "-fsyntax-only", *use], needs=[pch] if pch else [])
    for header in sorted(alone):
        if words := flags_for(header, by_folder):
            plan.step("check", header, [*words, "-fsyntax-only", "-Wno-pragma-once-outside-header",
                                        "-Wno-unused-const-variable", "-xc++"])
    plan.write()
    print(f"    {len(sources)} sources, {len(headers)} headers of which {len(alone)} by themselves", flush=True)
    return subprocess.run(["ninja", "-C", str(plan.place), "-j", str(options.j), "-k", "0", "--quiet"]).returncode


if __name__ == "__main__":
    sys.exit(main())
