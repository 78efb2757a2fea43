"""Headless Chromium through its DevTools protocol, for tests that load a page and use it."""

import asyncio
import json
import shutil
import subprocess
import tempfile
import urllib.request
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from tornado.websocket import WebSocketClientConnection, websocket_connect

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
_FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--remote-debugging-port=0",
)  # fmt: skip
_PATIENCE_S = 30.0


class Tab:
    """One open tab: evaluates JavaScript in it, and keeps what it asked for and complained of."""

    def __init__(self, socket: WebSocketClientConnection) -> None:
        self._socket = socket
        self._count = 0
        self.requests: list[str] = []
        self.complaints: list[str] = []

    async def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._count += 1
        message = {"id": self._count, "method": method, "params": parameters}
        await self._socket.write_message(json.dumps(message))
        while True:
            answer = json.loads(await self._socket.read_message() or "{}")
            if answer.get("id") == self._count:
                assert "error" not in answer, answer
                return dict(answer["result"])
            self._note(answer)

    def _note(self, event: dict[str, Any]) -> None:
        parameters = event.get("params", {})
        if event.get("method") == "Network.requestWillBeSent":
            self.requests.append(parameters["request"]["url"])
        logged = parameters.get("entry", {}).get("level") == "error"  # refused by policy, too
        if event.get("method") == "Runtime.exceptionThrown" or logged:
            self.complaints.append(json.dumps(parameters)[:300])
        if event.get("method") == "Runtime.consoleAPICalled":
            self.complaints.append(json.dumps(parameters["args"])[:300])

    async def open(self, page: Path, before: str) -> None:
        for domain in ("Page", "Runtime", "Network", "Log"):
            await self.call(f"{domain}.enable")
        await self.call("Page.addScriptToEvaluateOnNewDocument", source=before)
        await self.call("Page.navigate", url=page.as_uri())
        await self.until("location.protocol === 'file:' && document.readyState === 'complete'")

    async def run(self, script: str) -> Any:
        answer = await self.call(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    async def until(self, condition: str) -> None:
        for _ in range(int(_PATIENCE_S / 0.05)):
            if await self.run(condition):
                return
            await asyncio.sleep(0.05)
        raise AssertionError(f"never came true: {condition}")


def visit(page: Path, use: Callable[[Tab], Awaitable[None]], before: str = "") -> Tab:
    """Open a page in a fresh browser, use it, close the browser, and give back what was noted.

    `before` is a script that runs ahead of the page's own.
    """
    assert CHROMIUM
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        browser = subprocess.Popen(
            [CHROMIUM, *_FLAGS, f"--user-data-dir={profile}", "about:blank"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            return asyncio.run(_visit(Path(profile), page, use, before))
        finally:
            browser.kill()
            browser.wait()


async def _visit(
    profile: Path, page: Path, use: Callable[[Tab], Awaitable[None]], before: str
) -> Tab:
    port_file = profile / "DevToolsActivePort"
    for _ in range(int(_PATIENCE_S / 0.05)):
        if port_file.exists() and port_file.read_text().count("\n"):
            break
        await asyncio.sleep(0.05)
    port = port_file.read_text().split()[0]
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/json") as answer:
        targets = json.load(answer)
    address = next(t["webSocketDebuggerUrl"] for t in targets if t["type"] == "page")
    tab = Tab(await websocket_connect(address, max_message_size=1 << 28))
    await tab.open(page, before)
    await use(tab)
    return tab
