# SPDX-License-Identifier: Apache-2.0
"""Go's amqp091-go (Debian's golang-github-rabbitmq-amqp091-go-dev) against the broker: clients/tutorials.go. Left out
when Go is not installed; tools/setup heavy installs it."""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from broker import TOP, scaled
from case import BrokerCase
from tutorials import tutorials

SOURCE = pathlib.Path(__file__).with_name("clients") / "tutorials.go"
LIBRARIES = pathlib.Path("/usr/share/gocode")


@unittest.skipUnless(shutil.which("go") and (LIBRARIES / "src/github.com/rabbitmq/amqp091-go").exists(),
                     "the Go client is not installed: tools/setup heavy")
class Go(tutorials("tables", "errors"), BrokerCase):
    @classmethod
    def setUpClass(cls):
        cls.directory = tempfile.TemporaryDirectory(prefix="sluice-go-")
        cls.addClassCleanup(cls.directory.cleanup)
        cls.binary = pathlib.Path(cls.directory.name) / "tutorials"
        environment = {**os.environ, "GOPATH": str(LIBRARIES), "GO111MODULE": "off", "CGO_ENABLED": "0",
                       "GOCACHE": str(TOP / "build/go-cache")}
        subprocess.run(["go", "build", "-o", cls.binary, SOURCE], env=environment, check=True, timeout=scaled(200))
        super().setUpClass()

    def program(self):
        return [str(self.binary)]


if __name__ == "__main__":
    unittest.main()
