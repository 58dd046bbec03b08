import { chart, drawn, fixed, frame, h, newId, numbers, rateText, s, says, ticksIn } from "./base.js";
import { kept, listOf, whole } from "./kept.js";

const short = (value) => (!Number.isFinite(value) ? "∞" : Math.abs(value) >= 100 ? fixed(value, 0) : value.toPrecision(3).replace("-", "−"));
const finite = (values) => values.filter((value) => Number.isFinite(value));

export default {
  render({ model, el }) {
    const rates = model.get("clip_rates"), names = model.get("names"), R = rates.length, L = model.get("chosen").length;
    const state = kept(model, "bound-explorer", { chosen: listOf(whole(0, R - 1), L) });
    const terms = numbers(model.get("terms"), Float32Array), outcomes = numbers(model.get("outcomes"), Float32Array);
    const place = (chosen) => chosen.reduce((at, index) => at * R + index, 0);
    const term = (at, layer, name) => terms[(at * L + layer) * names.length + name];
    const outcome = (at) => {
      const [bound, accuracy, low, high, n] = outcomes.subarray(5 * at, 5 * at + 5);
      return { bound, accuracy, low, high, n };
    };
    const information = (at) => Array.from({ length: L }, (_, layer) => term(at, layer, 0));

    // A slider a layer; its stops are the candidate rates, side by side.
    const sliders = model.get("chosen").map((_, layer) => {
      const id = newId(), input = h("input", { type: "range", id, min: 0, max: R - 1, step: 1 }), output = h("output", { for: id });
      input.addEventListener("input", () => {
        model.set("chosen", model.get("chosen").map((index, l) => (l === layer ? Number(input.value) : index)));
        model.save_changes();
      });
      const update = () => {
        input.value = model.get("chosen")[layer];
        output.textContent = rateText(rates[input.value]);
        input.setAttribute("aria-valuetext", output.textContent);
      };
      return { update, node: h("div", { class: "control" }, h("label", { for: id }, `Clip rate of layer ${layer}`), input, output) };
    });
    const none = h("button", { type: "button", onclick: () => { model.set("chosen", Array(L).fill(0)); model.save_changes(); } }, "No clip");

    const top = Math.max(1, ...finite(Array.from({ length: R ** L }, (_, at) => Math.max(...finite(information(at)), 0))));
    const bottom = Math.min(0, ...finite(Array.from({ length: R ** L }, (_, at) => Math.min(...finite(information(at)), 0))));
    const bars = chart({
      label: "What each layer adds to the bound, in nats: outlined without a clip, filled as clipped",
      x: { label: "layer", domain: [-0.6, L - 0.4], ticks: Array.from({ length: L }, (_, layer) => layer) },
      y: { label: "information (nats)", domain: [bottom, top], ticks: ticksIn([bottom, top]) },
    });

    // Bound against accuracy: each combination is a point; of very many, only those that clip one layer.
    const shown = Array.from({ length: R ** L }, (_, at) => at).filter((at) => R ** L <= 600 || digits(at, R, L).filter((index) => index).length <= 1);
    const bounds = finite(shown.map((at) => outcome(at).bound)), accuracies = shown.flatMap((at) => [outcome(at).low, outcome(at).high]);
    const wide = (values) => { const [a, b] = [Math.min(...values), Math.max(...values)], rim = 0.05 * (b - a || 1); return [a - rim, b + rim]; };
    const [across, up] = [wide(bounds.length ? bounds : [0, 1]), wide(accuracies)];
    const scatter = chart({
      label: "Bound against accuracy for combinations of clip rates; the ring is the one chosen",
      x: { label: "bound", domain: across, ticks: ticksIn(across) }, y: { label: "accuracy", domain: up, ticks: ticksIn(up) },
    });
    for (const at of shown) {
      const { bound, accuracy } = outcome(at);
      if (Number.isFinite(bound)) scatter.plot.append(s("circle", { class: "dot", cx: scatter.x(bound), cy: scatter.y(accuracy), r: at ? 2.5 : 5 }));
    }
    const ring = s("circle", { class: "ring", r: 9 }), spread = s("line", { class: "clip" });
    scatter.plot.append(spread, ring);

    const body = h("tbody"), result = says();
    const draw = () => {
      for (const { update } of sliders) update();
      const chosen = model.get("chosen"), at = place(chosen), now = outcome(at), before = outcome(0);
      bars.plot.replaceChildren(...information(at).flatMap((value, layer) => [
        column(bars, layer, term(0, layer, 0), "ring"), column(bars, layer, value, "filled"),
      ]));
      const seen = Number.isFinite(now.bound);
      for (const node of [ring, spread]) node.setAttribute("visibility", seen ? "visible" : "hidden");
      if (seen) {
        for (const [name, value] of Object.entries({ cx: scatter.x(now.bound), cy: scatter.y(now.accuracy) })) ring.setAttribute(name, value);
        for (const [name, value] of Object.entries({ x1: scatter.x(now.bound), x2: scatter.x(now.bound), y1: scatter.y(now.low), y2: scatter.y(now.high) }))
          spread.setAttribute(name, value);
      }
      body.replaceChildren(...chosen.map((index, layer) =>
        h("tr", {}, h("th", { scope: "row" }, String(layer)), h("td", {}, rateText(rates[index])), ...names.map((_, name) => h("td", {}, short(term(at, layer, name)))))));
      const total = information(at).reduce((a, b) => a + b), all = information(0).reduce((a, b) => a + b);
      const interval = `${now.accuracy.toFixed(3)} [${now.low.toFixed(3)}, ${now.high.toFixed(3)}]`;
      result.say(`ξ = ${chosen.map((index) => rateText(rates[index])).join(", ")}: ${short(total)} nats (${short(all)} without a clip), bound ${now.bound.toFixed(3)} ` +
        `(${before.bound.toFixed(3)}); accuracy ${interval}, n = ${now.n.toLocaleString("en")} (${before.accuracy.toFixed(3)}).`);
    };

    const node = frame(
      el, "Bound explorer: clip rates, terms of the bound, accuracy",
      h("div", { class: "controls aligned" }, ...sliders.map(({ node }) => node), none),
      h("div", { class: "panels" },
        h("figure", {}, bars.node, h("figcaption", {}, "Outline: without a clip. Filled: as the layers are now; one without a clip fills its outline.")),
        h("figure", {}, scatter.node, h("figcaption", {}, "Large dot: no clip. Ring: the rates chosen, with the 95 % interval."))),
      result,
      h("details", {}, h("summary", {}, "All terms"), h("div", { class: "wide", tabindex: 0, role: "group", "aria-label": "All terms" },
        h("table", {}, h("thead", {}, h("tr", {}, ...["layer", "ξ", ...names].map((text) => h("th", { scope: "col" }, text)))), body))),
    );
    drawn(model, ["chosen"], draw);
    state.bar(node, () => [
      [...Array.from({ length: L }, (_, layer) => `clip_rate_${layer}`), "bound", "accuracy", "low", "high", "n"],
      ...Array.from({ length: R ** L }, (_, at) => [...digits(at, R, L).map((index) => rates[index]), ...Object.values(outcome(at))]),
    ]);
  },
};

const digits = (at, R, L) => Array.from({ length: L }, (_, i) => Math.floor(at / R ** (L - 1 - i)) % R);

function column({ x, y }, layer, value, look) {
  const [a, b] = [y(0), Number.isFinite(value) ? y(value) : y(0)]; // an infinite term has no bar; the table says ∞
  return s("rect", { class: look, "data-layer": layer, "data-value": value, x: x(layer - 0.3), width: x(0.6) - x(0), y: Math.min(a, b), height: Math.abs(a - b) });
}
