// The page of one run, or the comparison of several. DATA is what `ddp-train report --json` prints.
"use strict";

const runs = DATA.runs, several = runs.length > 1;
const points = (run, name) => run.series[name].points;
/** A line of a chart: all points, or for a thinned series the mean of each stretch with its extremes as a band. */
const line = (run, series, name, options) => {
  const {points, mean, low, high} = run.series[series];
  return {name, points: mean ?? points, low, high, ...options};
};
const last = list => list.length ? list[list.length - 1][1] : null;
const percent = (part, whole) => whole > 0 ? `${number(100 * part / whole, 3)} %` : "–";

/** The run's folder if the page shows several runs, otherwise its name. */
const runName = run => several ? run.folder : run.name;

/** The state of a run as [name, explanation, CSS class]. */
function state(run) {
  const ago = () => Math.max(0, Date.now() / 1000 - DATA.written);
  switch (run.status) {
    case "running": {
      const age = ago();
      if (age < run.quiet_seconds) return ["running", "", "good"];
      return ["running?", `Nothing was written for ${duration(age)}. The run may be in a long operation or may have been killed, or this page is a copy. `
        + `To find out, run "ddp-train report ${run.folder}".`, "bad"];
    }
    case "finished": return ["finished", "", "good"];
    case "stopped": return ["stopped", "Stopped after saving. Use --init_from=resume to continue.", ""];
    case "failed": return ["failed", run.error ?? "", "bad"];
    default: return ["lost", "The run ended without a record, probably because it was killed or the power failed. "
      + "Use --init_from=resume to continue from its newest checkpoint.", "bad"];
  }
}

/** The state as elements, which are updated while the run is running. */
function stateElements(run) {
  const word = el("b"), meaning = el("p", {class: "quiet"});
  const show = () => {
    const [name, text, kind] = state(run);
    word.textContent = name;
    word.className = kind;
    meaning.textContent = text;
    meaning.hidden = !text;
  };
  show();
  if (run.status === "running") setInterval(show, 5000);
  return [word, meaning];
}

const moment = seconds => seconds === null ? "–" : new Date(seconds * 1000).toLocaleString();
const figure = (name, value) => el("div", {}, el("b", {}, value), el("span", {class: "quiet"}, name));
const aboveOptimum = evaluation => evaluation && evaluation.val_optimum
  ? `${number(100 * (evaluation.val_loss / evaluation.val_optimum - 1), 3)} %` : null;

/** An on/off button whose state survives a reload. */
function toggle(name, label, onChange) {
  return el("button", {type: "button", "aria-pressed": String(pageState.get(name, false)), onclick: event => {
    const isOn = !pageState.get(name, false);
    pageState.set(name, isOn);
    event.currentTarget.setAttribute("aria-pressed", String(isOn));
    onChange();
  }}, label);
}

/** A chart of losses with a button for a logarithmic y axis. */
function lossChart(series, references, key) {
  const place = el("div");
  const show = () => place.replaceChildren(
    lineChart(series, {x: "iteration", y: "loss", height: 320, log: pageState.get("log " + key, false), references, key}));
  show();
  return el("div", {}, place, toggle("log " + key, "logarithmic", show));
}

/** The charts of everything except the loss, each with one line per run. */
function charts() {
  const chart = (title, name, options = {}) => {
    if (!runs.some(run => points(run, name).length)) return null;
    const series = runs.map((run, i) => line(run, name, runName(run), {color: color(i)}));
    return el("div", {class: "card"}, el("h3", {}, title), lineChart(series, {x: "iteration", y: title, key: name, ...options}));
  };
  return el("div", {class: "cards"},
    chart("learning rate", "learning_rate"),
    chart("gradient norm", "gradient_norm", {log: true}),
    chart("tokens per second", "tokens_per_second", {zero: true}),
    chart("share of this machine's peak (mfu)", "mfu", {zero: true}),
    chart("bits per byte", "val_bits_per_byte"));
}

/** The time by activity, as a bar and a table. */
function timeSection(run) {
  const time = run.time;
  const parts = [
    ["computing", Math.max(0, time.updates - time.waiting)], ["waiting for other ranks", time.waiting],
    ["evaluations", time.evaluations], ["saving", time.saving],
  ].filter(([, seconds], i) => i === 0 || seconds > 0);
  const total = parts.reduce((sum, [, seconds]) => sum + seconds, 0);
  if (!(total > 0)) return null;
  const bar = el("div", {class: "bar", role: "img", "aria-label": parts.map(([n, s]) => `${n} ${percent(s, total)}`).join(", ")},
    parts.map(([name, seconds], i) => el("i", {style: `flex-grow:${seconds / total};background:${color(i)}`, title: name})));
  const rows = parts.map(([name, seconds], i) =>
    [el("span", {}, el("i", {class: "dot", style: `background:${color(i)}`}), name), duration(seconds), percent(seconds, total)]);
  if (time.communication > 0) rows.push(["communication (overlaps with the above)", duration(time.communication), percent(time.communication, total)]);
  return section("Time", "Time of updates, evaluations and saves, measured by rank 0. Sampling and startup are not included. "
    + "Saving counts only while it blocked training.", bar, table(["", "time", "share"], rows));
}

/** The sample of each evaluation, selected with a slider. */
function sampleSection(run) {
  const samples = run.samples;
  if (!samples.length) return null;
  // The newest sample, unless the reader has selected another.
  const chosen = samples.findIndex(sample => sample.iteration === pageState.get("sample", null));
  const text = el("pre", {tabindex: "0"}), label = el("label", {for: "sample"});
  const slider = el("input", {type: "range", id: "sample", min: 0, max: samples.length - 1, step: 1});
  slider.value = chosen < 0 ? samples.length - 1 : chosen;
  const show = () => {
    const sample = samples[Number(slider.value)];
    label.textContent = `iteration ${number(sample.iteration)}`;
    text.textContent = sample.text;
  };
  slider.addEventListener("input", () => {
    const isNewest = Number(slider.value) === samples.length - 1;
    pageState.set("sample", isNewest ? null : samples[Number(slider.value)].iteration);
    show();
  });
  show();
  return section("Samples", "Text that the model generated at its evaluations. Select one with the slider or the arrow keys.",
    label, samples.length > 1 ? slider : null, text);
}

function checkpointSection(run) {
  if (!run.checkpoints.length) return null;
  const rows = run.checkpoints.map(c => [c.name, c.iteration, c.val_loss,
    [c.best ? "best" : null, c.latest ? "latest" : null].filter(name => name).join(", ")]);
  return section("Checkpoints", "Checkpoints that exist now.", table(["name", "iteration", "val loss", ""], rows));
}

function configurationSection(run) {
  if (!run.configuration.length) return null;
  const rows = entries => entries.map(e => [e.name, el("code", {}, e.value), e.origin]);
  const fits = element => { element.classList.add("fits"); return element; };
  const chosen = run.configuration.filter(e => e.origin !== "built-in default");
  const builtIn = run.configuration.filter(e => e.origin === "built-in default");
  const headings = ["option", "value", "from"];
  const details = el("details", {open: pageState.get("defaults", false)}, el("summary", {}, `${builtIn.length} built-in defaults`),
    fits(table(headings, rows(builtIn))));
  details.addEventListener("toggle", () => pageState.set("defaults", details.open));
  return section("Configuration", "All options, and where their values come from.", fits(table(headings, rows(chosen))),
    builtIn.length ? details : null);
}

function notices() {
  const list = runs.flatMap(run => run.notices);
  return list.length ? el("ul", {class: "quiet"}, list.map(text => el("li", {}, text))) : null;
}

function onePage(run) {
  const [word, meaning] = stateElements(run);
  const done = run.max_iters ? run.iteration / run.max_iters : null;
  const figures = [
    figure("state", word),
    figure("updates", run.max_iters ? `${number(run.iteration)} of ${number(run.max_iters)}` : number(run.iteration)),
    run.remaining_seconds !== null ? figure("remaining", duration(run.remaining_seconds)) : null,
    run.best ? figure(`best val loss, at ${number(run.best.iteration)}`, number(run.best.val_loss, 5)) : null,
    (run.last?.val_loss ?? null) !== null && run.last.iteration !== run.best?.iteration ? figure("last val loss", number(run.last.val_loss, 5)) : null,
    aboveOptimum(run.last) ? figure("above the optimum", aboveOptimum(run.last)) : null,
    run.last?.val_bits_per_byte ? figure("bits per byte", number(run.last.val_bits_per_byte)) : null,
    run.tokens !== null ? figure("tokens seen", compact(run.tokens)) : null,
    last(points(run, "tokens_per_second")) !== null
      ? figure("tokens per second", number(Math.round(last(points(run, "tokens_per_second"))))) : null,
    last(points(run, "mfu")) !== null ? figure("of this machine's peak", percent(last(points(run, "mfu")), 1)) : null,
  ];
  const losses = [
    line(run, "loss", "train, logged updates", {color: color(0)}),
    line(run, "train_loss", "train, evaluated", {color: color(2)}),
    line(run, "val_loss", "val", {color: color(1)}),
  ];
  const {count, mean} = run.series.loss;
  const thinned = mean ? ` The ${number(count, 6)} logged updates are shown as mean, lowest and highest of ${number(mean.length)} stretches.` : "";
  document.body.append(
    pageHeader(document.title, el("span", {class: "quiet"}, `${run.dataset ?? ""} · written ${moment(DATA.written)}`)),
    el("div", {class: "figures"}, figures), meaning,
    ...(done === null ? [] : [el("progress", {max: 1, value: done, "aria-label": "progress"})]),
    ...[notices()].filter(e => e),
    section("Loss", `In nats per token.${thinned}`, lossChart(losses, [{name: "optimum", y: run.last?.val_optimum}], "loss")),
    section("Metrics", null, charts()),
    ...[timeSection(run), sampleSection(run), checkpointSection(run), configurationSection(run)].filter(e => e));
}

function severalPages() {
  const losses = runs.flatMap((run, i) => [
    line(run, "val_loss", `${runName(run)} val`, {color: color(i)}),
    line(run, points(run, "train_loss").length ? "train_loss" : "loss", `${runName(run)} train`, {color: color(i), dashed: true}),
  ]);
  const optima = new Set(runs.map(run => run.last?.val_optimum ?? null));
  const optimum = optima.size === 1 ? [...optima][0] : null;
  const rows = runs.map((run, i) => [
    el("span", {}, el("i", {class: "dot", style: `background:${color(i)}`}), runName(run)), state(run)[0], run.iteration,
    run.best?.val_loss, run.best?.iteration, run.last?.val_loss, run.last?.train_loss, run.last?.val_bits_per_byte, compact(run.tokens),
    duration(run.time.updates + run.time.evaluations + run.time.saving), Math.round(last(points(run, "tokens_per_second")) ?? 0),
  ]);
  document.body.append(
    pageHeader(document.title, el("span", {class: "quiet"}, `written ${moment(DATA.written)}`)),
    ...[notices()].filter(e => e),
    section("Results", null, table(
      ["run", "state", "updates", "best val loss", "at", "last val", "last train", "bits per byte", "tokens", "time", "tokens/s"], rows)),
    section("Loss", "In nats per token. Training losses are dashed.", lossChart(losses, [{name: "optimum", y: optimum}], "loss")),
    section("Metrics", null, charts()),
    section("Options that differ", null, DATA.differences.length
      ? table(["option", ...runs.map(runName)], DATA.differences.map(d => [d.name, ...d.values.map(v => el("code", {}, v ?? "–"))]))
      : el("p", {}, "None.")));
}

if (several) severalPages(); else onePage(runs[0]);
