// The attention heads: a small map for each, a large view of the selected one, and the kinds of heads.

const nLayers = DATA.model.n_layer, nHeads = DATA.model.n_head;

/** The attention weight of a head from position `row` to position `column`; null if `row` does not see `column`. */
function weight(layer, head, row, column, c = current()) {
  const [from, to] = DATA.visible[layer][row];
  return column >= from && column < to ? c.attention[layer][head][row][column - from] : null;
}

/** The colors of the weights 0 and 1, as [red, green, blue]. */
function mapColors() {
  const style = getComputedStyle(document.documentElement);
  const rgb = name => {
    let hex = style.getPropertyValue(name).trim().slice(1);
    if (hex.length === 3) hex = [...hex].map(digit => digit + digit).join("");
    return [0, 2, 4].map(i => parseInt(hex.slice(i, i + 2), 16));
  };
  return [rgb("--low"), rgb("--high")];
}

/** Colors follow the square root of a weight, so that small weights stay visible. */
const strength = value => Math.sqrt(Math.max(0, Math.min(1, value)));

/** The head's map with one pixel per weight. */
function mapImage(layer, head, [low, high]) {
  const image = new ImageData(length, length);
  for (let row = 0; row < length; row++) {
    for (let column = 0; column < length; column++) {
      const s = strength(weight(layer, head, row, column) ?? 0), at = 4 * (row * length + column);
      for (let i = 0; i < 3; i++) image.data[at + i] = low[i] + (high[i] - low[i]) * s;
      image.data[at + 3] = 255;
    }
  }
  return image;
}

const headName = (layer, head) => `layer ${layer}, head ${head}`;
/** For example "induction 0.83"; for a head without a kind, the highest score. */
function kindText(scores) {
  if (scores.kind !== null) return `${scores.kind} ${number(scores.score, 2)}`;
  const best = kinds.filter(([name]) => name !== "entropy").map(([name, key]) => [name, scores[key] ?? 0]).sort((a, b) => b[1] - a[1])[0];
  return `no clear kind (highest score: ${best[0]} ${number(best[1], 2)})`;
}

function headsSection() {
  const cells = [], canvases = [];
  const rows = Array.from({length: nLayers}, (_, layer) => el("div", {role: "row", class: "heads"},
    el("span", {role: "rowheader", class: "quiet"}, String(layer)),
    Array.from({length: nHeads}, (_, head) => {
      const canvas = el("canvas", {width: length, height: length});
      const cell = el("button", {type: "button", role: "gridcell", class: "head", "data-layer": layer, "data-head": head,
        onclick: () => open(cells.indexOf(cell))}, canvas, el("span", {class: "kind"}));
      cells.push(cell);
      canvases.push(canvas);
      return cell;
    })));
  const grid = el("div", {role: "grid", class: "wide headgrid", id: "heads", style: `--heads:${nHeads}`,
    "aria-label": "attention heads; arrow keys select a head, Enter opens it, Escape closes it"}, rows);
  const chosen = el("p", {id: "chosen-head", "aria-live": "polite"});
  const place = el("div", {id: "head-place"});
  const choose = i => select({layer: Math.floor(i / nHeads), head: i % nHeads});
  const goTo = walk(grid, cells, nHeads, choose, open);
  function open(i) {
    choose(i);
    select({isOpen: true});
    place.querySelector("canvas").focus({preventScroll: true});
    place.scrollIntoView({block: "nearest"});
  }
  function close() {
    select({isOpen: false});
    goTo(view.layer * nHeads + view.head);
    cells[view.layer * nHeads + view.head].focus();
  }
  document.addEventListener("keydown", event => { if (event.key === "Escape" && view.isOpen) close(); });
  watch(["checkpoint", "theme"], () => {
    const colors = mapColors();
    cells.forEach((cell, i) => {
      const [layer, head] = [Math.floor(i / nHeads), i % nHeads];
      const scores = current().heads[layer][head];
      canvases[i].getContext("2d").putImageData(mapImage(layer, head, colors), 0, 0);
      cell.lastChild.textContent = scores.kind ?? "";
      cell.setAttribute("aria-label", `${headName(layer, head)}: ${kindText(scores)}`);
      cell.title = cell.getAttribute("aria-label");
    });
  });
  watch(["checkpoint", "layer", "head"], () => {
    const scores = current().heads[view.layer][view.head];
    cells.forEach((cell, i) => cell.setAttribute("aria-selected", String(i === view.layer * nHeads + view.head)));
    const entropy = scores.entropy === null ? "no position sees more than one token" : `entropy ${number(scores.entropy, 3)} nats, `
      + `${percent(scores.normalized_entropy)} of the maximum`;
    chosen.replaceChildren(el("b", {}, headName(view.layer, view.head)), `: ${kindText(scores)}; ${entropy}`
      + (scores.mean_distance === null ? "." : `; mean distance ${number(scores.mean_distance, 3)} tokens.`));
  });
  watch(["isOpen"], () => { place.hidden = !view.isOpen; });
  place.append(largeHead(close));
  return section("Attention heads",
    "Each small map is one head, and each row of maps is one layer, with the first layer on top. In a map, a row shows how one token "
    + "distributes its attention over the tokens in the columns. To open a map, click it or select it with the arrow keys and press "
    + "Enter. Escape closes it.",
    grid, chosen, place, kindsPart());
}

/** The large view of one head: scores, map with tokens, lines between tokens, and scores over the run. */
function largeHead(close) {
  const title = el("h3", {}), scores = el("div", {class: "figures"}), history = el("div");
  const step = by => {
    const i = (view.layer * nHeads + view.head + by + nLayers * nHeads) % (nLayers * nHeads);
    select({layer: Math.floor(i / nHeads), head: i % nHeads});
  };
  const panel = el("div", {class: "card", id: "head", role: "region", "aria-label": "one head"},
    el("div", {class: "headline"}, title,
      el("span", {}, el("button", {type: "button", onclick: () => step(-1)}, "‹ head"), " ",
        el("button", {type: "button", onclick: () => step(1)}, "head ›"), " ",
        el("button", {type: "button", onclick: close}, "close"))),
    scores, el("div", {class: "pair"}, largeMap(), tokenLines()), history);
  const names = [["entropy, nats", "entropy"], ["of the maximum", "normalized_entropy"], ["previous", "previous"],
    ["first", "first"], ["current", "current"], ["same", "same"], ["induction", "induction"], ["distance, tokens", "mean_distance"]];
  watch(["checkpoint", "layer", "head"], () => {
    const s = current().heads[view.layer][view.head];
    title.textContent = `${headName(view.layer, view.head)}: ${kindText(s)}`;
    scores.replaceChildren(...names.map(([name, key]) => el("div", {}, el("b", {}, number(s[key], 3)), name)));
  });
  if (hasHistory) watch(["layer", "head", "isOpen"], () => {
    if (!view.isOpen) return;
    const over = key => DATA.checkpoints.map((c, i) => [c.iteration ?? i, c.heads[view.layer][view.head][key]])
      .filter(point => point[1] !== null);
    history.replaceChildren(el("h3", {}, "Scores over the run"), lineChart(
      kinds.map(([name, key]) => ({name, points: over(key)})), {x: "iteration", y: "score", zero: true, height: 200}));
  });
  return panel;
}

/** The map with tokens on both axes. The pointer or the arrow keys select the weight that is shown below it. */
function largeMap() {
  const canvas = el("canvas", {id: "map", tabindex: "0", role: "img",
    "aria-label": "attention map of the head; arrow keys select a weight, which is shown below"});
  const readout = el("p", {id: "weight", class: "readout", "aria-live": "polite"});
  const box = el("div", {class: "mapbox"}, canvas, readout);
  const margin = 46;
  let [row, column, frame] = [length - 1, 0, null];
  function strongest() {
    const [from, to] = DATA.visible[view.layer][row];
    column = from;
    for (let i = from; i < to; i++) {
      if (weight(view.layer, view.head, row, i) > weight(view.layer, view.head, row, column)) column = i;
    }
  }
  function read() {
    const value = weight(view.layer, view.head, row, column);
    Object.assign(readout.dataset, {layer: view.layer, head: view.head, row, column, weight: value ?? ""});
    readout.replaceChildren(`${quoted(DATA.tokens[row])} (${row}) `, value === null
      ? `does not see ${quoted(DATA.tokens[column])} (${column})`
      : `attends to ${quoted(DATA.tokens[column])} (${column}): `, value === null ? "" : el("b", {}, String(value)));
  }
  function draw() {
    frame = null;
    const side = Math.min(box.clientWidth, 680);
    if (!side) return;
    const ratio = window.devicePixelRatio || 1, cell = (side - margin) / length;
    canvas.width = canvas.height = Math.round(side * ratio);
    canvas.style.width = canvas.style.height = `${side}px`;
    const context = canvas.getContext("2d"), style = getComputedStyle(document.documentElement);
    context.scale(ratio, ratio);
    const image = document.createElement("canvas");
    image.width = image.height = length;
    image.getContext("2d").putImageData(mapImage(view.layer, view.head, mapColors()), 0, 0);
    context.imageSmoothingEnabled = false;
    context.drawImage(image, margin, margin, side - margin, side - margin);
    context.strokeStyle = style.getPropertyValue("--line");
    context.strokeRect(margin - .5, margin - .5, side - margin, side - margin);
    const size = Math.max(8, Math.min(12, cell)), every = Math.ceil(size / cell);
    context.textBaseline = "middle";
    function label(i, isRow) {
      const isRead = i === (isRow ? row : column);
      const near = Math.abs(i - (isRow ? row : column)) < every;
      if (!isRead && (i % every || near)) return;
      context.save();
      context.fillStyle = style.getPropertyValue(isRead ? "--accent" : "--quiet");
      context.font = `${isRead ? "bold " : ""}${isRead ? Math.max(size, 11) : size}px ui-monospace, Menlo, Consolas, monospace`;
      const at = margin + (i + .5) * cell;
      if (isRow) context.translate(margin - 4, at);
      else { context.translate(at, margin - 4); context.rotate(Math.PI / 2); }
      context.textAlign = "right";
      context.fillText(tokenText(DATA.tokens[i]).slice(0, 7), 0, 0);
      context.restore();
    }
    for (let i = 0; i < length; i++) { label(i, true); label(i, false); }
    context.strokeStyle = style.getPropertyValue("--s1");
    context.lineWidth = 1.5;
    context.strokeRect(margin + column * cell, margin + row * cell, cell, cell);
  }
  function scheduleDraw() { read(); frame ??= requestAnimationFrame(draw); }
  canvas.addEventListener("pointermove", event => {
    const bounds = canvas.getBoundingClientRect(), cell = (bounds.width - margin) / length;
    const [x, y] = [event.clientX - bounds.left - margin, event.clientY - bounds.top - margin].map(v => Math.floor(v / cell));
    if (x < 0 || y < 0 || x >= length || y >= length) return;
    [row, column] = [y, x];
    scheduleDraw();
  });
  canvas.addEventListener("keydown", event => {
    const move = {ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1]}[event.key];
    if (!move) return;
    event.preventDefault();
    [row, column] = [row + move[0], column + move[1]].map(v => Math.max(0, Math.min(length - 1, v)));
    scheduleDraw();
  });
  watch(["layer", "head"], () => { strongest(); read(); draw(); });
  watch(["checkpoint", "theme"], () => { read(); draw(); });
  new ResizeObserver(draw).observe(box);
  return el("div", {}, el("p", {class: "quiet"}, "Rows attend to columns. The color follows the square root of the weight."), box);
}

/** The text twice, side by side, with lines from each token to the tokens that it attends to. */
function tokenLines() {
  const height = Math.max(12, Math.min(20, 640 / length));
  const box = el("div", {class: "lines"});
  const width = 300, left = 92, right = 208;
  const y = i => (i + .5) * height + 2;
  const word = (id, i, x, anchor) => el("text", {x, y: y(i) + 4, "text-anchor": anchor, class: "mono", "data-token": i},
    tokenText(id).slice(0, 10));
  const from = DATA.tokens.map((id, i) => word(id, i, left - 6, "end"));
  const to = DATA.tokens.map((id, i) => word(id, i, right + 6, "start"));
  const lines = el("g");
  const svg = el("svg", {viewBox: `0 0 ${width} ${length * height + 4}`, role: "group",
    "aria-label": "lines from each token to the tokens that it attends to"}, lines, from, to);
  box.append(svg);
  let only = null;
  function draw() {
    if (!view.isOpen) return;
    const parts = [];
    for (let row = 0; row < length; row++) {
      if (only !== null && row !== only) continue;
      const [begin, end] = DATA.visible[view.layer][row];
      const seen = Array.from({length: end - begin}, (_, i) => [begin + i, weight(view.layer, view.head, row, begin + i)])
        .filter(([, w]) => w >= (only === null ? .05 : .005)).sort((a, b) => b[1] - a[1]).slice(0, only === null ? 8 : length);
      for (const [column, w] of seen) {
        parts.push(el("line", {x1: left, x2: right, y1: y(row), y2: y(column), 
          "stroke-opacity": (only === null ? Math.max(.06, w) : strength(w)).toFixed(3), "stroke-width": (.6 + 2.4 * w).toFixed(2)}));
      }
    }
    lines.replaceChildren(...parts);
    from.forEach((text, i) => text.classList.toggle("chosen", i === only));
    to.forEach((text, i) => {
      const w = only === null ? null : weight(view.layer, view.head, only, i);
      text.style.opacity = only === null ? "" : String(Math.min(1, .25 + 1.5 * (w ?? 0)));
    });
  }
  const show = i => { if (only !== i) { only = i; draw(); } };
  walk(svg, from, 1, show);
  svg.addEventListener("pointerover", event => {
    const i = from.indexOf(event.target);
    if (i >= 0) show(i);
  });
  svg.addEventListener("pointerleave", () => { if (!svg.contains(document.activeElement)) show(null); });
  svg.addEventListener("focusout", () => show(null));
  watch(["checkpoint", "layer", "head", "isOpen"], draw);
  return el("div", {}, el("p", {class: "quiet"}, "Lines lead from each token on the left to the tokens that it attends to. A thicker "
    + "line means more weight. To see only one token's lines, point at the token on the left or select it with the arrow keys."), box);
}

/** The kinds of heads: name, key of the score in DATA, explanation. */
const kinds = [
  ["previous token", "previous", "the token just before"],
  ["first token", "first", "the first token of the text, where a head often attends if nothing else fits"],
  ["current token", "current", "the token itself"],
  ["same token", "same", "earlier occurrences of the same token, averaged over tokens that occurred before"],
  ["induction", "induction", "the token that followed the previous occurrence, measured on a repeated random sequence"],
  ["entropy", "normalized_entropy", "how evenly a head attends: 0 if it attends to one token, 1 if to all equally"],
];

function kindsPart() {
  const rule = DATA.rule, cards = el("div", {class: "kinds"}), count = el("p");
  watch(["checkpoint", "layer", "head"], () => {
    const named = {};
    for (const head of current().heads.flat()) if (head.kind !== null) named[head.kind] = (named[head.kind] ?? 0) + 1;
    count.textContent = `Of ${nLayers * nHeads} heads: ` + (Object.entries(named).sort((a, b) => b[1] - a[1])
      .map(([kind, n]) => `${n} ${kind}`).join(", ") || "none matches a known pattern") + ".";
    cards.replaceChildren(...kinds.map(([name, key, explanation]) => el("div", {class: "card"}, el("h3", {}, name),
      el("p", {class: "quiet"}, explanation + "."),
      el("div", {class: "matrix", style: `--heads:${nHeads}`}, current().heads.flatMap((heads, layer) => [
        el("span", {class: "quiet"}, String(layer)),
        ...heads.map((scores, head) => el("span", {
          class: layer === view.layer && head === view.head ? "score chosen" : "score", style: tint("--high", .5 * (scores[key] ?? 0)),
          title: `${headName(layer, head)}: ${name} ${number(scores[key], 3)}`, onclick: () => select({layer, head}),
        }, nHeads <= 8 ? (scores[key] === null ? "–" : scores[key].toFixed(2)) : "")),
      ])))));
  });
  return el("div", {}, el("h3", {}, "What the heads do"), el("p", {class: "quiet"},
    "Each card shows the mean share of attention that a head gives to the named tokens. Rows are layers, columns are heads. The highest "
      + `score gives a head its kind if it is at least ${rule.least_score} and at least ${rule.least_lead} times the next score. Other heads `
      + `are “even” if their entropy is at least ${rule.least_evenness} of the maximum.`), count, cards);
}
