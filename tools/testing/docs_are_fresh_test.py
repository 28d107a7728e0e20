# SPDX-License-Identifier: Apache-2.0
"""The generated parts of the documents are what tools/docgen makes of the sources, and links between files hold.

When a part was stale the test fails once and leaves the new text in place: look at it and commit it.
"""
import pathlib
import re
import subprocess
import sys
import unittest

TOP = pathlib.Path(__file__).resolve().parents[2]


class DocsAreFresh(unittest.TestCase):
    def test_generated_parts(self):
        done = subprocess.run([sys.executable, str(TOP / "tools/docgen")], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_text_rules(self):
        done = subprocess.run([sys.executable, str(TOP / "tools/testing/text_rules.py")], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_links_between_documents_lead_somewhere(self):
        names = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "*.md"], cwd=TOP, check=True,
                               capture_output=True, text=True).stdout.splitlines()
        for name in names:
            path = TOP / name
            if not path.exists():
                continue
            for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", path.read_text()):
                if "://" not in target and not target.startswith("mailto:"):
                    with self.subTest(f"{name} -> {target}"):
                        self.assertTrue((path.parent / target).exists())


if __name__ == "__main__":
    unittest.main()
