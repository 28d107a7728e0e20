# SPDX-License-Identifier: Apache-2.0
"""`tools/run demo`: real cities report weather into a superstream, and filtered replays are compared.

Starts a broker of its own (own ports, own directory below build/demo), publishes at least a million readings of
135,000 cities with the country as filter value, replays with several filters through the C++ client and through the
published JavaScript client, prints the table, stops the broker. Exit code 0 only when every replay got exactly what
it wanted. SLUICE_DEMO_EVENTS changes the number of readings.
"""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
TOP = HERE.parents[1]
sys.path.insert(0, str(TOP / "tests/support"))
from broker import BIN, Broker

EVENTS = int(os.environ.get("SLUICE_DEMO_EVENTS", "1100000"))
IS_TERMINAL = sys.stdout.isatty()
BAR = 32
EXPRESSION = "country = 'KR' AND temp > 25"
# An expression is a subscription property the published client has no name for.
SHOWN = {
    "C++": ("everything", "country=US", "country=JP", "country=KR", "country=IS", "country=VA", EXPRESSION),
    "JS": ("everything", "country=JP", "country=KR", "country=IS", "country=VA"),
}
CHUNKS_SKIPPED, SEGMENTS_SKIPPED = "sluice_chunks_skipped_total", "sluice_segments_skipped_total"


def size_text(size):
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000 or unit == "GB":
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000


def time_text(seconds):
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.2f} s"


class Bar:
    """A progress bar on a terminal; one line at every quarter in a log."""

    def __init__(self, label):
        self.label, self.start, self.quarter = label, time.monotonic(), 0

    def show(self, done, total):
        share = done / total if total else 1
        rate = done / max(time.monotonic() - self.start, 1e-6)
        if IS_TERMINAL:
            full = int(share * BAR)
            print(f"\r  {self.label:<42} [{'#' * full}{'.' * (BAR - full)}] {share:4.0%}  {done:>9,}  "
                  f"{rate:>9,.0f}/s ", end="", flush=True)
        elif share * 4 >= self.quarter + 1 and (done == total or time.monotonic() - self.start > 2):
            self.quarter = int(share * 4)
            print(f"  {self.label:<42} {share:4.0%}  {done:>9,} of {total:,}", flush=True)

    def end(self):
        if IS_TERMINAL:
            print(flush=True)


def run(label, command):
    """Runs one half of the demo, shows its progress, returns its result."""
    bar, result = Bar(label), None
    process = subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE, text=True)
    try:
        for line in process.stdout:
            word, _, rest = line.strip().partition(" ")
            if word == "progress":
                bar.show(*map(int, rest.split()))
            elif word == "result":
                result = json.loads(rest)
    finally:
        if sys.exc_info()[0] is not None:
            process.kill()
        code = process.wait()
    bar.end()
    if code != 0 or result is None:
        raise SystemExit(f"demo: {command[0]} {command[1]} ended with code {code}")
    return result


def replay(broker, client, query, wanted):
    before = broker.metrics()
    if client == "C++":
        result = run(f"replay C++  {query}", [BIN / "sluice-demo", "replay", "--port", broker.port, "--query", query,
                                              "--wanted", wanted])
    else:
        country = query.removeprefix("country=") if "=" in query else ""
        result = run(f"replay JS   {query}", ["node", HERE / "replay.js", broker.port, "telemetry", country, wanted])
    after = broker.metrics()
    for name, key in (("chunks_skipped", CHUNKS_SKIPPED), ("segments_skipped", SEGMENTS_SKIPPED)):
        result[name] = int(total(after, key) - total(before, key))
    return {"client": client, "query": query, "wanted": wanted, **result}


def total(samples, name):
    return sum(value for key, value in samples.items() if key.split("{")[0] == name)


def table(rows):
    base = {row["client"]: row for row in rows if row["query"] == "everything"}
    head = ("client", "replay of", "wanted", "received", "on the wire", "chunks", "segments", "time", "bytes vs",
            "time vs")
    under = ("", "", "messages", "messages", "", "skipped", "skipped", "", "everything", "everything")
    lines = [head, under]
    for row in rows:
        whole = base[row["client"]]
        lines.append((row["client"], row["query"], f"{row['wanted']:,}", f"{row['received']:,}",
                      size_text(row["wire_bytes"]), f"{row['chunks_skipped']:,}", f"{row['segments_skipped']:,}",
                      time_text(row["seconds"]), f"{100 * row['wire_bytes'] / whole['wire_bytes']:.2f} %",
                      f"{100 * row['seconds'] / whole['seconds']:.2f} %"))
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    out = []
    for number, line in enumerate(lines):
        out.append("  ".join(cell.ljust(width) if column < 2 else cell.rjust(width)
                             for column, (cell, width) in enumerate(zip(line, widths))).rstrip())
        if number == 1:
            out.append("  ".join("-" * width for width in widths))
    return "\n".join(out)


def main():
    home = TOP / "build/demo"
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    cities = home / "cities.tsv"
    subprocess.run(["node", str(HERE / "cities.js"), str(cities)], check=True)
    started = time.monotonic()
    with Broker(data_dir=home / "data") as broker:
        print(f"==> a broker of its own serves on port {broker.port}; its files are in {broker.data_dir}", flush=True)
        print("==> publishing: every city of the world reports its weather into superstream 'telemetry', 4 partitions,\n"
              "    key: the city, filter value: its country", flush=True)
        done = run("publish C++", [BIN / "sluice-demo", "publish", "--port", broker.port, "--cities", cities,
                                   "--events", EVENTS])
        print(f"    {done['confirmed']:,} readings of {done['cities']:,} cities confirmed, {size_text(done['bytes'])}, "
              f"{done['seconds']:.1f} s, {done['confirmed'] / done['seconds']:,.0f} a second", flush=True)
        print("==> replaying from the first offset with different filters", flush=True)
        rows = []
        for client, shown in SHOWN.items():
            for query in shown:
                rows.append(replay(broker, client, query, done["wanted"][query]))
        memory = broker.rss_bytes()
        print(f"\n{table(rows)}\n")
        wrong = [row for row in rows if row["matched"] != row["wanted"]]
        print(f"the broker held {size_text(done['bytes'])} of readings in {size_text(memory)} of memory")
    print(f"==> the broker has stopped; all in {time.monotonic() - started:.0f} s")
    if wrong:
        print("NOT what was wanted: " + ", ".join(f"{row['client']} {row['query']}" for row in wrong))
        return 1
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
