import { chart, choice, drawn, frame, h, newId, numbers, path, rateText, rateTick, s, says, slider } from "./base.js";
import { among, kept, listOf, whole } from "./kept.js";

const SHOWN = 8; // turned answers that are listed at once
const KINDS = [["all", "all"], ["right", "now right"], ["wrong", "now wrong"]];

export default {
  render({ model, el }) {
    const { modules, layers, clip_rates: rates } = model.get("cells");
    const state = kept(model, "clip-explorer", {
      chosen: listOf(among(model.get("runs").flatMap(({ key }) => key)), model.get("fields").length), module: among(modules),
      layer_a: among(layers), layer_b: among(layers), rate: whole(0, rates.length - 1),
    });
    const runs = model.get("runs").map((run) => {
      const [labels, sets] = [numbers(run.labels, Uint8Array), numbers(run.sets, Uint8Array)];
      const planes = run.planes.map((plane) => numbers(plane, Uint8Array));
      const [accuracy, low, high] = ["accuracy", "low", "high"].map((name) => numbers(run[name], Float32Array));
      // The answer to prompt i in a cell: one bit from each plane.
      const answer = (cell, i) => {
        const at = cell * labels.length + i;
        return planes.reduce((sum, plane, bit) => sum + (((plane[at >> 3] >> (at & 7)) & 1) << bit), 0);
      };
      return { ...run, labels, sets, accuracy, low, high, answer, queries: model.get("queries")[run.queries] };
    });
    const cellAt = (layer, rate) => (modules.indexOf(model.get("module")) * layers.length + layers.indexOf(layer)) * rates.length + rate;
    const sides = [{ trait: "layer_a", look: "one", name: "first layer" }, { trait: "layer_b", look: "two", name: "second layer" }];

    // One list a field; what is chosen in all of them is one trait.
    const fieldChoice = (name, index) => {
      const options = [...new Set(runs.map(({ key }) => key[index]))];
      const id = newId();
      const select = h("select", { id }, ...options.map((option) => h("option", {}, String(option))));
      const update = () => (select.selectedIndex = options.indexOf(model.get("chosen")[index]));
      select.addEventListener("change", () => {
        model.set("chosen", model.get("chosen").map((part, i) => (i === index ? options[select.selectedIndex] : part)));
        model.save_changes();
      });
      model.on("change:chosen", update);
      update();
      return h("div", { class: "control" }, h("label", { for: id }, name[0].toUpperCase() + name.slice(1)), select);
    };

    const curves = h("figure", {});
    const lists = sides.map(() => turnedList());
    const panels = lists.map((list) => h("div", { class: "side" }, list.told, list.node));
    const result = says();

    const draw = () => {
      const run = runs.find(({ key }) => key.every((part, i) => part === model.get("chosen")[i]));
      const rate = model.get("rate");
      curves.replaceChildren(...curvesOf(run, rate));
      const told = sides.map((side, i) => {
        const layer = model.get(side.trait), cell = cellAt(layer, rate);
        const turned = turnedBy(run, cellAt(layer, 0), cell);
        lists[i].show(run, side, layer, cell, turned);
        return `layer ${layer} ${run.accuracy[cell].toFixed(3)}, ${turned.filter(({ right }) => right).length} became right, ${turned.filter(({ wrong }) => wrong).length} wrong`;
      });
      result.say(`${model.get("module").toUpperCase()} at ξ = ${rateText(rates[rate])}, accuracy: ${told.join("; ")}.`);
    };

    const curvesOf = (run, rate) => {
      const classes = run.words[0].length;
      const axes = chart({
        label: `Accuracy against clip rate with 95 % intervals, layers ${sides.map(({ trait }) => model.get(trait)).join(" and ")}; dashed: no clip, dotted: chance`,
        x: { label: "clip rate ξ", domain: [-0.4, rates.length - 0.6], ticks: rates.map((value, i) => [i, rateTick(value)]) },
        y: { label: "accuracy", domain: [0, 1], ticks: [0, 0.25, 0.5, 0.75, 1] },
      });
      const level = (value, dash) => s("line", { class: "level", x1: 50, x2: 350, y1: axes.y(value), y2: axes.y(value), "stroke-dasharray": dash });
      axes.plot.append(level(run.accuracy[cellAt(layers[0], 0)], "8 4"), level(1 / classes, "2 3"));
      sides.forEach(({ trait, look }, side) => {
        const cells = rates.map((_, i) => cellAt(model.get(trait), i));
        const x = (i) => i + (side ? 0.08 : -0.08); // side by side, or one interval would hide the other
        axes.plot.append(s("path", { class: look, d: path(axes, cells.map((cell, i) => [x(i), run.accuracy[cell]])) }));
        cells.forEach((cell, i) => {
          axes.plot.append(s("path", { class: `${look} bar-of`, d: path(axes, [[x(i), run.low[cell]], [x(i), run.high[cell]]]) }));
          axes.plot.append(s("circle", { class: look, r: i === rate ? 6 : 3, cx: axes.x(x(i)), cy: axes.y(run.accuracy[cell]) }));
        });
      });
      const legend = sides.map(({ trait, look }, side) => h("span", { class: look }, `${side ? "- -" : "—"} layer ${model.get(trait)}. `));
      return [axes.node, h("figcaption", {}, ...legend, "Large points: this clip rate. Long dashes: no clip. Dots: chance.")];
    };

    const turnedBy = (run, before, after) =>
      [...run.labels.keys()].flatMap((i) => {
        const [old, now] = [run.answer(before, i), run.answer(after, i)];
        return old === now ? [] : [{ i, old, now, right: now === run.labels[i], wrong: old === run.labels[i] }];
      });

    const node = frame(
      el, "Clip explorer: accuracy and answers at every clip",
      h("div", { class: "controls" }, ...model.get("fields").map(fieldChoice),
        choice(model, "module", { label: "Module", options: modules.map((module) => [module, module.toUpperCase()]) }),
        ...sides.map(({ trait, name }) => choice(model, trait, { label: name[0].toUpperCase() + name.slice(1), options: layers })),
        slider(model, "rate", { label: "Clip rate ξ", min: 0, max: rates.length - 1, step: 1, shown: (i) => rateText(rates[i]) })),
      curves, result, h("div", { class: "panels" }, ...panels),
    );
    drawn(model, ["chosen", "module", "layer_a", "layer_b", "rate"], draw);
    state.bar(node, () => [
      [...model.get("fields"), "module", "layer", "clip_rate", "accuracy", "low", "high", "n"],
      ...runs.flatMap((run) => modules.flatMap((module, m) => layers.flatMap((layer, l) => rates.map((rate, r) => {
        const cell = (m * layers.length + l) * rates.length + r;
        return [...run.key, module, layer, rate, run.accuracy[cell], run.low[cell], run.high[cell], run.labels.length];
      })))),
    ]);
  },
};

// The answers that one clip turned, some at a time: all, those now right, or those now wrong.
function turnedList() {
  let shown = null, kind = "all", first = 0;
  const told = h("div"), list = h("div", { class: "turned" }), where = h("span", { role: "none" });
  const select = h("select", { "aria-label": "Turned answers listed", onchange: () => { kind = select.value; first = 0; draw(); } },
    ...KINDS.map(([value, text]) => h("option", { value }, text)));
  const step = (by, text) => h("button", { type: "button", onclick: () => { first += by; draw(); } }, text);
  const [back, on] = [step(-SHOWN, "Previous"), step(SHOWN, "Next")];
  const node = h("div", {}, h("div", { class: "controls" }, select, back, on, where), list);
  const draw = () => {
    const { run, turned } = shown, of = turned.filter((one) => kind === "all" || one[kind]);
    first = first < of.length ? Math.max(0, first) : Math.max(0, first - SHOWN);
    const last = Math.min(first + SHOWN, of.length);
    node.hidden = !turned.length;
    where.textContent = of.length ? `${first + 1} to ${last} of ${of.length}` : "none";
    back.disabled = first === 0;
    on.disabled = last === of.length;
    list.replaceChildren(...of.slice(first, last).map((one) => entry(run, one)));
  };
  const show = (run, { look }, layer, cell, turned) => {
    const count = (name) => turned.filter((one) => one[name]).length;
    shown = { run, turned };
    first = 0;
    told.replaceChildren(
      h("p", { class: look }, `Layer ${layer}`),
      h("p", {}, `Accuracy ${run.accuracy[cell].toFixed(3)} [${run.low[cell].toFixed(3)}, ${run.high[cell].toFixed(3)}], n = ${run.labels.length.toLocaleString("en")}.`),
      h("p", {}, turned.length ? `${turned.length} answers turned: ${count("right")} became right, ${count("wrong")} wrong.` : "No answer turned."),
    );
    draw();
  };
  return { told, node, show };
}

function entry(run, { i, old, now, right, wrong }) {
  const words = run.words[run.sets[i]], verdict = right ? "now right" : wrong ? "now wrong" : "wrong still";
  return h("details", {},
    h("summary", {}, h("strong", {}, `${verdict}: `), `${words[old]} → ${words[now]}, `, h("span", {}, run.queries[i])),
    h("pre", { tabindex: 0, "aria-label": "the whole prompt" }, run.shown[run.sets[i]] + run.queries[i]));
}
