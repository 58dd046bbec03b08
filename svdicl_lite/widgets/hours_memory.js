import { beside, choice, drawn, fixed, frame, h, says, slider } from "./base.js";
import { among, kept, whole } from "./kept.js";

// The formulas of chapter 15, as hours_memory.py has them. s: A, M, L, V, d, keys, factors, weights of a model.
const forward = (s, T) => 2 * T * (s.L * (s.A + s.M) + s.V * s.d) + 4 * s.L * s.d * T ** 2;
function search(s, above, rates, N, Td, Tq) {
  const n = Td + N * Tq, layer = s.L - 1 - above, a = 4 * s.d * (N * Tq * (Td + Tq) + Td ** 2);
  const once = 2 * n * (layer * (s.A + s.M) + s.A) + (layer + 1) * a;
  return once + rates * (2 * n * (s.M + above * (s.A + s.M)) + above * a);
}
const memory = (s, N, Td, Tq) => [
  ["weights", 2 * s.weights], ["keys and values of the demonstrations", 4 * s.L * s.keys * Td],
  ["kept of the queries", 4 * s.d * (Td + N * Tq)], ["factors of one MLP", 8 * s.factors],
].map(([name, bytes]) => [name, bytes / 1e9]);

// 40 seconds, 3.2 minutes, 5.1 hours, 12 days
export function time(hours) {
  const units = [[24, "days"], [1, "hours"], [1 / 60, "minutes"], [0, "seconds"]];
  const [size, name] = units.find(([least]) => hours >= 1.5 * least || !least);
  const value = hours / (size || 1 / 3600);
  return `${value >= 10 ? Math.round(value).toLocaleString("en") : fixed(value, 1)} ${name}`;
}

export default {
  render({ model, el }) {
    const models = model.get("models"), devices = model.get("devices"), queries = model.get("queries");
    const state = kept(model, "hours-memory", {
      model: among(models.map(({ name }) => name)), device: among(devices), n: among(queries),
      shots: whole(0, 32), tokens: whole(5, 200), n_rates: whole(1, 16), above: whole(0, 31) });
    const body = h("tbody"), result = says();
    let parts = [];
    const draw = () => {
      const s = models.find(({ name }) => name === model.get("model")), [n, Tq, rates, device] = ["n", "tokens", "n_rates", "device"].map((name) => model.get(name));
      const Td = model.get("shots") * Tq, above = Math.min(model.get("above"), s.L - 1), second = 1e12 * device;
      const [ours, plain] = [search(s, above, rates, n, Td, Tq), rates * n * forward(s, Td + Tq)];
      parts = memory(s, n, Td, Tq);
      const total = parts.reduce((sum, [, size]) => sum + size, 0);
      body.replaceChildren(...[...parts, ["together", total]].map(([name, size]) =>
        h("tr", { "data-part": name, "data-value": size }, h("th", { scope: "row" }, name),
          h("td", {}, h("span", { class: "bar plain", style: `--share: ${(size / total).toFixed(4)}` }), fixed(size, size < 10 ? 2 : 0)))));
      result.firstChild.dataset.hours = ours / second / 3600;
      result.firstChild.dataset.plain = plain / second / 3600;
      const cut = above === model.get("above") ? "" : ` (it has ${s.L} layers)`;
      result.say(`${s.name}, layer ${s.L - 1 - above} of ${s.L}${cut}: ${rates} rates on ${n.toLocaleString("en")} examples take ${time(ours / second / 3600)} ` +
        `and ${fixed(total, total < 10 ? 1 : 0)} GB; if every prompt were read anew at every rate, ${time(plain / second / 3600)}, ${fixed(plain / ours, 0)} times as long.`);
    };
    const speed = (value) => (value < 1 ? `${1000 * value} GFLOP/s` : `${value} TFLOP/s`);
    const node = frame(
      el, "Hours and memory of a search",
      beside([h("table", { class: "weighed" }, h("thead", {}, h("tr", {}, ...["memory", "GB"].map((text) => h("th", { scope: "col" }, text)))), body)],
        [h("div", { class: "controls" },
        choice(model, "model", { label: "Model", options: models.map(({ name }) => name) }),
        choice(model, "device", { label: "Device sustains", options: devices.map((value) => [value, speed(value)]) }),
        choice(model, "n", { label: "Examples", options: queries.map((value) => [value, value.toLocaleString("en")]) })),
      h("div", { class: "controls aligned" },
        slider(model, "shots", { label: "Demonstrations", min: 0, max: 32, step: 1 }),
        slider(model, "tokens", { label: "Tokens of a text", min: 5, max: 200, step: 5 }),
        slider(model, "n_rates", { label: "Clip rates", min: 1, max: 16, step: 1 }),
        slider(model, "above", { label: "Layers above it", min: 0, max: 31, step: 1 }))]),
      result,
      h("p", {}, "16 bits a number, factors in double precision; a device that is kept busy, which one prompt at a time does not do."),
    );
    drawn(model, ["model", "device", "n", "shots", "tokens", "n_rates", "above"], draw);
    state.bar(node, () => [["part", "GB"], ...parts]);
  },
};
