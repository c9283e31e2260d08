// The page of `ddp-train inspect`: selection, text with losses, and sample. heads.js and layers.js draw the rest.

/** The current selection. `select` changes it and redraws what depends on it. */
const view = {checkpoint: DATA.shown, layer: 0, head: 0, isOpen: false};
const watchers = [];

/** Calls `draw` now, and again whenever one of the named members of `view` changes. */
function watch(names, draw) {
  watchers.push({names, draw});
  draw();
}

function select(changes) {
  const names = Object.keys(changes).filter(name => view[name] !== changes[name]);
  Object.assign(view, changes);
  for (const {names: watched, draw} of watchers) if (watched.some(name => names.includes(name))) draw();
}

function themeChanged() {
  for (const {names, draw} of watchers) if (names.includes("theme")) draw();
}
document.addEventListener("theme", themeChanged);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", themeChanged);

const current = () => DATA.checkpoints[view.checkpoint];
const hasHistory = DATA.checkpoints.length > 1;
const length = DATA.tokens.length;
/** The input tokens, and the last target. */
const words = [...DATA.tokens, DATA.targets[length - 1]];
const tokenText = id => DATA.texts[id] ?? `[${id}]`;
const quoted = id => `“${tokenText(id)}”`;
const checkpointName = c => c.iteration === null ? c.name : `iteration ${number(c.iteration)}`;
const percent = share => share === null ? "–" : `${number(100 * share, 3)} %`;

/** A background in the color `name`, from transparent (share 0) to opaque (share 1). */
const tint = (name, share) => `background:color-mix(in srgb, var(${name}) ${(100 * share).toFixed(1)}%, transparent)`;

/**
 * Lets the arrow keys move the focus among cells in rows of `columns`. One cell is in the tab order. Calls `chosen` with the index
 * of the focused cell, and `open` with it on Enter or Space.
 */
function walk(box, cells, columns, chosen, open) {
  let at = 0;
  cells.forEach((cell, i) => cell.setAttribute("tabindex", i === 0 ? "0" : "-1"));
  function move(i, focus) {
    cells[at].setAttribute("tabindex", "-1");
    at = Math.max(0, Math.min(cells.length - 1, i));
    cells[at].setAttribute("tabindex", "0");
    if (focus) cells[at].focus();
  }
  box.addEventListener("focusin", event => {
    const i = cells.indexOf(event.target);
    if (i >= 0) { move(i, false); chosen(i); }
  });
  box.addEventListener("keydown", event => {
    if (!cells.includes(event.target) || event.ctrlKey || event.metaKey || event.altKey) return;
    const rowStart = at - at % columns;
    const next = {
      ArrowLeft: at - 1, ArrowRight: at + 1, Home: rowStart, End: rowStart + columns - 1,
      ArrowUp: at >= columns ? at - columns : at, ArrowDown: at + columns < cells.length ? at + columns : at,
    }[event.key];
    if (next !== undefined) move(next, true);
    else if (open && (event.key === "Enter" || event.key === " ")) open(at);
    else return;
    event.preventDefault();
  });
  return i => move(i, false);
}

/** The slider over the checkpoints of the run. It stays visible while scrolling. */
function checkpointBar() {
  if (!hasHistory) return null;
  const output = el("output", {id: "checkpoint-name"});
  const range = el("input", {
    type: "range", id: "checkpoint", min: 0, max: DATA.checkpoints.length - 1, step: 1, value: view.checkpoint,
    "aria-label": "checkpoint", oninput: () => { stop(); select({checkpoint: Number(range.value)}); },
  });
  let timer = null;
  const play = el("button", {type: "button", onclick: () => timer === null ? start() : stop()}, "▶ play");
  function start() {
    if (view.checkpoint === DATA.checkpoints.length - 1) select({checkpoint: 0});
    play.textContent = "❚❚ stop";
    timer = setInterval(() => {
      if (view.checkpoint === DATA.checkpoints.length - 1) stop(); else select({checkpoint: view.checkpoint + 1});
    }, 700);
  }
  function stop() {
    clearInterval(timer);
    timer = null;
    play.textContent = "▶ play";
  }
  watch(["checkpoint"], () => {
    range.value = view.checkpoint;
    const c = current();
    output.textContent = `${checkpointName(c)}, loss ${number(c.loss)}`;
    range.setAttribute("aria-valuetext", output.textContent);
  });
  return el("div", {class: "checkpoint"}, el("label", {for: "checkpoint"}, "checkpoint"), range, play, output);
}

function facts() {
  const box = el("div", {class: "figures"});
  const m = DATA.model;
  watch(["checkpoint"], () => {
    const c = current();
    const shown = [
      ["checkpoint", checkpointName(c)], ["loss on this text", `${number(c.loss)} nats`],
      ["perplexity", number(Math.exp(c.loss))], ["validation loss", c.val_loss === null ? null : number(c.val_loss)],
      ["layers × heads", `${m.n_layer} × ${m.n_head}`], ["width", number(m.n_embd)],
      ["parameters", m.parameters >= 1e6 ? `${number(m.parameters / 1e6, 3)} M` : number(m.parameters)],
    ];
    box.replaceChildren(...shown.filter(f => f[1] !== null).map(([name, value]) => el("div", {}, el("b", {}, value), name)));
  });
  return box;
}

/** The text with each token colored by its loss. The predictions of the token under the pointer or with the focus are listed. */
function textSection() {
  const most = Math.max(1, ...DATA.checkpoints.flatMap(c => c.losses.map(l => l ?? 0)));
  const spans = words.map((id, i) => el("span", {class: "token", role: "button", "data-position": i}, tokenText(id)));
  const text = el("div", {class: "tokens mono", role: "group", "aria-label": "the text, token by token"});
  for (const span of spans) text.append(span, span.textContent.includes("↵") ? el("br") : "");
  const expected = el("div", {class: "expected", "aria-live": "polite"});
  let at = 1;
  function show(i) {
    at = i;
    spans.forEach((span, j) => span.classList.toggle("chosen", j === i));
    if (i === 0) {
      expected.replaceChildren(el("p", {}, `${quoted(words[0])} is the first token, so there is no prediction for it.`));
      return;
    }
    const c = current(), loss = c.losses[i - 1];
    expected.replaceChildren(
      el("p", {"data-position": i, "data-loss": loss}, `${quoted(words[i])} at position ${i}: probability `,
        el("b", {}, number(Math.exp(-loss))), `, loss ${number(loss)} nats. The model's predictions here:`),
      el("div", {class: "bars"}, c.predictions[i - 1].flatMap(([id, p]) => [
        el("span", {class: id === words[i] ? "mono good" : "mono"}, tokenText(id)),
        el("span", {class: "track"}, el("i", {style: `width:${100 * p}%`})), el("span", {class: "share"}, number(p, 3)),
      ])));
  }
  walk(text, spans, spans.length, show);
  text.addEventListener("pointerover", event => {
    const i = spans.indexOf(event.target);
    if (i >= 0) show(i);
  });
  watch(["checkpoint"], () => {
    const c = current();
    spans.forEach((span, i) => {
      if (i === 0) return;
      span.setAttribute("style", tint("--bad", .6 * Math.min(1, c.losses[i - 1] / most)));
      span.setAttribute("aria-label", `${tokenText(words[i])}, loss ${number(c.losses[i - 1], 3)}`);
    });
    show(at);
  });
  return section("Loss of each token",
    `This is ${DATA.text}. The redder a token, the less probable it was to the model: its loss is the negative logarithm of its `
    + "probability, given the tokens before it. To see the predictions, point at a token or select it with the arrow keys. "
    + "“↵” is a newline, “·” a space.",
    el("div", {class: "scale"}, "loss 0", el("i", {style: "background:linear-gradient(to right, transparent, color-mix(in srgb, var(--bad) 60%, transparent))"}),
      `${number(most, 3)} nats`),
    text, expected);
}

function sampleSection() {
  if (DATA.checkpoints.every(c => c.sample === null)) return null;
  const text = el("pre", {id: "sample"});
  watch(["checkpoint"], () => { text.textContent = current().sample; });
  return section("Sample", "A text generated by this checkpoint. Every checkpoint uses the same random numbers."
    + (hasHistory ? " Move the slider to watch it learn." : ""), text);
}

function build() {
  document.body.append(
    pageHeader(DATA.title), ...DATA.notices.map(notice => el("p", {class: "quiet"}, `Note: ${notice}.`)),
    checkpointBar() ?? "", facts(), textSection(), headsSection(), ...layerSections(), sampleSection() ?? "",
    el("p", {class: "quiet"}, "All numbers come from passes of the model over this text, without dropout. The JSON file beside this "
      + "page holds the same numbers."));
}

document.addEventListener("DOMContentLoaded", build);
