import { beside, chart, choice, drawn, fixed, frame, h, numbers, percent, points, rateText, s, says, signed, slider, ticksIn } from "./base.js";
import { among, kept, whole, within } from "./kept.js";
import { discrimination } from "./prompts.js";

const BINS = 28;
const mean = (values) => values.reduce((a, b) => a + b, 0) / values.length;

// What svdicl_lite.scoring says of margins (class 1 over class 0), labels and sets: accuracy at a threshold; discrimination, the mean of that of
// each set; and balanced accuracy with the threshold at each set's mean, which knows no labels (batch calibration).
export function measured(margins, labels, sets, threshold) {
  const right = margins.map((margin, i) => (margin > threshold ? 1 : 0) === labels[i]);
  const groups = [...new Set(sets)].map((set) => [...sets.keys()].filter((i) => sets[i] === set));
  const of = (rows) => discrimination(rows.map((i) => [0, margins[i]]), rows.map((i) => labels[i]));
  const known = groups.filter((rows) => new Set(rows.map((i) => labels[i])).size === 2);
  const centred = [];
  for (const rows of groups) {
    const bias = mean(rows.map((i) => bent(margins[i])[1])) - mean(rows.map((i) => bent(margins[i])[0]));
    for (const i of rows) centred[i] = (margins[i] > bias ? 1 : 0) === labels[i];
  }
  const balanced = mean([0, 1].map((label) => mean([...labels.keys()].filter((i) => labels[i] === label).map((i) => (centred[i] ? 1 : 0)))));
  const second = mean(margins.map((margin) => (margin > threshold ? 1 : 0)));
  return { accuracy: mean(right.map(Number)), auc: mean(known.map(of)), balanced, second };
}

// The log-probabilities of both label words.
const bent = (margin) => {
  const both = Math.log1p(Math.exp(-Math.abs(margin))) + Math.max(0, margin);
  return [-both, margin - both];
};

export default {
  render({ model, el }) {
    const { modules, layers, clip_rates: rates } = model.get("cells"), words = model.get("words"), unit = model.get("unit");
    const labels = numbers(model.get("labels"), Uint8Array), sets = numbers(model.get("sets"), Uint8Array), N = labels.length;
    const all = numbers(model.get("margins"), Int16Array);
    const state = kept(model, "reading-and-lean", {
      module: among(modules), layer: among(layers), rate: whole(0, rates.length - 1), threshold: within(-20, 20) });
    const marginsAt = (rate) => {
      const cell = (modules.indexOf(model.get("module")) * layers.length + layers.indexOf(model.get("layer"))) * rates.length + rate;
      return Array.from(all.subarray(cell * N, (cell + 1) * N), (value) => value * unit);
    };
    const picture = h("figure"), body = h("tbody"), result = says(), reach = Math.ceil(Math.max(...marginsAt(0).map(Math.abs), ...marginsAt(model.get("rate")).map(Math.abs)));
    let rows = [];

    const draw = () => {
      const rate = model.get("rate"), threshold = model.get("threshold"), now = marginsAt(rate), before = marginsAt(0);
      const [was, is, level] = [measured(before, labels, sets, 0), measured(now, labels, sets, threshold), measured(now, labels, sets, 0)];
      picture.replaceChildren(histograms(now, before, labels, threshold, words), h("figcaption", {},
        h("span", { class: "two" }, `- - ${words[0]} is right. `), h("span", { class: "one" }, `— ${words[1]} is right. `),
        "Faint: no clip. Line: the threshold; what lies right of it is called ", words[1], "."));
      const gain = is.accuracy - was.accuracy, reading = is.balanced - was.balanced;
      rows = [["accuracy", was.accuracy, is.accuracy], ["discrimination", was.auc, is.auc], [`answers ${words[1]}`, was.second, is.second],
        ["accuracy, threshold at each set's mean", was.balanced, is.balanced]];
      body.replaceChildren(...rows.map(([name, a, b]) => h("tr", {}, h("th", { scope: "row" }, name), h("td", { "data-of": "no clip" }, fixed(a, 3)), h("td", { "data-of": "now" }, fixed(b, 3)))));
      const place = rate ? `${model.get("module").toUpperCase()} of layer ${model.get("layer")} at ξ = ${rateText(rates[rate])}` : "No clip";
      const moved = threshold ? `, threshold at ${signed(threshold, 1)} (at 0: ${fixed(level.accuracy, 3)})` : "";
      result.say(`${place}: accuracy ${fixed(was.accuracy, 3)} → ${fixed(is.accuracy, 3)}${moved}, discrimination ${fixed(was.auc, 3)} → ${fixed(is.auc, 3)}. ` +
        `Of the ${points(gain)}, reading is ${signed(100 * reading, 1)} and lean ${signed(100 * (gain - reading), 1)}. n = ${N.toLocaleString("en")}; ${percent(is.second, 0)} of the answers are ${words[1]}.`);
    };

    const node = frame(
      el, "Reading and lean: two distributions, a threshold, a clip",
      beside([picture], [h("div", { class: "controls" },
        choice(model, "layer", { label: "Layer", options: layers }),
        choice(model, "module", { label: "Module", options: modules.map((module) => [module, module.toUpperCase()]) })),
      h("div", { class: "controls aligned" },
        slider(model, "rate", { label: "Clip rate ξ", min: 0, max: rates.length - 1, step: 1, shown: (i) => rateText(rates[i]) }),
        slider(model, "threshold", { label: "Threshold", min: -reach, max: reach, step: 0.1, shown: (value) => signed(value, 1) }))]),
      result,
      h("table", {}, h("thead", {}, h("tr", {}, ...["", "no clip", "now"].map((text) => h("th", { scope: "col" }, text)))), body),
    );
    drawn(model, ["module", "layer", "rate", "threshold"], draw);
    state.bar(node, () => {
      const [now, before] = [marginsAt(model.get("rate")), marginsAt(0)];
      return [["example", "set", "right", "margin_no_clip", "margin"], ...[...labels].map((label, i) => [i, sets[i], words[label], before[i].toFixed(4), now[i].toFixed(4)])];
    });
  },
};

function histograms(now, before, labels, threshold, words) {
  const [low, high] = [Math.min(...now, ...before), Math.max(...now, ...before)], width = (high - low) / BINS;
  const counts = (margins, label) => {
    const found = Array(BINS).fill(0);
    margins.forEach((margin, i) => { if (labels[i] === label) found[Math.min(BINS - 1, Math.floor((margin - low) / width))]++; });
    return found;
  };
  const bars = [0, 1].map((label) => ({ label, now: counts(now, label), before: counts(before, label) }));
  const top = Math.max(...bars.flatMap((one) => [...one.now, ...one.before]));
  const axes = chart({
    label: `Histograms of the margins by the right answer, now and without a clip; the threshold is at ${signed(threshold, 1)}`,
    x: { label: `score of ${words[1]} minus score of ${words[0]}`, domain: [low, high], ticks: ticksIn([low, high]) },
    y: { label: "examples", domain: [0, 1.05 * top], ticks: ticksIn([0, 1.05 * top]) },
  });
  const outline = (found) => found.map((count, i) => `${i ? "L" : `M${axes.x(low)} ${axes.y(0)}L`}${axes.x(low + i * width)} ${axes.y(count)}H${axes.x(low + (i + 1) * width)}`).join("") + `V${axes.y(0)}`;
  for (const { label, before: faint, now: strong } of bars) {
    const look = label ? "one" : "two";
    axes.plot.append(s("path", { class: look, opacity: 0.35, d: outline(faint) }), s("path", { class: look, d: outline(strong) }));
  }
  const at = axes.x(Math.min(high, Math.max(low, threshold)));
  axes.plot.append(s("line", { class: "ring", x1: at, x2: at, y1: axes.y(1.05 * top), y2: axes.y(0) }));
  return axes.node;
}
