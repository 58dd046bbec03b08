import { choice, drawn, fixed, frame, h, newId, rateText, rateTick, says, signed } from "./base.js";
import { among, kept, whole } from "./kept.js";

const STRONG = 0.25; // a change of that much has the full colour

export default {
  render({ model, el }) {
    const { tasks, modules, layers, clip_rates: rates } = model.get("cells"), outcomes = model.get("outcomes"), several = tasks.length > 1;
    const state = kept(model, "depth-explorer", { task: among(tasks), module: among(modules), layer: among(layers), rate: whole(0, rates.length - 1) });
    const which = () => tasks.indexOf(model.get("task"));
    const of = (module, layer, rate) => outcomes[((which() * modules.length + modules.indexOf(module)) * layers.length + layers.indexOf(layer)) * rates.length + rate];
    const has = (rate) => of(modules[0], layers[0], rate) !== null, without = () => of(modules[0], layers[0], 0);
    const result = says(), maps = ["accuracy", "discrimination"].map((name, number) => mapOf(name, 3 * number));

    // One radio button a cell, as in the spectrum browser: arrow keys walk through them. Both maps show one choice.
    function mapOf(name, number) {
      const group = newId(), cells = [];
      const rows = layers.map((layer) => h("tr", {}, h("th", { scope: "row" }, String(layer)), ...rates.map((rate, r) => {
        const input = h("input", { type: "radio", name: group, onchange: () => { model.set("layer", layer); model.set("rate", r); model.save_changes(); } });
        const text = h("span"), cell = h("td", {}, h("label", {}, input, text));
        cells.push({ layer, r, cell, input, text });
        return cell;
      })));
      const heads = rates.map((rate) => h("th", { scope: "col" }, rateTick(rate)));
      const node = h("div", { class: "map" }, h("table", {}, h("caption", {}, `Change of ${name}, points`),
        h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "layer"), ...heads)), h("tbody", {}, ...rows)));
      const draw = () => {
        const before = without();
        heads.forEach((head, r) => (head.hidden = !has(r)));
        for (const { layer, r, cell, input, text } of cells) {
          if ((cell.hidden = !has(r))) continue; // this task lacks the rate
          const change = of(model.get("module"), layer, r)[number] - before[number], depth = Math.min(1, Math.abs(change) / STRONG);
          cell.className = change < 0 ? "loss" : "gain";
          cell.style.setProperty("--much", `${(55 * depth).toFixed(0)}%`);
          text.textContent = signed(100 * change, 0);
          input.setAttribute("aria-label", `layer ${layer}, ξ = ${rateText(rates[r])}: ${name} ${signed(100 * change, 1)} points`);
          input.checked = layer === model.get("layer") && r === model.get("rate");
        }
      };
      return { node, draw };
    }

    const interval = (value, low, high) => `${fixed(value, 3)}${low === null ? "" : ` [${fixed(low, 3)}, ${fixed(high, 3)}]`}`;
    const rateChoice = choice(model, "rate", { label: "Clip rate ξ", options: rates.map((rate, r) => [r, rateText(rate)]) });
    const draw = () => {
      const near = (r) => Math.abs(rates[r] - rates[model.get("rate")]);
      if (!has(model.get("rate"))) { // of another task, or of an address: the nearest that this one has
        model.set("rate", rates.map((_, r) => r).filter(has).reduce((a, b) => (near(b) < near(a) ? b : a)));
        model.save_changes();
      }
      rateChoice.querySelectorAll("option").forEach((option, r) => (option.hidden = option.disabled = !has(r)));
      for (const map of maps) map.draw();
      const before = without(), { n, sets } = model.get("about")[which()];
      const [module, layer, rate] = ["module", "layer", "rate"].map((name) => model.get(name)), now = of(module, layer, rate);
      const place = rate ? `${module.toUpperCase()} of layer ${layer} at ξ = ${rateText(rates[rate])}` : "No clip", task = several ? ` on ${model.get("task")}` : "";
      const [gain, told] = [now[0] - before[0], now[3] - before[3]];
      const kind = Math.abs(gain) < 0.005 ? "" : Math.abs(told) < 0.01 ? " Nearly all of it is lean: discrimination stays." : "";
      result.say(`${place}${task}: accuracy ${interval(...now.slice(0, 3))}, ${signed(100 * gain, 1)} points; discrimination ${interval(...now.slice(3))}, ` +
        `${signed(100 * told, 1)}.${kind} n = ${n.toLocaleString("en")}, intervals over ${sets} sets.`);
    };

    const node = frame(
      el, "Depth explorer: accuracy and discrimination, layer by rate",
      h("div", { class: "controls" },
        several ? choice(model, "task", { label: "Task", options: tasks }) : null,
        choice(model, "module", { label: "Module", options: modules.map((module) => [module, module.toUpperCase()]) }),
        choice(model, "layer", { label: "Layer", options: layers }),
        rateChoice),
      h("div", { class: "panels" }, ...maps.map(({ node: map }) => map)), result,
    );
    drawn(model, ["task", "module", "layer", "rate"], draw);
    state.bar(node, () => {
      const { n, sets } = model.get("about")[which()], name = several ? ["task"] : [], own = several ? [model.get("task")] : [];
      const at = modules.flatMap((module) => layers.flatMap((layer) => rates.map((_, r) => [module, layer, r]))).filter(([, , r]) => has(r));
      return [[...name, "module", "layer", "clip_rate", "accuracy", "low", "high", "discrimination", "low", "high", "n", "sets"],
        ...at.map(([module, layer, r]) => [...own, module, layer, rates[r], ...of(module, layer, r).map((value) => value ?? ""), n, sets])];
    });
  },
};
