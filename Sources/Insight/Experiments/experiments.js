// Draws the report of experiments from DATA, which ExperimentReport.swift writes.
"use strict";

/** Mean, minimum and maximum over the runs of an arm, at each iteration that all runs have. */
function overSeeds(arm, key) {
  const runs = arm.runs.filter(run => run[key].length);
  if (!runs.length) return {points: [], low: [], high: []};
  const result = {points: [], low: [], high: []};
  for (const [x] of runs[0][key]) {
    const ys = runs.map(run => run[key].find(p => p[0] === x)?.[1]).filter(y => y !== undefined);
    if (ys.length < runs.length) continue;
    result.points.push([x, ys.reduce((a, b) => a + b) / ys.length]);
    result.low.push([x, Math.min(...ys)]);
    result.high.push([x, Math.max(...ys)]);
  }
  return result;
}

/** The gradient norm of each block, averaged over the runs of an arm. */
function byBlock(arm, key) {
  const runs = arm.runs.map(run => run[key]).filter(norms => norms.length && norms.every(n => n !== null));
  if (!runs.length) return [];
  return runs[0].map((_, block) => [block, runs.reduce((sum, norms) => sum + norms[block], 0) / runs.length]);
}

const optimum = () => {
  const known = DATA.baseline.runs.map(run => run.optimum).filter(o => o !== null);
  return known.length ? known.reduce((a, b) => a + b) / known.length : null;
};
const mean = values => values.length ? values.reduce((a, b) => a + b) / values.length : null;
const finalLosses = arm => arm.runs.map(run => run.final_loss).filter(loss => loss !== null);

/** Draws the difference as a dot and its interval as a bar, on a scale that all arms share. */
function intervalBar(arm, scale, tint) {
  if (arm.difference === null) return "–";
  const place = value => `${Math.max(0, Math.min(100, 50 + value / scale * 48))}%`;
  const bar = el("div", {class: "interval", title: `${number(arm.difference)}`}, el("u", {style: "left:50%"}));
  if (arm.interval) {
    const [low, high] = arm.interval.map(place);
    bar.append(el("i", {style: `left:${low};width:calc(${high} - ${low})`}));
    if (arm.interval[0] < -scale) bar.append(el("s", {style: "left:0"}, "‹"));
    if (arm.interval[1] > scale) bar.append(el("s", {style: "right:0"}, "›"));
  }
  bar.append(el("b", {style: `left:${place(arm.difference)};background:${tint}`}));
  return bar;
}

const verdict = arm => arm.difference === null || arm.clear ? "" : arm.interval === null ? "(one seed)" : "(no effect seen)";

function summary() {
  const arms = DATA.experiments.flatMap(e => e.arms.map(arm => ({...arm, experiment: e})));
  // The scale fits 80 % of the arms, so that a few very large differences do not hide the others.
  const sizes = arms.map(a => Math.abs(a.difference ?? 0)).sort((a, b) => a - b);
  const scale = Math.max(sizes[Math.floor(sizes.length * .8)] ?? 0, 1e-6) * 1.5;
  const rows = arms.map(arm => [
    el("a", {href: `#${arm.experiment.name}`}, arm.name),
    arm.final_loss ?? (arm.runs.length ? "broke down" : DATA.stopped ? "not trained" : "not trained yet"),
    el("span", {}, number(arm.difference), el("span", {class: "quiet"}, " " + verdict(arm))),
    intervalBar(arm, scale, arm.clear ? (arm.difference < 0 ? "var(--good)" : "var(--bad)") : "var(--quiet)"),
  ]);
  const base = mean(finalLosses(DATA.baseline));
  return section("All arms",
    "Final validation loss in nats per token, and its difference from the baseline with the same seeds and data. The bar is the 95 % confidence interval over seeds. An arrow means that the bar extends beyond the scale.",
    table(["arm", "final loss", "difference", ""], [["baseline", base, "", ""], ...rows]));
}

function samples(arms) {
  return el("div", {class: "samples"}, arms.filter(arm => arm.runs[0]?.sample).map(arm =>
    el("div", {}, el("span", {class: "quiet"}, arm.name), el("pre", {}, arm.runs[0].sample.slice(0, 400)))));
}

function heads(experiment) {
  return experiment.heads.map(({seed, rises}) => {
    const most = Math.max(...rises.flat(), 1e-9);
    const cells = rises.flatMap((row, layer) => row.map((rise, head) => el("span", {
      title: `head ${layer}.${head}: ${number(rise)}`,
      style: `background:color-mix(in srgb, var(--bad) ${Math.round(Math.max(0, rise) / most * 60)}%, transparent)`,
    }, number(rise, 2))));
    return el("div", {}, el("p", {class: "quiet"}, `seed ${seed}: rows are layers, columns are heads, cells show the rise of the loss in nats per token`),
      el("div", {class: "wide", tabindex: "0"}, el("div", {class: "heads", style: `grid-template-columns:repeat(${rises[0].length},max-content)`}, cells)));
  });
}

function experiment(e) {
  const arms = [DATA.baseline, ...e.arms];
  const best = optimum();
  const charts = [];
  if (e.arms.length) {
    charts.push(el("div", {class: "card"}, el("h3", {}, "validation loss"), lineChart(
      arms.map(arm => ({name: arm.name, ...overSeeds(arm, "validation")})),
      {x: "iteration", y: "nats per token", references: [{name: "optimum", y: best}]})));
    for (const [key, title] of [["gradient_norms_at_start", "before training"], ["gradient_norms_at_end", "after training"]]) {
      charts.push(el("div", {class: "card"}, el("h3", {}, `gradient norm by block, ${title}`), lineChart(
        arms.map(arm => ({name: arm.name, points: byBlock(arm, key)})), {x: "block", y: "norm", log: true, whole: true, height: 200})));
    }
  }
  const sentences = [...e.arms.map(arm => arm.sentences.join(" ")), ...(e.sentences ?? [])].filter(text => text);
  const costs = e.arms.length ? table(["arm", "options", "final loss", "ms per step", "memory, MB", "parameters"], arms.map(arm => [
    arm.name, el("code", {}, arm.options || "none"), mean(finalLosses(arm)),
    mean(arm.runs.map(run => run.seconds_per_step * 1000)), mean(arm.runs.map(run => run.bytes / 1e6)), arm.runs[0]?.parameters,
  ])) : null;
  const result = section(e.title, e.question,
    el("ul", {class: "findings"}, sentences.map(sentence => el("li", {}, sentence))),
    e.heads ? heads(e) : [], el("div", {class: "cards"}, charts), costs, e.arms.length ? samples(arms) : []);
  result.id = e.name;
  return result;
}

const runCount = DATA.baseline.runs.length + DATA.experiments.flatMap(e => e.arms).reduce((n, arm) => n + arm.runs.length, 0);
document.body.append(
  pageHeader(`Experiments on ${DATA.dataset}`),
  el("p", {class: "quiet"}, `${runCount} runs of ${DATA.iterations} iterations, seed${DATA.seeds.length > 1 ? "s" : ""} ${DATA.seeds.join(", ")}` +
    (DATA.finished ? "." : DATA.stopped ? "; stopped before all were trained." : "; still running. This page reloads itself.")),
  el("nav", {class: "experiments"}, DATA.experiments.map(e => el("a", {href: `#${e.name}`}, e.title))),
  summary(), ...DATA.experiments.map(experiment),
  section("The baseline", "Every arm is this command with the arm's options added.", el("pre", {}, DATA.command)));
