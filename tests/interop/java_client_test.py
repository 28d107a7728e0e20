# SPDX-License-Identifier: Apache-2.0
"""The Java client (Debian's librabbitmq-client-java) against the broker: clients/Tutorials.java. Left out when it is not
installed; tools/setup heavy installs it."""
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from broker import scaled
from case import BrokerCase
from tutorials import tutorials

SOURCE = pathlib.Path(__file__).with_name("clients") / "Tutorials.java"
JARS = [pathlib.Path("/usr/share/java") / name for name in ("amqp-client.jar", "slf4j-api.jar", "slf4j-nop.jar")]


@unittest.skipUnless(shutil.which("javac") and JARS[0].exists(), "the Java client is not installed: tools/setup heavy")
class Java(tutorials("tables", "errors"), BrokerCase):
    @classmethod
    def setUpClass(cls):
        cls.directory = tempfile.TemporaryDirectory(prefix="sluice-java-")
        cls.addClassCleanup(cls.directory.cleanup)
        cls.classes = ":".join(map(str, [cls.directory.name, *JARS]))
        subprocess.run(["javac", "-nowarn", "-d", cls.directory.name, "-cp", cls.classes, SOURCE], check=True,
                       timeout=scaled(100))
        super().setUpClass()

    def program(self):
        return ["java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx128m", "-cp", self.classes, "Tutorials"]


if __name__ == "__main__":
    unittest.main()
