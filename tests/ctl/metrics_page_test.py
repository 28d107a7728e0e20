# SPDX-License-Identifier: Apache-2.0
"""docs/metrics.md is the metrics page of a running server: names, kinds, labels and help as Prometheus gets them.

A stale page is written anew, so that a second run passes and the change can be committed.
"""
import pathlib
import re
import sys
import unittest

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tests/support"))
from case import BrokerCase

HEAD = """# Metrics

What `http://HOST:15692/metrics` serves, in the text format of Prometheus. Names are RabbitMQ's wherever the meaning is the
same, so its dashboards show them; what only Sluice has begins with `sluice_`. Counters never go back while the server
runs; gauges say what is now. Names end in their unit.

This page is generated from a running server.

| metric | kind | labels | what it says |
| --- | --- | --- | --- |
"""


def page_of(text):
    families, labels = {}, {}
    for line in text.splitlines():
        if found := re.match(r"# HELP (\S+) (.*)", line):
            families[found[1]] = [None, found[2]]
        elif found := re.match(r"# TYPE (\S+) (\S+)", line):
            families[found[1]][0] = found[2]
        elif found := re.match(r"(\w+)(?:\{(.*)\})? \S+$", line):
            names = re.findall(r'(\w+)="', found[2] or "")
            labels.setdefault(found[1], set()).update(names)
    rows = []
    for name in sorted(families):
        kind, doc = families[name]
        names = ", ".join(sorted(labels.get(name, ())))
        rows.append(f"| `{name}` | {kind} | {names} | {doc} |\n")
    return HEAD + "".join(rows)


class MetricsPage(BrokerCase):
    def setUp(self):
        self.only_sluice("the page is about sluice")

    def test_the_page_in_docs_is_fresh(self):
        path = TOP / "docs/metrics.md"
        found = path.read_text() if path.exists() else ""
        wanted = page_of(self.broker.metrics_text())
        if found != wanted:
            path.write_text(wanted)
        self.assertTrue(found == wanted, "docs/metrics.md was stale: written anew, commit it")


if __name__ == "__main__":
    unittest.main()
