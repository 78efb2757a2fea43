"""Decoders in a process of their own: one that crashes, hangs or eats memory costs one file.

The parent keeps one warm worker, started as `python -P -m model.volumes.decoder` so that it works
from a script, a notebook, standard input or a Dask worker alike. A request is a line of JSON and
the packed bytes; the answer is a line of JSON and the decoded bytes.
"""

import atexit
import contextlib
import json
import os
import resource
import selectors
import subprocess
import sys
import threading
import time
from dataclasses import asdict
from typing import IO, Any

import numpy as np

from model.volumes.dicom_header import PixelFormat
from model.volumes.volume import VolumeError, VolumeReason

MAX_SECONDS = 10.0  # a frame of 512 x 512 takes a tenth of one
MAX_MEMORY_BYTES = 3 << 30
_PIPE_BYTES = 1 << 16


class Decoder:
    """A handle on the worker; starts it when first needed and again after it died."""

    def __init__(self, max_seconds: float = MAX_SECONDS) -> None:
        self.max_seconds = max_seconds
        self._worker: subprocess.Popen[bytes] | None = None
        self._owner = 0
        self._lock = threading.Lock()

    def decode(self, packed: bytes, pixels: PixelFormat) -> np.ndarray:
        """The stored values (rows, columns) of one encoded frame.

        Raises VolumeError with the decoder's own reason, or DECODER_DIED.
        """
        with self._lock:
            worker = self._started()
            try:
                answer, content = self._ask(worker, packed, pixels)
            except (OSError, EOFError, ValueError):
                self.stop()
                raise VolumeError(
                    VolumeReason.DECODER_DIED, "the decoder crashed, hung or ran out of memory"
                ) from None
        if "reason" in answer:
            raise VolumeError(VolumeReason(answer["reason"]), str(answer["message"]))
        shape = (pixels.rows, pixels.columns)
        return np.frombuffer(content, answer["dtype"]).reshape(shape)

    def stop(self) -> None:
        """End the worker, if this process started it."""
        worker, self._worker = self._worker, None
        if worker is None or self._owner != os.getpid():
            return
        worker.kill()
        worker.wait()
        for pipe in (worker.stdin, worker.stdout):
            if pipe:
                with contextlib.suppress(OSError):
                    pipe.close()

    def _started(self) -> subprocess.Popen[bytes]:
        forked = self._owner != os.getpid()
        if self._worker is None or forked or self._worker.poll() is not None:
            if not forked:
                self.stop()
            self._owner = os.getpid()
            self._worker = subprocess.Popen(
                [sys.executable, "-P", "-m", "model.volumes.decoder"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                # Codecs write to it what may quote the file.
                stderr=subprocess.DEVNULL,
                env=os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
            )
            for pipe in (self._worker.stdin, self._worker.stdout):
                assert pipe is not None
                os.set_blocking(pipe.fileno(), False)
        return self._worker

    def _ask(
        self, worker: subprocess.Popen[bytes], packed: bytes, pixels: PixelFormat
    ) -> tuple[dict[str, Any], bytes]:
        assert worker.stdin is not None
        assert worker.stdout is not None
        head = json.dumps({"pixels": asdict(pixels), "length": len(packed)}).encode() + b"\n"
        deadline = time.monotonic() + self.max_seconds
        exchange = _Exchange(worker.stdin.fileno(), worker.stdout.fileno(), deadline)
        exchange.send(head + packed)
        answer: dict[str, Any] = json.loads(exchange.receive_line())
        return answer, exchange.receive(int(answer.get("length", 0)))


class _Exchange:
    """One request and its answer over non-blocking pipes, against a deadline."""

    def __init__(self, to_worker: int, from_worker: int, deadline: float) -> None:
        self._to, self._from, self._deadline = to_worker, from_worker, deadline
        self._received = bytearray()

    def send(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            self._wait(self._to, selectors.EVENT_WRITE)
            view = view[os.write(self._to, view[:_PIPE_BYTES]) :]

    def receive_line(self) -> bytes:
        while b"\n" not in self._received:
            self._read()
        line, _, rest = bytes(self._received).partition(b"\n")
        self._received = bytearray(rest)
        return line

    def receive(self, count: int) -> bytes:
        while len(self._received) < count:
            self._read()
        return bytes(self._received)

    def _read(self) -> None:
        self._wait(self._from, selectors.EVENT_READ)
        if not (data := os.read(self._from, 1 << 20)):
            raise EOFError
        self._received += data

    def _wait(self, descriptor: int, event: int) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(descriptor, event)
            if not selector.select(max(0.0, self._deadline - time.monotonic())):
                raise TimeoutError


decoder = Decoder()
atexit.register(decoder.stop)


def _serve(requests: IO[bytes], answers: IO[bytes]) -> None:
    from model.volumes.dicom_codecs import decode_packed

    while line := requests.readline():
        request = json.loads(line)
        packed = requests.read(request["length"])
        content = b""
        try:
            values = decode_packed(packed, PixelFormat(**request["pixels"]))
            content = np.ascontiguousarray(values).tobytes()
            answer = {"dtype": values.dtype.str, "length": len(content)}
        except VolumeError as error:
            message = str(error).removeprefix(f"{error.reason}: ")
            answer = {"reason": error.reason, "message": message}
        answers.write(json.dumps(answer).encode() + b"\n" + content)
        answers.flush()


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY_BYTES, MAX_MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # Codecs that print must not spoil the answers.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    _serve(sys.stdin.buffer, answers)
