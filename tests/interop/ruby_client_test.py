# SPDX-License-Identifier: Apache-2.0
"""Ruby's bunny (Debian's ruby-bunny) against the broker: clients/bunny.rb."""
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from case import BrokerCase
from tutorials import tutorials

PROGRAM = pathlib.Path(__file__).with_name("clients") / "bunny.rb"


class Bunny(tutorials("errors", "dead_letters", "pop_and_priorities"), BrokerCase):
    def program(self):
        return ["/usr/bin/ruby", str(PROGRAM)]


if __name__ == "__main__":
    unittest.main()
