// What every page of the program shares: elements, numbers, the theme, and line charts. Nothing is fetched from anywhere.
"use strict";

/** The page's data, which stand in the page as JSON. */
const DATA = JSON.parse(document.getElementById("data").textContent);

/** An element: `el("p", {class: "quiet"}, "text", child…)`. Attributes that begin with "on" are listeners. */
function el(name, attributes = {}, ...children) {
  const svg = ["svg", "g", "path", "line", "rect", "circle", "text", "title", "polygon"].includes(name);
  const element = svg ? document.createElementNS("http://www.w3.org/2000/svg", name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.flat().filter(child => child !== null && child !== undefined));
  return element;
}

/** A number for people: at most `digits` significant ones, exponents where there would be many zeros. */
function number(value, digits = 4) {
  if (value === null || value === undefined) return "–";
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 1e6 || size < 1e-3) return value.toExponential(Math.min(2, digits - 1));
  if (Number.isInteger(value)) return value.toLocaleString("en-US");
  return String(Number(value.toPrecision(digits)));
}

/** The colour of the n-th series, as a CSS value that follows the theme. */
const colour = n => `var(--s${n % 10})`;

/** A section of the page with its heading; the text under it explains what is shown. */
function section(title, explanation, ...children) {
  const parts = [el("h2", {}, title)];
  if (explanation) parts.push(el("p", {class: "quiet"}, explanation));
  return el("section", {}, ...parts, ...children);
}

/** A table of rows of strings, numbers or elements; columns that hold numbers stand to the right. */
function table(headings, rows) {
  const isNumber = headings.map((_, column) => rows.some(row => typeof row[column] === "number"));
  const cell = (name, value, column) => {
    const shown = typeof value === "number" ? number(value) : value ?? "–";
    return el(name, {class: isNumber[column] ? "number" : null, scope: name === "th" ? "col" : null}, shown);
  };
  return el("div", {class: "wide", tabindex: "0"}, el("table", {},
    el("thead", {}, el("tr", {}, headings.map((heading, column) => cell("th", heading, column)))),
    el("tbody", {}, rows.map(row => el("tr", {}, row.map((value, column) => cell("td", value, column)))))));
}

/** The button that turns light to dark; the choice is kept where the browser allows it. */
function themeButton() {
  const root = document.documentElement;
  try { if (localStorage.ddpTheme) root.dataset.theme = localStorage.ddpTheme; } catch { /* a page from a file may not */ }
  return el("button", {type: "button", class: "right", onclick: () => {
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    try { localStorage.ddpTheme = root.dataset.theme; } catch { /* as above */ }
    document.dispatchEvent(new Event("theme"));
  }}, "light / dark");
}

/** The head of the page: title, what stands beside it, and the theme's button. */
function pageHeader(title, ...beside) {
  return el("header", {class: "page"}, el("h1", {}, title), ...beside, themeButton());
}

/** Round values between two ends, about `count` of them. */
function ticks(low, high, count) {
  const step = 10 ** Math.floor(Math.log10((high - low) / count));
  const factor = [1, 2, 5, 10].find(f => (high - low) / (step * f) <= count) ?? 10;
  const result = [];
  for (let i = Math.ceil(low / (step * factor)); i * step * factor <= high + step * 1e-9; i++) result.push(i * step * factor);
  return result;
}

/**
 * A line chart as wide as its place.
 *
 * series: [{name, points: [[x, y], …], low?: [[x, y], …], high?: …, dashed?, colour?}], x rising.
 * options: {x: "iteration", y: "loss", height?, log?: y logarithmic, references?: [{name, y}], zero?: begin y at 0,
 *   whole?: x has no values between whole numbers}
 * A series can be hidden by its legend; the pointer, or the arrow keys, read every series at one x.
 */
function lineChart(series, options = {}) {
  const height = options.height ?? 240;
  const hidden = new Set();
  const shown = series.map((s, i) => ({...s, colour: s.colour ?? colour(i)})).filter(s => s.points.length);
  const box = el("div", {class: "chart", tabindex: "0", role: "img", "aria-label": `${options.y} over ${options.x}`});
  const tip = el("div", {class: "tip", hidden: true});
  const place = el("div");
  const legend = el("div", {class: "legend"}, shown.length < 2 ? [] : shown.map(s => el("button", {
    type: "button", "aria-pressed": "true", onclick: event => {
      if (hidden.has(s)) hidden.delete(s); else hidden.add(s);
      event.currentTarget.setAttribute("aria-pressed", String(!hidden.has(s)));
      draw();
    }}, el("i", {style: `background:${s.colour}`}), s.name)));
  const references = (options.references ?? []).filter(r => r.y !== null && r.y !== undefined);
  let at = null, frame = null;

  function draw() {
    const width = Math.max(240, place.clientWidth || 600);
    const visible = shown.filter(s => !hidden.has(s));
    const usable = y => Number.isFinite(y) && (!options.log || y > 0);
    const xs = visible.flatMap(s => s.points.map(p => p[0]));
    const ys = visible.flatMap(s => [...s.points, ...(s.low ?? []), ...(s.high ?? [])].map(p => p[1])).filter(usable)
      .concat(references.map(r => r.y));
    if (!ys.length) { place.replaceChildren(el("p", {class: "quiet"}, "nothing to show")); return; }
    const toY = options.log ? Math.log10 : y => y;
    let [x0, x1] = [Math.min(...xs), Math.max(...xs)];
    let [y0, y1] = [options.zero ? 0 : toY(Math.min(...ys)), toY(Math.max(...ys))];
    if (x0 === x1) { x0 -= .5; x1 += .5; }
    const pad = (y1 - y0) * .05 || Math.abs(y1) * .05 || .5;
    if (!options.zero) y0 -= pad;
    y1 += pad;
    const left = 52, right = width - 8, top = 8, bottom = height - 34;
    const px = x => left + (x - x0) / (x1 - x0) * (right - left);
    const py = y => bottom - (toY(y) - y0) / (y1 - y0) * (bottom - top);
    const line = points => points.filter(p => usable(p[1])).map((p, i) => `${i ? "L" : "M"}${px(p[0]).toFixed(1)} ${py(p[1]).toFixed(1)}`).join("");
    const parts = [];
    for (const t of ticks(y0, y1, 5)) {
      const y = options.log ? 10 ** t : t;
      parts.push(el("line", {class: "grid", x1: left, x2: right, y1: py(y), y2: py(y)}),
        el("text", {x: left - 6, y: py(y) + 4, "text-anchor": "end"}, number(y, 3)));
    }
    for (const t of ticks(x0, x1, Math.max(2, Math.floor(width / 110)))) {
      if (options.whole && Math.abs(t - Math.round(t)) > 1e-6) continue;
      parts.push(el("text", {x: px(t), y: bottom + 16, "text-anchor": px(t) > right - 20 ? "end" : "middle"}, number(t)));
    }
    parts.push(el("text", {x: right, y: height - 4, "text-anchor": "end"}, options.x ?? ""),
      el("text", {x: left, y: height - 4}, options.y ?? ""));
    for (const r of references) {
      parts.push(el("line", {class: "reference", x1: left, x2: right, y1: py(r.y), y2: py(r.y)}),
        el("text", {x: right, y: py(r.y) - 4, "text-anchor": "end"}, `${r.name} ${number(r.y)}`));
    }
    for (const s of visible) {
      if (s.low && s.high) {
        const band = line(s.high) + [...s.low].reverse().filter(p => usable(p[1]))
          .map(p => `L${px(p[0]).toFixed(1)} ${py(p[1]).toFixed(1)}`).join("") + "Z";
        parts.push(el("path", {class: "band", d: band, style: `fill:${s.colour}`}));
      }
      if (s.points.length === 1) parts.push(el("circle", {cx: px(s.points[0][0]), cy: py(s.points[0][1]), r: 3, style: `fill:${s.colour}`}));
      parts.push(el("path", {class: "series", d: line(s.points), style: `stroke:${s.colour}`, "stroke-dasharray": s.dashed ? "5 4" : null}));
    }
    const all = [...new Set(xs)].sort((a, b) => a - b);
    if (at !== null) {
      const x = all.reduce((best, value) => Math.abs(value - at) < Math.abs(best - at) ? value : best, all[0]);
      at = x;
      parts.push(el("line", {class: "cursor", x1: px(x), x2: px(x), y1: top, y2: bottom}));
      const rows = visible.map(s => [s.name, nearest(s.points, x)]).filter(r => r[1]);
      tip.textContent = [`${options.x} ${number(x)}`, ...rows.map(([name, p]) => `${name}  ${number(p[1], 5)}`)].join("\n");
      tip.hidden = false;
      const onLeft = px(x) < (left + right) / 2;
      tip.style.left = onLeft ? `${px(x) + 10}px` : "";
      tip.style.right = onLeft ? "" : `${width - px(x) + 10}px`;
      tip.style.top = "8px";
    } else tip.hidden = true;
    const svg = el("svg", {viewBox: `0 0 ${width} ${height}`, height}, parts);
    svg.addEventListener("pointermove", event => {
      const bounds = svg.getBoundingClientRect();
      at = x0 + ((event.clientX - bounds.left) / bounds.width * width - left) / (right - left) * (x1 - x0);
      frame ??= requestAnimationFrame(() => { frame = null; draw(); });
    });
    place.replaceChildren(svg);
    box.all = all;
  }
  /** The last point that is not right of x, within the series. */
  function nearest(points, x) {
    if (x < points[0][0] || x > points[points.length - 1][0]) return null;
    let low = 0, high = points.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (points[middle][0] <= x) low = middle; else high = middle - 1;
    }
    return points[low];
  }
  box.addEventListener("pointerleave", () => { at = null; draw(); });
  box.addEventListener("keydown", event => {
    const step = {ArrowLeft: -1, ArrowRight: 1}[event.key];
    if (!step || event.target !== box || !box.all) return;
    event.preventDefault();
    const index = at === null ? (step > 0 ? -1 : box.all.length) : box.all.indexOf(at);
    at = box.all[Math.max(0, Math.min(box.all.length - 1, index + step))];
    draw();
  });
  box.append(place, tip, legend);
  new ResizeObserver(draw).observe(place);
  return box;
}
