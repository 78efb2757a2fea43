"""A process that computes for this one: when it crashes or hangs, that costs a call and no more.

It is started as `python -P -m pipelines.running.child`, so that it works from a script, a notebook,
standard input or a Dask worker alike (Dask's workers refuse children of multiprocessing), and it
stays warm between calls. Both ends are this product's: what they exchange is pickled.
"""

import contextlib
import os
import pickle
import resource
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import IO, Any, Self

import cloudpickle

_START_SECONDS = 120.0  # imports, on a busy machine with cold caches
_GRACE_SECONDS = 10.0  # a child that outlives its parent ends itself so long after its deadline
_LOOK_SECONDS = 0.5  # between looks whether a silent child still runs
_LENGTH_BYTES = 8
_SETTINGS = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "BLOSC_NTHREADS": "1",
}
"""The environment of a child, where the user's own does not say otherwise."""


class ChildCrashedError(Exception):
    """The child ended in the middle of a call."""


class ChildHungError(Exception):
    """The child had no answer when the call's time was over; it was ended."""


class ChildClosedError(Exception):
    """The child was closed by another thread, and does not start again."""


class Child:
    """Calls one function in a process of its own; starts it when needed and again after a death.

    One call at a time. Use as a context manager, or call `close`, which any thread may do.
    """

    def __init__(self, function: Callable[[Any], Any]) -> None:
        self._function = cloudpickle.dumps(function)
        self._process: subprocess.Popen[bytes] | None = None
        self._closed = False
        self._lock = threading.Lock()
        self._exchanging = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def call(self, packed: bytes, seconds: float) -> Any:
        """The function's result for a pickled argument.

        Raises what the function raises, ChildCrashedError, ChildHungError after `seconds`, or
        ChildClosedError.
        """
        process = self._started()
        answer = self._exchange(process, _as_message(packed, seconds), seconds)
        succeeded, content = pickle.loads(answer)  # noqa: S301  # from our own child
        if not succeeded:
            raise content
        return content

    def close(self) -> None:
        """End the process, at once and for good; a call that waits for it ends too."""
        with self._lock:
            self._closed = True
            if self._process is not None:
                _kill(self._process)
                with self._exchanging:  # a pipe is not closed under its reader
                    _end(self._process)

    def _started(self) -> subprocess.Popen[bytes]:
        with self._lock:
            if self._closed:
                raise ChildClosedError
            if self._process is not None and self._process.poll() is None:
                return self._process
            self._process = process = subprocess.Popen(
                [sys.executable, "-P", "-m", "pipelines.running.child"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,  # what a library writes there may quote a record
                env=_SETTINGS | os.environ,
                start_new_session=True,  # so that it is ended together with what it started
            )
        try:
            self._exchange(process, _as_message(self._function, 0), _START_SECONDS)
        except (ChildCrashedError, ChildHungError):
            raise RuntimeError(
                "a process for the work did not start; does `python -P -c 'import "
                "pipelines.running.child'` run on this machine?"
            ) from None
        return process

    def _exchange(
        self, process: subprocess.Popen[bytes], message: bytes, seconds: float
    ) -> bytearray:
        with self._exchanging:
            return self._exchange_alone(process, message, seconds)

    def _exchange_alone(
        self, process: subprocess.Popen[bytes], message: bytes, seconds: float
    ) -> bytearray:
        assert process.stdin is not None
        hung = threading.Event()

        def end() -> None:
            hung.set()
            _kill(process)

        timer = threading.Timer(seconds, end)
        timer.daemon = True
        timer.start()
        try:
            process.stdin.write(message)
            process.stdin.flush()
            return _receive(process)
        except (OSError, EOFError):
            code = _end(process)
            if self._closed:
                raise ChildClosedError from None
            if hung.is_set() or code == -signal.SIGALRM:
                raise ChildHungError from None
            raise ChildCrashedError from None
        finally:
            timer.cancel()


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Kill a child and the processes that it started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):  # all of them have ended
        os.killpg(process.pid, signal.SIGKILL)


def _end(process: subprocess.Popen[bytes]) -> int:
    """End a process, which may have ended itself, and close its pipes; its exit code."""
    _kill(process)
    code = process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe:
            with contextlib.suppress(OSError):
                pipe.close()
    return code


def _as_message(content: bytes, seconds: float) -> bytes:
    alarm = round(1000 * (seconds + _GRACE_SECONDS)) if seconds else 0
    head = len(content).to_bytes(_LENGTH_BYTES) + alarm.to_bytes(_LENGTH_BYTES)
    return head + content


def _receive(process: subprocess.Popen[bytes]) -> bytearray:
    length = int.from_bytes(_arriving(process, _LENGTH_BYTES))
    return _arriving(process, length)


def _arriving(process: subprocess.Popen[bytes], count: int) -> bytearray:
    """So many bytes from a child; EOFError once it has ended, whoever else holds its pipe."""
    assert process.stdout is not None
    descriptor = process.stdout.fileno()
    readable = select.poll()
    readable.register(descriptor, select.POLLIN)
    content = bytearray()
    while len(content) < count:
        ended = process.poll() is not None
        if readable.poll(0 if ended else 1000 * _LOOK_SECONDS):
            part = os.read(descriptor, min(count - len(content), 1 << 20))
            if not part:
                raise EOFError
            content += part
        elif ended:
            raise EOFError
    return content


def _exactly(pipe: IO[bytes], count: int) -> bytes:
    content = pipe.read(count)
    if len(content) < count:
        raise EOFError
    return content


def _serve(requests: IO[bytes], answers: IO[bytes]) -> None:
    """Take the function, then argument after argument until the parent closes the pipe."""

    def answer(*content: Any) -> None:
        packed = pickle.dumps(content, protocol=5)
        answers.write(len(packed).to_bytes(_LENGTH_BYTES))
        answers.write(packed)
        answers.flush()

    function = pickle.loads(_request(requests))  # noqa: S301  # from our own parent
    answer(True, None)
    while True:
        packed = _request(requests)
        try:
            result = function(pickle.loads(packed))  # noqa: S301  # from our own parent
        except Exception as error:  # raised where the call was made
            answer(False, _travelling(error))
        else:
            answer(True, result)
        signal.setitimer(signal.ITIMER_REAL, 0)


def _request(pipe: IO[bytes]) -> bytes:
    length = int.from_bytes(_exactly(pipe, _LENGTH_BYTES))
    alarm = int.from_bytes(_exactly(pipe, _LENGTH_BYTES))
    # The kernel ends a child that nobody watches any more, whatever it is stuck in.
    signal.setitimer(signal.ITIMER_REAL, alarm / 1000)
    return _exactly(pipe, length)


def _travelling(error: Exception) -> Exception:
    """The exception itself, or one of its name where it cannot be pickled."""
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301  # just made
    except Exception:  # whatever its class does when pickled
        return RuntimeError(f"{type(error).__name__} in a worker")
    return error


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to answer
    # Work that prints must not spoil the answers.
    to_parent = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    with contextlib.suppress(EOFError, BrokenPipeError):
        _serve(sys.stdin.buffer, to_parent)
