// Charts by layer: entropy, logit lens, gradients and updates, activations.

/** An element whose content is rebuilt when the checkpoint changes. */
function perCheckpoint(make) {
  const place = el("div");
  watch(["checkpoint"], () => place.replaceChildren(...make(current())));
  return place;
}

const average = values => values.reduce((sum, v) => sum + v, 0) / values.length;
const iterationOf = (c, i) => c.iteration ?? i;
const card = (title, ...children) => el("div", {class: "card"}, el("h3", {}, title), ...children);

function layerSections() {
  return [entropySection(), lensSection(), gradientSection(), activationSection()];
}

function entropySection() {
  const shares = (c, layer) => c.heads[layer].map(head => head.normalized_entropy).filter(v => v !== null);
  const layers = Array.from({length: nLayers}, (_, layer) => layer).filter(layer => shares(current(), layer).length);
  const byLayer = perCheckpoint(c => [lineChart([{
    name: "mean of the heads", points: layers.map(l => [l, average(shares(c, l))]),
    low: layers.map(l => [l, Math.min(...shares(c, l))]), high: layers.map(l => [l, Math.max(...shares(c, l))]),
  }], {x: "layer", y: "entropy, share of maximum", zero: true, whole: true, height: 200})]);
  const cards = [card("By layer: mean and range of the heads", byLayer)];
  if (hasHistory) cards.push(card("Over the run, one line per layer", lineChart(layers.map(l => ({
    name: `layer ${l}`, points: DATA.checkpoints.map((c, i) => [iterationOf(c, i), average(shares(c, l))]),
  })), {x: "iteration", y: "entropy, share of maximum", zero: true, height: 200})));
  return section("Attention entropy",
    "The entropy of a map's row is −Σ w ln w. Here it is divided by its maximum, the logarithm of the number of tokens that the row sees, "
    + "and averaged over rows. It is 0 if all attention is on one token and 1 if every token gets the same. The first row sees only "
    + "itself and is left out.",
    el("div", {class: "cards"}, cards));
}

/** The logit lens: a row for each position, a column for each layer. */
function lensSection() {
  const columns = nLayers + 1;
  const name = i => i === 0 ? "embedding" : `after layer ${i - 1}`;
  const readout = el("p", {id: "lens-reading", class: "readout", "aria-live": "polite"});
  const rows = DATA.targets.map((target, position) => el("tr", {}, el("th", {scope: "row", class: "mono"},
    `${tokenText(DATA.tokens[position])} → ${tokenText(target)}`),
  Array.from({length: columns}, (_, layer) => el("td", {class: "mono", "data-position": position, "data-layer": layer}))));
  const cells = rows.flatMap(row => [...row.querySelectorAll("td")]);
  const box = el("div", {class: "wide lens"}, el("table", {},
    el("thead", {}, el("tr", {}, el("th", {scope: "col"}, "token → next"),
      Array.from({length: columns}, (_, i) => el("th", {scope: "col"}, i === 0 ? "emb" : String(i - 1))))),
    el("tbody", {}, rows)));
  let at = columns * Math.min(length - 1, 1) + columns - 1;
  function show(i) {
    at = i;
    const position = Math.floor(i / columns), layer = i % columns, [top, p, target] = current().lens[layer][position];
    cells.forEach((cell, j) => cell.classList.toggle("chosen", j === i));
    Object.assign(readout.dataset, {layer, position, top, probability: p, target});
    readout.replaceChildren(`At ${quoted(DATA.tokens[position])} (${position}), ${name(layer)}: the likeliest next token is ${quoted(top)} `
      + `with probability ${number(p, 3)}; the actual next token ${quoted(DATA.targets[position])} has `, el("b", {}, number(target, 4)), ".");
  }
  walk(box, cells, columns, show);
  box.addEventListener("pointerover", event => {
    const i = cells.indexOf(event.target);
    if (i >= 0) show(i);
  });
  watch(["checkpoint"], () => {
    cells.forEach((cell, i) => {
      const position = Math.floor(i / columns), [top, , target] = current().lens[i % columns][position];
      cell.textContent = tokenText(top);
      cell.setAttribute("style", tint("--good", .6 * target));
      cell.classList.toggle("correct", top === DATA.targets[position]);
    });
    show(at);
  });
  const losses = c => c.lens.map((readings, i) => [i - 1, average(readings.map(r => -Math.log(Math.max(r[2], 1e-30))))]);
  const chart = perCheckpoint(c => [lineChart([{name: "loss", points: losses(c)}],
    {x: "layer (−1: embedding)", y: "loss if the model ended here", whole: true, height: 200})]);
    return section("Logit lens: predictions after each layer",
      "The model's final LayerNorm and output head are applied to the residual stream after each layer (nostalgebraist, 2020). Each cell "
      + "shows the likeliest next token. The greener a cell, the more probable the actual next token; correct predictions are underlined. "
      + "The last column is the model's own prediction.",
    readout, el("div", {class: "lensrow"}, box, chart));
}

/** The weight tensors of the layers by name, as series [{name: "attn.c_attn", points: [[layer, value], …]}, …]. */
function byPart(c, key) {
  const parts = {};
  for (const tensor of c.gradient.tensors) {
    const found = tensor.name.match(/\.h\.(\d+)\.(.*\.weight)$/);
    if (!found || tensor[key] === null) continue;
    (parts[found[2].replace(".weight", "")] ??= []).push([Number(found[1]), tensor[key]]);
  }
  return Object.entries(parts).map(([name, points]) => ({name, points}));
}

function gradientSection() {
  const content = perCheckpoint(c => {
    const cards = [card("Norm of the gradient", lineChart(byPart(c, "gradient_norm"),
      {x: "layer", y: "norm of the gradient", log: true, whole: true, height: 220}))];
    const ratios = byPart(c, "update_ratio");
    cards.push(ratios.length
      ? card("Size of the update", lineChart(ratios, {x: "layer", y: "|update| / |parameter|", log: true, whole: true, height: 220,
        references: [{name: "typical", y: 1e-3}]}))
      : card("Size of the update", el("p", {}, "There is no next update to show: only a run's checkpoints contain the optimizer's "
        + "moments, and this model has none.")));
    const rate = c.gradient.learning_rate;
    return [
      el("p", {}, "Norm of the whole gradient: ", el("b", {}, number(c.gradient.norm)),
        rate === null ? "." : `; learning rate of the next update: ${number(rate)}.`),
      el("div", {class: "cards"}, cards),
      el("details", {}, el("summary", {}, "every tensor"), table(["tensor", "shape", "|parameter|", "|gradient|", "|update| / |parameter|"],
        c.gradient.tensors.map(t => [t.name.replace("transformer.", ""), t.shape.join(" × "), t.parameter_norm, t.gradient_norm,
          t.update_ratio]))),
    ];
  });
  const parts = [content];
  if (hasHistory) parts.push(card("Over the run", lineChart([{name: "norm of the gradient",
    points: DATA.checkpoints.map((c, i) => [iterationOf(c, i), c.gradient.norm])}],
  {x: "iteration", y: "norm of the whole gradient", zero: true, height: 200})));
  return section("Gradients and updates",
    "The gradient of this text's mean loss, and the update that AdamW would compute from it with the checkpoint's moments, learning rate, "
    + "clipping and weight decay. The ratio is the norm of a tensor's update divided by the norm of the tensor. Layers with much smaller "
    + "ratios than others learn more slowly. About 0.001 is typical in the middle of training; the ratio falls with the learning rate.", parts);
}

function activationSection() {
  const rule = DATA.rule;
  return section("Size of the activations",
    "Each layer adds to the residual stream, so its vectors usually grow from layer to layer. A hidden unit of an MLP is shut at a token if its "
    + `input is at most ${rule.shut}, where the output is almost zero, and wide open if the input is at least ${rule.open}, where the output is almost `
    + "equal to the input. A unit is dead if it is shut at every token of this text.",
    perCheckpoint(c => {
      const a = c.activations;
      const over = (values, key, first) => values.map((v, i) => [i + first, v[key]]);
      return [el("div", {class: "cards"},
        card("Norm of the residual stream's vectors", lineChart([{name: "norm", points: over(a.residuals, "norm", -1)}],
          {x: "layer (−1: embedding)", y: "mean norm", zero: true, whole: true, height: 200})),
        card("Units of the MLPs", lineChart(["shut", "open", "dead"].map(name => ({name, points: over(a.units, name, 0)})),
          {x: "layer", y: "share", zero: true, whole: true, height: 200}))),
      el("details", {}, el("summary", {}, "every layer"),
        table(["residual stream", "mean", "standard deviation", "norm"], a.residuals.map((r, i) =>
          [i === 0 ? "embedding" : `after layer ${i - 1}`, r.mean, r.deviation, r.norm])),
        table(["MLP of layer", "mean", "standard deviation", "shut", "wide open", "dead"], a.units.map((u, i) =>
          [String(i), u.mean, u.deviation, percent(u.shut), percent(u.open), percent(u.dead)])))];
    }));
}
