// What every widget shares. Put in the place of `import { … } from "./base.js"` by base.py: a page has no other file to load.

const SVG = "http://www.w3.org/2000/svg";

function filled(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value !== false && value != null) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child != null));
  return node;
}

// h("p", { class: "note" }, "text", node): an HTML element; s the same for SVG.
export const h = (tag, attributes = {}, ...children) => filled(document.createElement(tag), attributes, children);
export const s = (tag, attributes = {}, ...children) => filled(document.createElementNS(SVG, tag), attributes, children);

let made = 0;
export const newId = () => `svdicl-${++made}-${Math.random().toString(36).slice(2, 8)}`; // each widget has a copy of this file

// The frame of a widget. Keys stay inside: JupyterLab would take the arrows away from a slider.
export function frame(el, name, ...children) {
  const node = h("section", { class: "svdicl", "aria-label": name, "data-lm-suppress-shortcuts": "true" }, ...children);
  node.addEventListener("keydown", (event) => event.stopPropagation());
  el.append(node);
  return node;
}

// The sentence that says the result; a screen reader hears it, and what is seen elsewhere, when the reader has stopped moving.
export function says() {
  const seen = h("p", { class: "says", "aria-hidden": "true" });
  const heard = h("p", { class: "heard", role: "status" });
  let timer;
  const node = h("div", {}, seen, heard);
  node.say = (text, elsewhere = "") => {
    seen.textContent = text;
    clearTimeout(timer);
    timer = setTimeout(() => (heard.textContent = `${text} ${elsewhere}`.trim()), 400);
  };
  return node;
}

// A labelled slider tied to the trait `name`: moving it sets the trait, setting the trait moves it. `shown` makes the number's text.
// It goes from `min` to `max` by `step`, or from one of `stops` to the next.
export function slider(model, name, { label, min, max, step, stops, shown = String }) {
  const id = newId();
  const input = h("input", { type: "range", id, ...(stops ? { min: 0, max: stops.length - 1, step: 1 } : { min, max, step }) });
  const output = h("output", { for: id });
  const update = () => {
    const value = model.get(name), off = stops?.map((stop) => Math.abs(stop - value));
    input.value = stops ? off.indexOf(Math.min(...off)) : value; // a link may ask for what lies between two stops
    output.textContent = shown(stops ? value : Number(input.value));
    input.setAttribute("aria-valuetext", output.textContent);
  };
  input.addEventListener("input", () => {
    model.set(name, stops ? stops[input.value] : Number(input.value));
    model.save_changes();
  });
  model.on(`change:${name}`, update);
  update();
  return h("div", { class: "control" }, h("label", { for: id }, label), input, output);
}

// A labelled list to choose from, tied to the trait `name`; `options` are [value, text] or values.
export function choice(model, name, { label, options }) {
  const id = newId();
  const pairs = options.map((option) => (Array.isArray(option) ? option : [option, String(option)]));
  const select = h("select", { id }, ...pairs.map(([value, text]) => h("option", { value: String(value) }, text)));
  const update = () => (select.value = String(model.get(name)));
  select.addEventListener("change", () => {
    model.set(name, pairs[select.selectedIndex][0]);
    model.save_changes();
  });
  model.on(`change:${name}`, update);
  update();
  return h("div", { class: "control" }, h("label", { for: id }, label), select);
}

// The picture first, and what moves it: beside it where there is room, below it on a phone.
export const beside = (pictures, controls) => h("div", { class: "beside" }, h("div", {}, ...pictures), h("div", { class: "moves" }, ...controls));

// Calls `draw` now and whenever one of the traits changes.
export function drawn(model, names, draw) {
  for (const name of names) model.on(`change:${name}`, draw);
  draw();
}

// A bytes trait as numbers: numbers(model.get("S"), Float32Array).
export function numbers(view, Kind) {
  return new Kind(view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength));
}

// Numbers as the text of the book has them: a minus is a minus, no hyphen; and what rounds to 0 has none.
export const fixed = (value, digits) => {
  const rounded = Math.abs(value).toFixed(digits);
  return value < 0 && Number(rounded) ? `−${rounded}` : rounded;
};
export const signed = (value, digits) => (value > 0 && Number(value.toFixed(digits)) ? "+" : "") + fixed(value, digits);
export const exponential = (value, digits) => value.toExponential(digits).replace("e+", "e").replaceAll("-", "−");
export const percent = (share, digits = 1) => `${fixed(100 * share, digits)}\u00a0%`; // never broken between two lines
export const points = (gain) => `${signed(100 * gain, 1)} points`;
export const rateText = (rate) => String(Number(rate.toFixed(3))); // 0.95, 0.833
export const rateTick = (rate) => rateText(rate).replace(/^0\./, "."); // .995: eight of them fit on an axis

// svdicl_lite.svd.rank_at
export const rankAt = (k, rate) => (rate === 1 ? 0 : Math.max(1, Math.floor((1 - rate + 1e-7) * k)));

// Round numbers between low and high as ticks: three to eight of them, all with as many digits.
export function ticksIn([low, high]) {
  const power = 10 ** Math.floor(Math.log10((high - low) / 3)), step = power * ([5, 2].find((part) => part * power <= (high - low) / 3) ?? 1); // 1 without a look: 10 ** k may lie an ulp above
  const first = Math.ceil(low / step), digits = Math.max(0, -Math.floor(Math.log10(step)));
  return Array.from({ length: Math.floor(high / step) - first + 1 }, (_, i) => (first + i) * step).map((value) => [value, fixed(value, digits)]);
}

// Axes to draw into. `x` and `y`: { label, domain: [low, high], ticks: [value or [value, text]], log }. Returns { node, plot, x, y }:
// append to `plot` what `x(value)` and `y(value)` place. 360 units wide, so that its letters are legible on a phone; `left` of them before the axis.
export function chart({ label, x, y, height = 240, left = 50 }) {
  const [right, top, bottom] = [350, 10, height - 42];
  const scale = ({ domain, log }, from, to) => {
    const f = log ? Math.log10 : (value) => value;
    const [low, high] = domain.map(f);
    return (value) => from + ((f(value) - low) / (high - low)) * (to - from);
  };
  const [X, Y] = [scale(x, left, right), scale(y, bottom, top)];
  const plot = s("g", { class: "plot" });
  const node = s("svg", { class: "chart", viewBox: `0 0 360 ${height}`, role: "img", "aria-label": label });
  const ticks = (axis) => axis.ticks.map((tick) => (Array.isArray(tick) ? tick : [tick, String(tick).replace("-", "−")]));
  for (const [value, text] of ticks(x)) {
    node.append(s("line", { class: "grid", x1: X(value), x2: X(value), y1: top, y2: bottom }));
    node.append(s("text", { x: X(value), y: bottom + 15, "text-anchor": "middle", "data-tick": "x", "data-value": value }, text));
  }
  for (const [value, text] of ticks(y)) {
    node.append(s("line", { class: "grid", x1: left, x2: right, y1: Y(value), y2: Y(value) }));
    node.append(s("text", { x: left - 6, y: Y(value) + 4, "text-anchor": "end", "data-tick": "y", "data-value": value }, text));
  }
  node.append(s("text", { x: (left + right) / 2, y: height - 6, "text-anchor": "middle" }, x.label));
  const middle = (top + bottom) / 2;
  node.append(s("text", { transform: `translate(11 ${middle}) rotate(-90)`, "text-anchor": "middle" }, y.label));
  node.append(s("path", { class: "axis", d: `M${left} ${top}V${bottom}H${right}` }), plot);
  return { node, plot, x: X, y: Y };
}

// The path through points [x, y], which are values of a chart.
export const path = ({ x, y }, points) => points.map((point, i) => `${i ? "L" : "M"}${x(point[0]).toFixed(1)} ${y(point[1]).toFixed(1)}`).join("");
