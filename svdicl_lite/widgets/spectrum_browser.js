import { chart, choice, drawn, exponential, frame, h, numbers, path, percent, rankAt, s, says, slider } from "./base.js";
import { among, kept, whole, within } from "./kept.js";

const brief = (x) => (x === null ? "∞" : x < 1000 ? x.toFixed(0) : exponential(x, 1));
const energyKept = (S, r) => {
  const squares = [...S].map((x) => x * x);
  const sum = (values) => values.reduce((total, x) => total + x, 0);
  return sum(squares.slice(0, r)) / sum(squares);
};

export default {
  render({ model, el }) {
    const models = model.get("models").map((one) => ({ ...one, cells: one.cells.map((cell) => cell && { ...cell, S: numbers(cell.S, Float32Array) }) }));
    const roles = models.flatMap((one) => one.roles), most = Math.max(...models.map((one) => one.n_layers)) - 1;
    const state = kept(model, "spectrum-browser",
      { model: among(models.map(({ name }) => name)), layer: whole(0, most), role: among(roles), clip_rate: within(0, 0.995) });
    const current = () => models.find((one) => one.name === model.get("model"));
    const cellOf = (one, layer, role) => one.cells[layer * one.roles.length + one.roles.indexOf(role)];
    const choose = (name, value) => { model.set(name, value); model.save_changes(); };

    const places = h("div", { class: "controls" });
    const map = h("div", { class: "map" });
    const spectrum = h("figure", {});
    const result = says();

    // The layers, the matrices and the heat map belong to a model, so they are made anew when it changes.
    const remake = () => {
      const one = current();
      if (model.get("layer") >= one.n_layers) choose("layer", one.n_layers - 1);
      if (!one.roles.includes(model.get("role"))) choose("role", one.roles[0]);
      places.replaceChildren(
        choice(model, "layer", { label: "Layer", options: [...Array(one.n_layers).keys()] }),
        choice(model, "role", { label: "Matrix", options: one.roles }),
      );
      map.replaceChildren(heatMap(one));
    };

    // One radio button a cell: arrow keys walk through them, and the browser draws where one is.
    const heatMap = (one) => {
      const logs = one.cells.map((cell) => (cell && cell.condition !== null ? Math.log10(cell.condition) : null));
      const finite = logs.filter((log) => log !== null);
      const [low, high] = [Math.min(...finite), Math.max(...finite)];
      const group = `map-${Math.random().toString(36).slice(2)}`;
      const rows = [...Array(one.n_layers).keys()].map((layer) =>
        h("tr", {}, h("th", { scope: "row" }, String(layer)), ...one.roles.map((role, column) => {
          const cell = cellOf(one, layer, role);
          if (!cell) return h("td", {}, "–");
          const log = logs[layer * one.roles.length + column];
          const depth = log === null ? 30 : 3 + (27 * (log - low)) / (high - low || 1);
          const input = h("input", { type: "radio", name: group, "aria-label": `layer ${layer}, ${role}, condition number ${brief(cell.condition)}`,
            onchange: () => { choose("layer", layer); choose("role", role); } });
          input.dataset.cell = `${layer} ${role}`;
          return h("td", { style: `background: color-mix(in srgb, var(--ink) ${depth.toFixed(0)}%, transparent)` }, h("label", {}, input, h("span", {}, brief(cell.condition))));
        })));
      return h("table", {}, h("caption", {}, "Condition numbers; choose a matrix"),
        h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "layer"), ...one.roles.map((role) => h("th", { scope: "col" }, role)))), h("tbody", {}, ...rows));
    };

    const draw = () => {
      const [layer, role, rate] = ["layer", "role", "clip_rate"].map((name) => model.get(name));
      const one = current();
      const cell = cellOf(one, layer, role);
      if (!cell) return result.say(`Layer ${layer} of ${one.name} has no ${role}.`);
      for (const input of map.querySelectorAll("input")) input.checked = input.dataset.cell === `${layer} ${role}`;
      const { S } = cell, k = S.length, r = rankAt(k, rate);
      const floor = S[0] * 1e-9; // below that a logarithmic axis would show nothing but the noise of rounding
      const powers = [Math.floor(Math.log10(Math.max(S[k - 1], floor))), Math.ceil(Math.log10(S[0]))];
      const ticks = [...Array(powers[1] - powers[0] + 1).keys()].map((i) => powers[0] + i).map((power) => [10 ** power, power > -3 && power < 4 ? String(+(10 ** power).toFixed(2)) : `1e${power}`.replace("-", "−")]);
      const axes = chart({
        label: `Singular values of ${role} in layer ${layer}, on a logarithmic axis; the first ${r} of ${k} are kept`,
        x: { label: "index i", domain: [1, k], ticks: [1, ...[0.25, 0.5, 0.75, 1].map((share) => Math.round(share * k))] },
        y: { label: "singular value", domain: powers.map((power) => 10 ** power), ticks, log: true },
      });
      const points = [...S].map((x, i) => [i + 1, Math.max(x, floor)]);
      axes.plot.append(
        s("path", { class: "gone", d: path(axes, points.slice(Math.max(0, r - 1))) }), s("path", { class: "clip", d: path(axes, points.slice(0, r)) }),
        s("circle", { class: "clip", r: 6, cx: axes.x(r), cy: axes.y(points[r - 1][1]) }),
      );
      spectrum.replaceChildren(axes.node, h("figcaption", {}, h("span", { class: "clip" }, "— kept. "), h("span", { class: "gone" }, "··· removed. "), "The point: the last one kept."));
      result.say(`${one.name}, ${role} of layer ${layer} (${cell.shape.join(" × ")}): condition number ${brief(cell.condition)}, stable rank ${cell.stable_rank.toFixed(1)}; `
        + `at ξ = ${rate.toFixed(3)} rank ${r} of ${k} keeps ${percent(energyKept(S, r))} of the energy.`);
    };

    remake();
    model.on("change:model", remake);
    const controls = h("div", { class: "controls" },
      models.length > 1 ? choice(model, "model", { label: "Model", options: models.map(({ name }) => name) }) : null,
      places,
      slider(model, "clip_rate", { label: "Clip rate ξ", min: 0, max: 0.995, step: 0.005, shown: (rate) => rate.toFixed(3) }));
    const node = frame(el, "Spectrum browser: singular values of every matrix", controls, h("div", { class: "panels" }, map, spectrum), result);
    drawn(model, ["model", "layer", "role", "clip_rate"], draw);
    state.bar(node, () => {
      const { S } = cellOf(current(), model.get("layer"), model.get("role"));
      return [["model", "layer", "matrix", "index", "singular_value"], ...[...S].map((x, i) => [model.get("model"), model.get("layer"), model.get("role"), i + 1, x])];
    });
  },
};
