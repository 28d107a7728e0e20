# SPDX-License-Identifier: Apache-2.0
"""One broker process for a test: own ports, own data directory, own log file.

Used by every Python test and by tools/with-broker. `Broker` starts build/release/bin/sluice (SLUICE_BIN names
another directory), waits for the line with which it says that it serves, and stops or kills it. Used as a context
manager it stops the broker cleanly, demands exit code 0 and removes what it made.
"""
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request

TOP = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("SLUICE_BIN", TOP / "build/release/bin"))
SERVING = re.compile(r"\bserv(es|ing)\b", re.IGNORECASE)


def free_port():
    """A port nobody listens on, outside the range the kernel gives to outgoing connections."""
    while True:
        port = random.SystemRandom().randint(15000, 32000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


def scaled(seconds):
    """A time limit, stretched on slow machines and under sanitizers by SLUICE_TEST_SLOWNESS."""
    return seconds * float(os.environ.get("SLUICE_TEST_SLOWNESS", "1"))


def until(what, predicate, timeout=10):
    """Polls until the predicate's result is true and returns it; fails with `what` after the limit."""
    end = time.monotonic() + scaled(timeout)
    while True:
        result = predicate()
        if result:
            return result
        if time.monotonic() > end:
            raise AssertionError(f"waited too long until {what}")
        time.sleep(0.005)


def throughout(what, seconds, predicate):
    """Looks for so long whether the predicate's result stays true; fails with `what` when it does not."""
    end = time.monotonic() + scaled(seconds)
    while time.monotonic() < end:
        assert predicate(), f"not so all the while: {what}"
        time.sleep(0.005)


class StartError(Exception):
    """The broker ended or stayed silent instead of serving; holds what it printed."""


class Broker:
    def __init__(self, data_dir=None, options=None, prefix=(), environment=None):
        """options: more keys of the configuration file. prefix: a command the broker is started through."""
        self.own_dir = pathlib.Path(tempfile.mkdtemp(prefix="sluice-test-"))
        self.data_dir = pathlib.Path(data_dir) if data_dir else self.own_dir / "data"
        self.options = dict(options or {})
        self.prefix = list(prefix)
        self.environment = environment
        self.log_path = self.own_dir / "broker.log"
        self.process = None
        self.port = free_port()
        self.amqp_port = free_port()
        self.metrics_port = free_port()

    def write_config(self):
        config = {
            "stream.listeners.tcp.default": f"127.0.0.1:{self.port}",
            "listeners.tcp.default": f"127.0.0.1:{self.amqp_port}",
            "prometheus.tcp.ip": "127.0.0.1",
            "prometheus.tcp.port": self.metrics_port,
            **self.options,
        }
        path = self.own_dir / "sluice.conf"
        path.write_text("".join(f"{key} = {value}\n" for key, value in config.items()))
        return path

    def command(self):
        return [*self.prefix, str(BIN / "sluice"), "--config", str(self.write_config()),
                "--data-dir", str(self.data_dir)]

    def start(self, timeout=20):
        self.data_dir.mkdir(parents=True, exist_ok=True)
        log_start = self.log_path.stat().st_size if self.log_path.exists() else 0
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            env=self.environment)
        deadline = time.monotonic() + scaled(timeout)
        while True:
            text = self.log_text(log_start)
            if SERVING.search(text):
                return self
            if self.process.poll() is not None:
                code, self.process = self.process.returncode, None
                raise StartError(f"the broker ended with code {code}:\n{self.log_text(log_start)}")
            if time.monotonic() > deadline:
                self.kill()
                raise StartError(f"the broker does not say that it serves:\n{text}")
            time.sleep(0.005)

    def stop(self, timeout=20):
        """Asks it to end; returns the exit code."""
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(scaled(timeout))
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError("the broker does not end on SIGTERM:\n" + self.log_text()) from None
        self.process = None
        return code

    def kill(self):
        """Ends it as a crash would: no instruction more."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def rss_bytes(self):
        with open(f"/proc/{self.process.pid}/status") as status:
            for line in status:
                if line.startswith("VmRSS:"):
                    return int(line.split()[1]) * 1024
        raise AssertionError("no VmRSS")

    def log_text(self, start=0):
        if not self.log_path.exists():
            return ""
        with open(self.log_path, "rb") as log:
            log.seek(start)
            return log.read().decode("utf-8", "replace")

    def metrics_text(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics_port}/metrics", timeout=10) as answer:
            return answer.read().decode()

    def metrics(self):
        """Every sample of /metrics as {'name{labels}': value}."""
        samples = {}
        for line in self.metrics_text().splitlines():
            if line and not line.startswith("#"):
                name, value = line.rsplit(" ", 1)
                samples[name] = float(value)
        return samples

    def metric(self, name):
        """The sum over the labels of one metric."""
        return sum(value for key, value in self.metrics().items() if key.split("{")[0] == name)

    def remove(self):
        shutil.rmtree(self.own_dir, ignore_errors=True)

    def __enter__(self):
        return self if self.process else self.start()

    def __exit__(self, kind, error, trace):
        try:
            if self.is_running():
                if kind is not None:
                    self.kill()
                    print("---- broker log ----\n" + self.log_text()[-8000:])
                else:
                    code = self.stop()
                    assert code == 0, f"the broker ended with code {code}:\n{self.log_text()[-8000:]}"
        finally:
            self.kill()
            self.remove()
