# SPDX-License-Identifier: Apache-2.0
"""Runs the test suites side by side and adds up their cases; tools/test calls it after the build.

A suite is one process: a program registered with ctest, a Python unittest file or a node test file. Each writes to
its own log below build/release/test-logs. A suite counts the cases its output reports (Catch2, unittest, TAP), else
one case for its exit code. The last line is "N passed, N failed"; the exit code is 0 only with 0 failed.
"""
import argparse
import concurrent.futures
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import time

TOP = pathlib.Path(__file__).resolve().parents[2]
TIMEOUT_S = 240
SLOWNESS = float(os.environ.get("SLUICE_TEST_SLOWNESS", "1"))
LONGEST_FIRST = ("crash", "raw_handshake", "group", "bad_input", "fuzz", "filter", "super")
TAIL_LINES = 60


class Suite:
    def __init__(self, name, command, directory=TOP, timeout=TIMEOUT_S, environment=None):
        self.name, self.command, self.directory, self.timeout = name, command, directory, timeout
        self.environment = environment or {}


def ctest_suites(build):
    """Programs registered with ctest. Those labelled 'broker' are given one by their own command."""
    listing = subprocess.run(["ctest", "--test-dir", str(build), "--show-only=json-v1"], check=True,
                             capture_output=True, text=True).stdout
    for test in json.loads(listing)["tests"]:
        properties = {entry["name"]: entry["value"] for entry in test.get("properties", [])}
        environment = dict(pair.split("=", 1) for pair in properties.get("ENVIRONMENT", []))
        if properties.get("DISABLED") or "command" not in test:
            continue
        suite = Suite(test["name"], test["command"], properties.get("WORKING_DIRECTORY", str(build)),
                      float(properties.get("TIMEOUT", TIMEOUT_S)), environment)
        suite.will_fail = bool(properties.get("WILL_FAIL"))
        yield suite


def script_suites():
    for path in sorted((TOP / "tests").glob("*/*_test.py")) + sorted((TOP / "tools").glob("*/*_test.py")):
        yield Suite(f"{path.parent.name}/{path.stem}", [sys.executable, str(path)])
    for path in sorted((TOP / "tests/interop").glob("*.test.js")):
        yield Suite(f"interop/{path.name.removesuffix('.test.js')}",
                    ["node", "--test", "--test-reporter=tap", str(path)])


def count(output, code):
    """(passed, failed, skipped) of one suite's output."""
    found = re.search(r"^# pass (\d+)$.*?^# fail (\d+)$.*?^# cancelled (\d+)$.*?^# skipped (\d+)$", output, re.M | re.S)
    if found:
        passed, failed, cancelled, skipped = map(int, found.groups())
        return passed, failed + cancelled, skipped
    found = re.search(r"^Ran (\d+) tests? in", output, re.M)
    if found:
        bad = sum(int(n) for n in re.findall(r"(?:failures|errors)=(\d+)", output))
        skipped = sum(int(n) for n in re.findall(r"skipped=(\d+)", output))
        failed = min(bad, int(found.group(1))) or (1 if code else 0)
        return max(int(found.group(1)) - failed - skipped, 0), failed, skipped
    found = re.search(r"All tests passed \(\d+ assertions? in (\d+) test cases?\)", output)
    if found:
        return int(found.group(1)), 0, 0
    found = re.search(r"^test cases:\s*(\d+) \|(?:\s*(\d+) passed \|)?\s*(\d+) failed", output, re.M)
    if found:
        return int(found.group(2) or 0), int(found.group(3)), 0
    return (1, 0, 0) if code == 0 else (0, 1, 0)


def run(suite, logs):
    log_path = logs / (suite.name.replace("/", "-") + ".log")
    start = time.monotonic()
    with open(log_path, "w+", errors="replace") as log:
        process = subprocess.Popen(suite.command, cwd=suite.directory, stdin=subprocess.DEVNULL, stdout=log,
                                   stderr=subprocess.STDOUT, start_new_session=True,
                                   env={**os.environ, **suite.environment})
        try:
            code = process.wait(suite.timeout * SLOWNESS)
        except subprocess.TimeoutExpired:
            code = f"did not end within {suite.timeout * SLOWNESS:.0f} s"
        try:
            # The suite's own session: whatever it left behind ends with it.
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        process.wait()
        log.seek(0)
        output = log.read()
    if getattr(suite, "will_fail", False):
        code = 0 if code not in (0,) and isinstance(code, int) else 1
        result = (1, 0, 0) if code == 0 else (0, 1, 0)
    else:
        result = count(output, code)
    if code != 0 and result[1] == 0:
        result = (result[0], 1, result[2])
    return suite, result, code, output, time.monotonic() - start


def rank(suite):
    for index, word in enumerate(LONGEST_FIRST):
        if word in suite.name:
            return index
    return len(LONGEST_FIRST)


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--build", type=pathlib.Path, default=TOP / "build/release")
    options.add_argument("--only-ctest", action="store_true", help="leave out what needs node or a server")
    options.add_argument("--exclude", default="", help="leave out suites whose name contains this")
    options.add_argument("--at-once", type=int, default=(os.cpu_count() or 2) + 1, help="suites beside each other")
    options.add_argument("pattern", nargs="?", default="", help="part of the name, or a regular expression")
    options = options.parse_args()
    # What the tests start is what this build made.
    os.environ.setdefault("SLUICE_BIN", str(options.build.resolve() / "bin"))

    suites = list(ctest_suites(options.build))
    if not options.only_ctest:
        suites += script_suites()
    suites = sorted((s for s in suites if re.search(options.pattern, s.name)
                     and not (options.exclude and re.search(options.exclude, s.name))), key=rank)
    logs = options.build / "test-logs"
    logs.mkdir(parents=True, exist_ok=True)
    print(f"==> running {len(suites)} test suites; logs in {os.path.relpath(logs, TOP)}", flush=True)
    passed = failed = skipped = 0
    start = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(max_workers=options.at_once) as pool:
        for done in concurrent.futures.as_completed([pool.submit(run, suite, logs) for suite in suites]):
            suite, (good, bad, left_out), code, output, seconds = done.result()
            passed, failed, skipped = passed + good, failed + bad, skipped + left_out
            note = f", {left_out} skipped" if left_out else ""
            print(f"{'FAIL' if bad else 'ok  '} {suite.name:<28} {good:>4} passed, {bad} failed{note}  "
                  f"({seconds:.1f} s)", flush=True)
            if left_out:
                for line in re.findall(r"(?:skipped|SKIP)[ :].*", output)[:5]:
                    print(f"       {line}")
            if bad:
                print(f"---- {suite.name}: {code if isinstance(code, str) else f'exit code {code}'}")
                print("\n".join(output.splitlines()[-TAIL_LINES:]))
                print("----", flush=True)
    print(f"==> {time.monotonic() - start:.0f} s" + (f", {skipped} skipped" if skipped else ""))
    if not suites:
        print("no suite has that in its name")
        failed += 1
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
