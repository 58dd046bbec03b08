import { beside, chart, choice, drawn, exponential, fixed, frame, h, path, s, says, slider } from "./base.js";
import { among, kept, whole, within } from "./kept.js";

const QUERIES = Array.from({ length: 41 }, (_, i) => -2 + i / 10);
const dot = (a, b) => a.reduce((total, x, i) => total + x * b[i], 0);
const times = (A, x) => A.map((row) => dot(row, x)); // a matrix (rows) and a vector
const diagonal = (...values) => values.map((value, i) => values.map((_, j) => (i === j ? value : 0)));

// One layer of attention with residual for tokens H (rows), of which all see the first N alone; nothing in it knows of gradients.
export function attention(H, N, { V, K, Q }, softmax) {
  const keys = H.slice(0, N).map((token) => times(K, token)), values = H.slice(0, N).map((token) => times(V, token));
  return H.map((token) => {
    const query = times(Q, token);
    let weights = keys.map((key) => dot(key, query));
    if (softmax) {
      const largest = Math.max(...weights), powers = weights.map((weight) => Math.exp(weight - largest));
      const total = powers.reduce((a, b) => a + b);
      weights = powers.map((power) => power / total);
    }
    return token.map((x, c) => x + values.reduce((total, value, i) => total + weights[i] * value[c], 0));
  });
}

// The construction of von Oswald et al.: keys and queries compare inputs, a value is the residual, label slots become what is still to be explained.
export function attended(points, queries, { rate, steps, by, softmax }) {
  const layer = { K: diagonal(1, 1, 0), Q: diagonal(1, 1, 0), V: diagonal(0, 0, -rate / by) };
  let H = [...points.map(([x, y]) => [x, 1, y]), ...queries.map((x) => [x, 1, 0])];
  for (let t = 0; t < steps; t++) H = attention(H, points.length, layer, softmax);
  return H.slice(points.length).map((token) => -token[2]);
}

// Slope and height after gradient descent on Σ (w·x_i − y_i)² / 2N, step by step from 0.
export function descent(points, rate, steps) {
  const way = [[0, 0]];
  for (let t = 0; t < steps; t++) {
    const w = way[t], residuals = points.map(([x, y]) => w[0] * x + w[1] - y);
    const gradient = [points.reduce((total, [x], i) => total + residuals[i] * x, 0), residuals.reduce((a, b) => a + b)];
    way.push(w.map((value, i) => value - (rate / points.length) * gradient[i]));
  }
  return way;
}

export default {
  render({ model, el }) {
    const state = kept(model, "gradient-step", {
      learning_rate: within(0, 2.5), steps: whole(0, 20), n_points: whole(2, 12), points: whole(0, model.get("sets").length - 1),
      attention: among(["linear", "softmax"]), divisor: among(model.get("divisors").map(([value]) => value)),
    });
    const picture = chart({
      label: "The points, the line of gradient descent, and what attention predicts", height: 280,
      x: { label: "x", domain: [-2, 2], ticks: [-2, -1, 0, 1, 2] },
      y: { label: "y", domain: [-2.5, 2.5], ticks: [-2, -1, 0, 1, 2] },
    });
    const earlier = s("g", { opacity: 0.35 }), line = s("path", { class: "plain" }), crosses = s("g", { class: "attn" }), dots = s("g");
    const clip = `clip-${Math.random().toString(36).slice(2)}`; // what leaves the axes is not drawn
    const corner = [picture.x(-2), picture.y(2.5)], far = [picture.x(2), picture.y(-2.5)];
    picture.plot.append(
      s("clipPath", { id: clip }, s("rect", { x: corner[0], y: corner[1], width: far[0] - corner[0], height: far[1] - corner[1] })),
      s("g", { "clip-path": `url(#${clip})` }, earlier, line, crosses, dots),
    );
    const note = s("text", { class: "plain", x: far[0] - 8, y: corner[1] + 16, "text-anchor": "end" });
    picture.plot.append(note);
    const result = says();

    const draw = () => {
      const n = model.get("n_points"), rate = model.get("learning_rate"), steps = model.get("steps"), softmax = model.get("attention") === "softmax";
      const points = model.get("sets")[model.get("points")].slice(0, n);
      // Softmax weights sum to 1 already: to divide by N again would be another wrong factor, and "right" is 1 there.
      const by = softmax && model.get("divisor") === "N" ? 1 : { N: n, 1: 1, "N+1": n + 1, "2N": 2 * n }[model.get("divisor")];
      const way = descent(points, rate, steps), [slope, height] = way.at(-1);
      const said = attended(points, QUERIES, { rate, steps, by, softmax });
      const apart = Math.max(...said.map((y, i) => Math.abs(y - slope * QUERIES[i] - height)));
      const loss = points.reduce((total, [x, y]) => total + (slope * x + height - y) ** 2, 0) / (2 * n);

      const straight = ([a, b]) => path(picture, [[-2, b - 2 * a], [2, b + 2 * a]]);
      earlier.replaceChildren(...way.slice(0, -1).map((w) => s("path", { class: "plain", d: straight(w) })));
      line.setAttribute("d", straight([slope, height]));
      crosses.replaceChildren(...said.map((y, i) => cross(picture.x(QUERIES[i]), picture.y(y), y)).filter((_, i) => i % 2 === 0));
      dots.replaceChildren(...points.map(([x, y]) => s("circle", { cx: picture.x(x), cy: picture.y(y), r: 4, fill: "currentColor" })));
      result.firstChild.dataset.slope = slope;
      result.firstChild.dataset.apart = apart;
      const same = apart < 1e-9 * Math.max(1, Math.abs(slope), Math.abs(height));
      const fit = `After ${steps} ${steps === 1 ? "step" : "steps"}: y = ${short(slope)} x ${height < 0 ? "−" : "+"} ${short(Math.abs(height))}, loss ${short(loss)}.`;
      const far = `${softmax ? "Softmax" : "Linear"} attention is at most ${apart < 0.001 ? exponential(apart, 0) : short(apart)} away from that line`;
      const limit = 2 / steepest(points), diverges = rate > limit && steps > 0;
      const gone = diverges ? ` The steps diverge: η is above 2/λ = ${fixed(limit, 2)}, so each goes further past the minimum than the last.` : "";
      const out = Math.abs(height) - 2 * Math.abs(slope) > 2.5 ? " The line has left the picture." : "";
      note.textContent = diverges ? "diverges" : "";
      result.say(`${fit}${gone}${out} ${far}: ${same ? "the same, but for rounding" : "not the same"}.`);
    };

    const another = h("button", { type: "button", onclick: () => {
      model.set("points", (model.get("points") + 1) % model.get("sets").length);
      model.save_changes();
    } }, "Other points");
    const node = frame(
      el, "Attention is a step of gradient descent",
      beside([h("figure", {}, picture.node,
        h("figcaption", {}, "Dots: the points. ", h("span", { class: "plain" }, "— gradient descent"), " (faint: its earlier steps). ", h("span", { class: "attn" }, "× attention"), "."))], [h("div", { class: "controls aligned" },
        slider(model, "learning_rate", { label: "Learning rate η", min: 0, max: 2.5, step: 0.05, shown: (rate) => rate.toFixed(2) }),
        slider(model, "steps", { label: "Steps, and layers", min: 0, max: 20, step: 1 }),
        slider(model, "n_points", { label: "Points N", min: 2, max: 12, step: 1 }),
        choice(model, "attention", { label: "Attention", options: ["linear", "softmax"] }),
        choice(model, "divisor", { label: "η divided by", options: model.get("divisors") }),
        another)]),
      result,
    );
    drawn(model, ["learning_rate", "steps", "n_points", "points", "attention", "divisor"], draw);
    state.bar(node, () => [["step", "slope", "height"],
      ...descent(model.get("sets")[model.get("points")].slice(0, model.get("n_points")), model.get("learning_rate"), model.get("steps")).map((w, t) => [t, ...w])]);
  },
};

// The larger eigenvalue of XᵀX / N, inputs (x, 1): with a learning rate above 2 over it, gradient descent goes away from the minimum.
export function steepest(points) {
  const n = points.length, a = points.reduce((sum, [x]) => sum + x * x, 0) / n, b = points.reduce((sum, [x]) => sum + x, 0) / n;
  return (a + 1 + Math.sqrt((a - 1) ** 2 + 4 * b * b)) / 2;
}

const short = (value) => (Math.abs(value) < 1e4 ? fixed(value, 3) : exponential(value, 1));
const cross = (x, y, value) => s("path", { class: "attn", "data-y": value, d: `M${x - 4} ${y - 4}l8 8m0 -8l-8 8` });
