"""A page in Chromium without a window, spoken to by the DevTools protocol over two pipes: nothing but Python's own library.

    with Browser("chromium") as browser:
        page = browser.open("out/report.html", width=375)
        assert page.evaluate("document.title") == "run out"
        page.press("ArrowRight")
        page.screenshot("report-375.png")
        page.close()
"""
import base64
import fcntl
import json
import os
import pathlib
import select
import shutil
import subprocess
import tempfile
import time
import zlib

NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome",
         "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome", "/Applications/Chromium.app/Contents/MacOS/Chromium"]


def find():
    """The path of Chromium or Chrome, or None."""
    return next((path for path in map(shutil.which, NAMES) if path), None)


class Browser:
    """A process of its own with a profile of its own, which both go at the end."""

    def __init__(self, program):
        self.profile = tempfile.TemporaryDirectory(prefix="ddp-train-browser-", ignore_cleanup_errors=True)
        # Chromium reads commands from descriptor 3 and answers on 4; here they lie above, so as not to be in each other's way.
        (from_us, to_it), (from_it, to_us) = os.pipe(), os.pipe()
        ends = [fcntl.fcntl(end, fcntl.F_DUPFD, 20) for end in (from_us, to_us)]
        for end in (from_us, to_us):
            os.close(end)

        def place():
            os.dup2(ends[0], 3)
            os.dup2(ends[1], 4)

        self.process = subprocess.Popen(
            [program, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
             "--disable-background-networking", "--disable-component-update", "--hide-scrollbars", "--remote-debugging-pipe",
             f"--user-data-dir={self.profile.name}", "about:blank"],
            preexec_fn=place, pass_fds=(3, 4), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for end in ends:
            os.close(end)
        self.to_it, self.from_it = to_it, from_it
        self.buffer = b""
        self.number = 0
        self.pages = {}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            self.call("Browser.close")
            self.process.wait(10)
        except (OSError, RuntimeError, subprocess.TimeoutExpired):
            self.process.kill()
            self.process.wait()
        os.close(self.to_it)
        os.close(self.from_it)
        self.profile.cleanup()

    def call(self, method, session=None, timeout=60, **parameters):
        """Sends a command and returns its result; events that come meanwhile go to their pages."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self.to_it, data):]
        deadline = time.monotonic() + timeout
        while True:
            answer = self.receive(deadline - time.monotonic())
            if answer is None:
                raise RuntimeError(f"Chromium did not answer {method} within {timeout} s")
            if answer.get("id") == message["id"]:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']['message']}")
                return answer["result"]

    def receive(self, seconds):
        """The next message, or None after so many seconds."""
        deadline = time.monotonic() + max(0, seconds)
        while b"\0" not in self.buffer:
            if not select.select([self.from_it], [], [], max(0, deadline - time.monotonic()))[0]:
                return None
            data = os.read(self.from_it, 1 << 16)
            if not data:
                raise RuntimeError("Chromium has ended")
            self.buffer += data
        text, self.buffer = self.buffer.split(b"\0", 1)
        message = json.loads(text)
        page = self.pages.get(message.get("sessionId"))
        if page and "method" in message:
            page.take(message["method"], message["params"])
        return message

    def open(self, path, width=1200, height=900, dark=False):
        """A page with a file in it, loaded."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        page = self.pages[session] = Page(self, session, target)
        for domain in ("Page", "Runtime", "Log", "Network"):
            page.call(f"{domain}.enable")
        page.set_size(width, height)
        page.set_dark(dark)
        page.load(pathlib.Path(path).resolve().as_uri())
        return page


class Page:
    """A tab. `problems` are its errors so far: exceptions, console.error, what the browser complains of, and requests."""

    def __init__(self, browser, session, target):
        self.browser, self.session, self.target = browser, session, target
        self.problems = []
        self.loads = 0
        self.address = None

    def call(self, method, **parameters):
        return self.browser.call(method, self.session, **parameters)

    def take(self, event, data):
        if event == "Page.loadEventFired":
            self.loads += 1
        elif event == "Runtime.exceptionThrown":
            details = data["exceptionDetails"]
            text = details.get("exception", {}).get("description", details["text"])
            self.problems.append(f"exception: {text} (line {details['lineNumber']})")
        elif event == "Runtime.consoleAPICalled" and data["type"] in ("error", "assert", "warning"):
            values = [str(argument.get("value", argument.get("description"))) for argument in data["args"]]
            self.problems.append(f"console.{data['type']}: {' '.join(values)}")
        elif event == "Log.entryAdded" and data["entry"]["level"] in ("error", "warning"):
            self.problems.append(f"browser: {data['entry']['text']}")
        elif event == "Network.requestWillBeSent":
            url = data["request"]["url"]
            # The page itself, and what stands within it.
            if url != self.address and not url.startswith(("data:", "blob:", "about:")):
                self.problems.append(f"request: {url}")

    def load(self, address):
        self.address = address
        loads = self.loads
        self.call("Page.navigate", url=address)
        self.wait_for_load(loads)
        self.settle()

    def wait_for_load(self, loads, seconds=60):
        deadline = time.monotonic() + seconds
        while self.loads == loads:
            if self.browser.receive(deadline - time.monotonic()) is None:
                raise RuntimeError(f"{self.address} was not loaded within {seconds} s")

    def settle(self):
        """Waits until what was changed is drawn."""
        self.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))")

    def evaluate(self, expression):
        """The value of an expression of JavaScript, once its promise is kept."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            details = answer["exceptionDetails"]
            raise RuntimeError(f"{expression}: {details.get('exception', {}).get('description', details['text'])}")
        return answer["result"].get("value")

    def press(self, key, code=None):
        """A key as a person presses it; its text only where it is one character."""
        codes = {"ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40, "Enter": 13, "Tab": 9, "Escape": 27,
                 "Home": 36, "End": 35, " ": 32}
        event = {"key": key, "code": code or key, "windowsVirtualKeyCode": codes.get(key, ord(key[0].upper()))}
        if len(key) == 1 or key == "Enter":
            event["text"] = "\r" if key == "Enter" else key
        self.call("Input.dispatchKeyEvent", type="keyDown", **event)
        event.pop("text", None)
        self.call("Input.dispatchKeyEvent", type="keyUp", **event)
        self.settle()

    def set_size(self, width, height=900):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def set_dark(self, dark):
        feature = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[feature])

    def scrolls_sideways(self):
        """By how many pixels the page is wider than its window; 0 when it is not."""
        return self.evaluate("Math.max(0, document.scrollingElement.scrollWidth - innerWidth)")

    def screenshot(self, path):
        """The whole page as a PNG."""
        self.settle()
        size = self.call("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": min(size["height"], 16000), "scale": 1}
        data = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True, clip=clip)["data"]
        pathlib.Path(path).write_bytes(base64.b64decode(data))
        return path

    def close(self):
        self.browser.call("Target.closeTarget", targetId=self.target)
        del self.browser.pages[self.session]


def png_size_and_colours(path):
    """Width, height and the number of different lines of pixels of a PNG, after its checksums; ValueError if it is none."""
    data = pathlib.Path(path).read_bytes()
    if data[:8] != b"\x89PNG\r\n\x1a\n":
        raise ValueError(f"{path} is no PNG")
    place, pixels, header = 8, b"", None
    while place < len(data):
        length = int.from_bytes(data[place:place + 4], "big")
        kind, body = data[place + 4:place + 8], data[place + 8:place + 8 + length]
        if zlib.crc32(kind + body) != int.from_bytes(data[place + 8 + length:place + 12 + length], "big"):
            raise ValueError(f"{path} is damaged: {kind}")
        if kind == b"IHDR":
            header = body
        if kind == b"IDAT":
            pixels += body
        place += 12 + length
    width, height = int.from_bytes(header[:4], "big"), int.from_bytes(header[4:8], "big")
    raw = zlib.decompress(pixels)
    stride = len(raw) // height
    return width, height, len({raw[row * stride + 1:(row + 1) * stride] for row in range(height)})
