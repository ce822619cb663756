"""`mnemos serve` as a process of its own, that can be killed."""

from __future__ import annotations

import resource
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx2


class ServerProcess:
    """A server over a folder, until the end of the `with`; `largest` bounds its files in bytes, like a full disk."""

    def __init__(self, folder: Path, largest: int | None = None) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"

        def bound() -> None:
            if largest is not None:
                resource.setrlimit(resource.RLIMIT_FSIZE, (largest, resource.RLIM_INFINITY))

        words = [
            sys.executable,
            "-m",
            "mnemos",
            "serve",
            "--data",
            str(folder),
            "--port",
            str(port),
            "--rate",
            "100000",
        ]
        self._log = (folder.parent / "server.log").open("ab")
        self._process = subprocess.Popen(words, stderr=self._log, preexec_fn=bound)
        self.client = httpx2.Client(base_url=self.url, timeout=30, trust_env=False)
        self._wait()

    def _wait(self) -> None:
        end = time.monotonic() + 60
        while True:
            assert self._process.poll() is None, "it ended"
            assert time.monotonic() < end, "it never answered"
            try:
                if self.client.get("/v1/ready").status_code == 200:
                    return
            except httpx2.TransportError:
                time.sleep(0.02)

    def kill(self) -> None:
        """End it as a power cut would."""
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.poll() is None:
            self._process.terminate()
        try:
            self._process.wait(60)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self.client.close()
        self._log.close()
