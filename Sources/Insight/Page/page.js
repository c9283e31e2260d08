// Functions that all pages share: elements, numbers, theme and line charts. Nothing is fetched.
"use strict";

/** The page's data, which the page contains as JSON. */
const DATA = JSON.parse(document.getElementById("data").textContent);

/** The reader's settings on this page. They survive a reload if the browser allows it. */
const pageState = {
  key: "ddp-train " + location.pathname,
  values: {},
  get(name, otherwise) { return name in this.values ? this.values[name] : otherwise; },
  set(name, value) {
    this.values[name] = value;
    try { sessionStorage[this.key] = JSON.stringify(this.values); } catch { /* not allowed for pages opened from a file */ }
  },
};
try { pageState.values = JSON.parse(sessionStorage[pageState.key] ?? "{}"); } catch { /* as above */ }

/**
 * Reloads the page at the given interval and restores scroll position and focus. The interval grows with the age of a page that
 * is no longer written, and reloading stops after an hour. A hidden page, or one with selected text, is not reloaded.
 *
 * written: the time when the page was written, in seconds since 1970.
 */
function reloadPeriodically(seconds, written) {
  const focusable = () => [...document.querySelectorAll("button, select, input, summary, [tabindex]")];
  addEventListener("load", () => {
    const place = pageState.get("place");
    pageState.set("place", null);
    if (!place) return;
    scrollTo(0, place.scroll);
    focusable()[place.focus]?.focus({preventScroll: true});
  });
  const look = () => {
    const age = Date.now() / 1000 - written;
    if (age > 3600) return;
    setTimeout(() => {
      if (document.hidden || !getSelection().isCollapsed) { look(); return; }
      pageState.set("place", {scroll: scrollY, focus: focusable().indexOf(document.activeElement)});
      location.reload();
    }, Math.max(seconds, age / 10) * 1000);
  };
  look();
}
{
  const reload = document.querySelector("meta[name=reload]");
  if (reload) reloadPeriodically(Number(reload.content), DATA.written ?? Date.parse(document.lastModified) / 1000);
}

/** Creates an element: `el("p", {class: "quiet"}, "text", child…)`. Attributes that begin with "on" are listeners. */
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

/** Formats a number with at most `digits` significant digits, with an exponent if it is very large or small. */
function number(value, digits = 4) {
  if (value === null || value === undefined) return "–";
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 1e6 || size < 1e-3) return value.toExponential(Math.min(2, digits - 1)).replace(/\.?0+e/, "e");
  if (Number.isInteger(value)) return value.toLocaleString("en-US");
  return String(Number(value.toPrecision(digits)));
}

/** The color of the n-th series as a CSS value, which follows the theme. */
const color = n => `var(--s${n % 10})`;

/** A section of the page with a heading and an explanation under it. */
function section(title, explanation, ...children) {
  const parts = [el("h2", {}, title)];
  if (explanation) parts.push(el("p", {class: "quiet"}, explanation));
  return el("section", {}, ...parts, ...children);
}

/** A table of strings, numbers or elements. Columns that hold numbers are aligned to the right. */
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

/** The button that switches between light and dark. The choice is saved if the browser allows it. */
function themeButton() {
  const root = document.documentElement;
  try { if (localStorage.ddpTheme) root.dataset.theme = localStorage.ddpTheme; } catch { /* not allowed for pages opened from a file */ }
  return el("button", {type: "button", class: "right", onclick: () => {
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    try { localStorage.ddpTheme = root.dataset.theme; } catch { /* as above */ }
    document.dispatchEvent(new Event("theme"));
  }}, "light / dark");
}

/** The header of the page: title, the elements `beside` it, and the theme button. */
function pageHeader(title, ...beside) {
  return el("header", {class: "page"}, el("h1", {}, title), ...beside, themeButton());
}

/** Formats a count in compact form: `150.5K`, `461M`. */
function compact(value) {
  return value === null || value === undefined ? "–"
    : new Intl.NumberFormat("en-US", {notation: "compact", maximumSignificantDigits: 4}).format(value);
}

/** Formats a duration: `45 s`, `12 min 5 s`, `3 h 20 min`, `4 days 7 h`. */
function duration(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  const s = Math.round(seconds);
  if (seconds < 10) return `${number(seconds, 2)} s`;
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ${Math.floor(s % 3600 / 60)} min`;
  const days = Math.floor(s / 86400);
  return `${days} ${days === 1 ? "day" : "days"} ${Math.floor(s % 86400 / 3600)} h`;
}

/** Converts an `<svg>` of the page to a standalone SVG file with its styles inside and a legend of series names below. */
function svgText(svg, names = []) {
  const copy = svg.cloneNode(true);
  const properties = ["fill", "stroke", "stroke-width", "stroke-dasharray", "opacity", "font-size", "font-family", "text-anchor"];
  const elements = [copy, ...copy.querySelectorAll("*")];
  [svg, ...svg.querySelectorAll("*")].forEach((element, i) => {
    const style = getComputedStyle(element);
    elements[i].removeAttribute("class");
    elements[i].setAttribute("style", properties.map(name => `${name}:${style.getPropertyValue(name)}`).join(";"));
  });
  const root = getComputedStyle(document.documentElement);
  const [, , width, height] = svg.getAttribute("viewBox").split(" ").map(Number);
  const text = {"font-size": 11, "font-family": "sans-serif"};
  names.forEach(([name, color, dashed], i) => {
    const y = height + 12 + 16 * i;
    copy.append(
      el("path", {d: `M50 ${y - 4}h16`, style: `stroke:${resolved(color)};stroke-width:2;stroke-dasharray:${dashed ? "4 2" : "none"}`}),
      el("text", {...text, x: 72, y, style: `fill:${root.getPropertyValue("--ink")}`}, name));
  });
  const total = height + 16 * names.length;
  copy.prepend(el("rect", {width, height: total, style: `fill:${root.getPropertyValue("--paper")}`}));
  copy.setAttribute("viewBox", `0 0 ${width} ${total}`);
  copy.setAttribute("width", width);
  copy.setAttribute("height", total);
  return `<?xml version="1.0" encoding="UTF-8"?>\n${new XMLSerializer().serializeToString(copy)}\n`;
  /** Replaces `var(--s0)`, which works only within the page, by the color itself. */
  function resolved(color) {
    const name = /^var\((.*)\)$/.exec(color);
    return name ? root.getPropertyValue(name[1]) : color;
  }
}

/** Lets the browser save text as a file. */
function download(name, text, type) {
  const url = URL.createObjectURL(new Blob([text], {type}));
  el("a", {href: url, download: name}).click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}

/** Round values between `low` and `high`, about `count` of them. */
function ticks(low, high, count) {
  const step = 10 ** Math.floor(Math.log10((high - low) / count));
  const factor = [1, 2, 5, 10].find(f => (high - low) / (step * f) <= count) ?? 10;
  const result = [];
  for (let i = Math.ceil(low / (step * factor)); i * step * factor <= high + step * 1e-9; i++) result.push(i * step * factor);
  return result;
}

/** Round values for a logarithmic axis. `low` and `high` are exponents of ten. */
function logTicks(low, high, count) {
  // Within one decade, equal steps are easiest to read.
  if (high - low < 1) return ticks(10 ** low, 10 ** high, count).filter(value => value > 0);
  const factors = high - low < 3 ? [1, 2, 5] : [1], stride = high - low < 3 ? 1 : Math.ceil((high - low) / count);
  const result = [];
  for (let power = Math.floor(low); power <= high; power += stride) {
    for (const factor of factors) {
      const value = factor * 10 ** power, place = Math.log10(value);
      if (place >= low && place <= high) result.push(value);
    }
  }
  return result;
}

/**
 * A line chart that fills the width of its container.
 *
 * series: [{name, points: [[x, y], …], low?: [[x, y], …], high?: …, dashed?, color?}], sorted by x.
 * options: {x: label, y: label, height?, log?: logarithmic y axis, references?: [{name, y}], zero?: y axis starts at 0,
 *   whole?: x is an integer, key?: storage key of the hidden series (default: y)}
 * The legend hides and shows series. The pointer or the arrow keys show the values of all series at one x. "SVG" saves the chart.
 */
function lineChart(series, options = {}) {
  const height = options.height ?? 240;
  const key = `hidden ${options.key ?? options.y}`;
  const hidden = new Set();
  const shown = series.map((s, i) => ({...s, color: s.color ?? color(i)})).filter(s => s.points.length);
  const box = el("div", {class: "chart", tabindex: "0", role: "img", "aria-label": `${options.y} over ${options.x}`});
  for (const s of shown) if (pageState.get(key, []).includes(s.name)) hidden.add(s);
  const tip = el("div", {class: "tip", hidden: true, "aria-live": "polite"});
  const place = el("div");
  const legend = el("div", {class: "legend"}, shown.length < 2 ? [] : shown.map(s => el("button", {
    type: "button", "aria-pressed": String(!hidden.has(s)), onclick: event => {
      if (hidden.has(s)) hidden.delete(s); else hidden.add(s);
      pageState.set(key, [...hidden].map(s => s.name));
      event.currentTarget.setAttribute("aria-pressed", String(!hidden.has(s)));
      draw();
    }}, el("i", {class: s.dashed ? "dashed" : null, style: `background-color:${s.color}`}), s.name)),
    el("button", {type: "button", class: "save", title: "save as SVG", onclick: () => {
      const svg = place.querySelector("svg");
      if (svg) download(`${options.key ?? options.y}.svg`.replaceAll(/[^\w.]+/g, "-"), box.svgText(), "image/svg+xml");
    }}, "SVG"));
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
    const lowest = values => values.reduce((a, b) => Math.min(a, b)), highest = values => values.reduce((a, b) => Math.max(a, b));
    let [x0, x1] = [lowest(xs), highest(xs)];
    let [y0, y1] = [options.zero ? 0 : toY(lowest(ys)), toY(highest(ys))];
    if (x0 === x1) { x0 -= .5; x1 += .5; }
    const pad = (y1 - y0) * .05 || Math.abs(y1) * .05 || .5;
    if (!options.zero) y0 -= pad;
    y1 += pad;
    const left = 52, right = width - 8, top = 8, bottom = height - 34;
    const px = x => left + (x - x0) / (x1 - x0) * (right - left);
    const py = y => bottom - (toY(y) - y0) / (y1 - y0) * (bottom - top);
    const line = points => points.filter(p => usable(p[1])).map((p, i) => `${i ? "L" : "M"}${px(p[0]).toFixed(1)} ${py(p[1]).toFixed(1)}`).join("");
    const parts = [];
    for (const y of options.log ? logTicks(y0, y1, 5) : ticks(y0, y1, 5)) {
      parts.push(el("line", {class: "grid", x1: left, x2: right, y1: py(y), y2: py(y)}),
        el("text", {x: left - 6, y: py(y) + 4, "text-anchor": "end"}, number(y, 3)));
    }
    for (const t of ticks(x0, x1, Math.max(2, Math.floor(width / 110)))) {
      if (options.whole && Math.abs(t - Math.round(t)) > 1e-6) continue;
      // Keep the last label within the chart.
      parts.push(el("text", {x: px(t), y: bottom + 16, "text-anchor": px(t) > right - 14 ? "end" : "middle"}, number(t)));
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
        parts.push(el("path", {class: "band", d: band, style: `fill:${s.color}`}));
      }
      if (s.points.length === 1) parts.push(el("circle", {cx: px(s.points[0][0]), cy: py(s.points[0][1]), r: 3, style: `fill:${s.color}`}));
      parts.push(el("path", {class: "series", d: line(s.points), style: `stroke:${s.color}`, "stroke-dasharray": s.dashed ? "5 4" : null}));
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
  /** The last point at or before x; null if x is outside the series. */
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
  box.svgText = () => {
    at = null;
    draw();
    return svgText(place.querySelector("svg"), shown.filter(s => !hidden.has(s)).map(s => [s.name, s.color, s.dashed]));
  };
  box.append(place, tip, legend);
  new ResizeObserver(draw).observe(place);
  return box;
}
