"""Loads the pages that ddp-train makes in Chromium and uses them; started by pages.sh, which makes them.

Each check has a page open in four ways: 1200 and 375 pixels wide, light and dark. None may complain, ask the network for anything
or scroll sideways; screenshots must show something. What a page can do is tried once more, by key and by script.
"""
import json
import pathlib
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from browser import Browser, find, png_size_and_colours  # noqa: E402

failures = []


def check(holds, what):
    """Notes what does not hold; the rest is tried all the same."""
    if not holds:
        failures.append(what)
        print(f"FAILED: {what}")


def check_looks(browser, path, shots, name):
    """The page in every width and both themes, with a screenshot of each; returns the widest one, light and open."""
    kept = None
    for dark in (True, False):
        for width in (375, 1200):
            page = browser.open(path, width, dark=dark)
            where = f"{name}-{width}-{'dark' if dark else 'light'}"
            check(not page.problems, f"{where}: {page.problems}")
            check(page.scrolls_sideways() == 0, f"{where} scrolls sideways by {page.scrolls_sideways()} pixels")
            shot = page.screenshot(shots / f"{where}.png")
            try:
                seen, height, lines = png_size_and_colours(shot)
                check(seen == width and lines > 50, f"{shot} is {seen} by {height} with {lines} different lines")
            except ValueError as error:
                check(False, str(error))
            if (width, dark) == (1200, False):
                kept = page
            else:
                page.close()
    return kept


def check_charts(browser, page, shots, name):
    """The first chart of a page: keys, legend, and what it saves."""
    chart = "document.querySelector('.chart')"
    page.evaluate(f"{chart}.focus()")
    page.press("ArrowRight")
    check(page.evaluate(f"!{chart}.querySelector('.tip').hidden"), f"{name}: the arrow keys show no values")
    text = page.evaluate(f"{chart}.svgText()")
    path = shots / f"{name}.svg"
    path.write_text(text, encoding="utf-8")
    root = xml.etree.ElementTree.fromstring(text.encode())
    check(root.tag == "{http://www.w3.org/2000/svg}svg", f"{path} is no SVG but {root.tag}")
    drawn = browser.open(path)
    check(not drawn.problems, f"{path}: {drawn.problems}")
    check(drawn.evaluate("document.documentElement.getBBox().width") > 100, f"{path} draws nothing")
    shot = drawn.screenshot(shots / f"{name}-svg.png")
    check(png_size_and_colours(shot)[2] > 20, f"{path} is blank")
    drawn.close()
    lines = f"{chart}.querySelectorAll('path.series').length"
    before = page.evaluate(lines)
    page.evaluate(f"{chart}.querySelector('.legend button').click()")
    check(page.evaluate(lines) == before - 1, f"{name}: the legend hides no line")
    page.evaluate(f"{chart}.querySelector('.legend button').click()")


def check_report(browser, work, shots):
    """The page of a run that has ended."""
    page = check_looks(browser, work / "out" / "report.html", shots, "report")
    check(page.evaluate("DATA.runs[0].status") == "finished", "report: the run has not finished")
    headings = page.evaluate("[...document.querySelectorAll('h2')].map(h => h.textContent)")
    for heading in ("Loss", "Metrics", "Time", "Samples", "Checkpoints", "Configuration"):
        check(heading in headings, f"report: there is no part {heading}")
    check(page.evaluate("document.querySelectorAll('.chart svg').length") >= 5, "report: charts are missing")
    check(page.evaluate("[...document.querySelectorAll('.chart .reference')].length") == 1, "report: no optimum")
    check_charts(browser, page, shots, "report")
    sample = "document.querySelector('#sample + pre').textContent"
    newest = page.evaluate(sample)
    page.evaluate("document.querySelector('#sample').focus()")
    page.press("ArrowLeft")
    check(page.evaluate(sample) != newest, "report: the slider's arrow keys show no other sample")
    check(not page.problems, f"report, used: {page.problems}")
    page.close()


def check_comparison(browser, work, shots):
    """Runs laid over each other."""
    page = check_looks(browser, work / "several.html", shots, "several")
    check(page.evaluate("DATA.differences.map(d => d.name).includes('learning_rate')"), "several: no difference is named")
    check(page.evaluate("document.querySelector('.chart').querySelectorAll('path.series').length") == 4,
          "several: not each run has its two lines")
    check_charts(browser, page, shots, "several")
    page.close()


def check_live(browser, work, program):
    """A page that is loaded again keeps what the reader has set; that of a killed run says so, and stops."""
    out = work / "live"
    path = out / "report.html"
    run = subprocess.Popen(
        [program, "--dataset=demo", f"--data_dir={work / 'data'}", f"--out_dir={out}", "--preset=baby", "--n_layer=1", "--n_embd=32",
         "--max_iters=1000000", "--eval_interval=200", "--eval_iters=2"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60
        while not (path.exists() and path.read_bytes().count(b'"text":') > 1):
            if time.monotonic() > deadline:
                check(False, "live: the run writes no report")
                return
            time.sleep(0.2)
        page = browser.open(path, height=500)
        page.evaluate("document.querySelector('.chart .legend button').click()")
        page.evaluate("document.querySelector('#sample').focus()")
        page.press("Home")
        page.evaluate("scrollTo(0, 300)")
        before = page.evaluate("DATA.runs[0].iteration")
        page.wait_for_load(page.loads, 30)
        page.settle()
        check(page.evaluate("DATA.runs[0].iteration") > before, "live: the page that was loaded again has nothing new")
        check(page.evaluate("document.querySelector('.chart .legend button').getAttribute('aria-pressed')") == "false",
              "live: the hidden line is back")
        check(page.evaluate("document.querySelector('#sample').value") == "0", "live: the slider has moved")
        check(page.evaluate("scrollY") == 300, f"live: the page has scrolled to {page.evaluate('scrollY')}")
        check(page.evaluate("document.activeElement.id") == "sample", "live: the focus is lost")
        check(not page.problems, f"live: {page.problems}")
        page.close()
    finally:
        run.send_signal(signal.SIGKILL)
        run.wait()
    # As a reader finds it two hours later.
    old = work / "old.html"
    text = path.read_text(encoding="utf-8")
    written = text.split('{"written":', 1)[1].split(",", 1)[0]
    old.write_text(text.replace(f'{{"written":{written}', f'{{"written":{int(written) - 7200}'), encoding="utf-8")
    page = browser.open(old)
    loads = page.loads
    check(page.evaluate("state(runs[0])[0]") == "running?", "killed: a page two hours old claims that the run goes on")
    while browser.receive(12) is not None:
        pass
    check(page.loads == loads, "killed: a page two hours old is loaded again")
    page.close()
    subprocess.run([program, "report", str(out)], check=True, stdout=subprocess.DEVNULL)
    page = browser.open(path)
    check(page.evaluate("state(runs[0])[0]") == "lost", "killed: report does not say that the run was lost")
    check(page.evaluate("document.querySelector('meta[name=reload]') === null"), "killed: report's page loads itself again")
    check(not page.problems, f"killed: {page.problems}")
    page.close()


def check_inspect(browser, work, shots):
    """Looking into a model: the page's numbers are the JSON's, and a head is found by keys and by the mouse."""
    page = check_looks(browser, work / "out" / "inspect.html", shots, "inspect")
    written = json.loads((work / "out" / "inspect.json").read_text(encoding="utf-8"))
    check(json.loads(page.evaluate("JSON.stringify(DATA)")) == written, "inspect: the page's data are not those of the JSON")
    page.evaluate("document.querySelector('#heads .head').focus()")
    page.press("ArrowRight")
    page.press("ArrowDown")
    check(page.evaluate("view.layer === 1 && view.head === 1"), "inspect: arrow keys select no other head")
    page.press("Enter")
    page.settle()
    check(page.evaluate("view.isOpen && document.activeElement.id === 'map'"), "inspect: Enter opens no head")
    box = json.loads(page.evaluate("JSON.stringify((map => (map.scrollIntoView(), map.getBoundingClientRect()))(document.getElementById('map')))"))
    shown = 0
    for part in range(1, 20):
        x, y = box["left"] + 46 + (box["width"] - 50) * (part * 7 % 20) / 20, box["top"] + 46 + (box["height"] - 50) * part / 20
        page.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
        page.settle()
        data = json.loads(page.evaluate("JSON.stringify({...document.getElementById('weight').dataset})"))
        if data.get("weight"):
            layer, head, row, column = (int(data[name]) for name in ("layer", "head", "row", "column"))
            weights = written["checkpoints"][page.evaluate("view.checkpoint")]["attention"]
            first = written["visible"][layer][row][0]
            check(abs(weights[layer][head][row][column - first] - float(data["weight"])) <= 1e-6,
                  f"inspect: the weight under the pointer is not the JSON's: {data}")
            shown += 1
    check(shown > 0, "inspect: no weight is shown under the pointer")
    page.press("Escape")
    check(page.evaluate("!view.isOpen"), "inspect: Escape leaves the head open")
    page.evaluate("document.getElementById('checkpoint').focus()")
    page.press("Home")
    check(page.evaluate("view.checkpoint") == 0, "inspect: the slider does not go to the first checkpoint")
    page.evaluate("document.querySelector('.token').focus()")
    page.press("ArrowRight")
    check(page.evaluate("Number(document.querySelector('.expected p').dataset.loss) === current().losses[0]"),
          "inspect: a token's loss is not the JSON's")
    check(not page.problems, f"inspect, used: {page.problems}")
    page.close()


def check_experiments(browser, work, shots):
    """Experiments: every arm is in the summary, with its sentences, curves and samples."""
    page = check_looks(browser, work / "experiments" / "experiments.html", shots, "experiments")
    written = json.loads((work / "experiments" / "experiments.json").read_text(encoding="utf-8"))
    check(json.loads(page.evaluate("JSON.stringify(DATA)")) == written, "experiments: the page's data are not those of the JSON")
    arms = [arm["name"] for experiment in written["experiments"] for arm in experiment["arms"]]
    links = page.evaluate("[...document.querySelectorAll('table')][0].querySelectorAll('tbody a').length")
    check(links == len(arms) == 5, f"experiments: the summary has {links} of {len(arms)} arms")
    sentences = page.evaluate("[...document.querySelectorAll('.findings li')].map(li => li.textContent).join(' ')")
    for experiment in written["experiments"]:
        for sentence in [s for arm in experiment["arms"] for s in arm["sentences"]] + experiment.get("sentences", []):
            check(sentence in sentences, f"experiments: a sentence is not on the page: {sentence}")
    check(page.evaluate("document.querySelectorAll('.heads span').length") == 2 * 2 * 4, "experiments: heads are missing")
    check_charts(browser, page, shots, "experiments")
    check(not page.problems, f"experiments, used: {page.problems}")
    page.close()


def main():
    work, shots, program = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), sys.argv[3]
    shots.mkdir(parents=True, exist_ok=True)
    with Browser(find()) as browser:
        check_report(browser, work, shots)
        check_comparison(browser, work, shots)
        check_inspect(browser, work, shots)
        check_experiments(browser, work, shots)
        check_live(browser, work, program)
    if failures:
        sys.exit(f"{len(failures)} checks failed; screenshots are in {shots}")
    print(f"pages: nothing complains, asks the network or scrolls sideways; screenshots are in {shots}")


main()
