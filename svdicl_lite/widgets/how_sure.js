import { beside, chart, drawn, fixed, frame, h, path, percent, s, says, slider, ticksIn } from "./base.js";
import { kept, whole, within } from "./kept.js";
import { plan } from "./student.js";

const inPoints = (share, digits = 1) => `${fixed(100 * share, digits)} points`;

export default {
  render({ model, el }) {
    const state = kept(model, "how-sure", {
      n: whole(100, 4000), sets: whole(1, 32), gain: within(0, 0.2), changed: within(0.05, 0.6), spread: within(0, 0.15), comparisons: whole(1, 40) });
    const picture = h("figure"), body = h("tbody"), result = says();
    const asked = () => Object.fromEntries(["n", "sets", "gain", "changed", "spread", "comparisons"].map((name) => [name, model.get(name)]));
    let rows = [];

    const draw = () => {
      const now = asked();
      if (now.gain > now.changed) {
        picture.replaceChildren();
        body.replaceChildren();
        return result.say(`A gain of ${inPoints(now.gain)} needs at least ${fixed(100 * now.gain, 0)} % of the answers to change.`);
      }
      const one = plan({ ...now, alpha: 0.05 }), holm = plan({ ...now, alpha: 0.05 / now.comparisons });
      picture.replaceChildren(drawing(now, one, holm), h("figcaption", {},
        h("span", { class: "gone" }, "··· no effect. "), h("span", { class: "plain" }, "— this gain, with its 95 % interval. "),
        `A gain is shown right of the line${now.comparisons === 1 ? "" : `; after Holm, ${isFar(one, holm) ? "from" : "right of the dotted one, from"} ${inPoints(holm.critical * holm.error)} on`}.`));
      const smallest = (found) => (found.smallest === null ? "–" : inPoints(found.smallest));
      rows = [["one test", one], [`the smallest of ${now.comparisons} p-values, Holm`, holm]].slice(0, now.comparisons > 1 ? 2 : 1);
      body.replaceChildren(...rows.map(([name, found]) =>
        h("tr", {}, h("th", { scope: "row" }, name), h("td", {}, percent(found.power, 0)), h("td", {}, smallest(found)))));
      const where = now.sets === 1 ? "one set of demonstrations" : `${now.sets} sets of demonstrations`;
      const corrected = now.comparisons > 1 ? `; as the smallest of ${now.comparisons} p-values, by Holm's rule, in ${percent(holm.power, 0)}` : "";
      result.say(`${now.n.toLocaleString("en")} examples on ${where}: a gain of ${inPoints(now.gain)} has the interval ± ${inPoints(one.critical * one.error)} ` +
        `and is shown in ${percent(one.power, 0)} of all such experiments${corrected}.`);
    };

    const points = (digits) => (share) => `${(100 * share).toFixed(digits)}`;
    const node = frame(
      el, "How sure? Sample size, interval, power",
      beside([picture], [h("div", { class: "controls aligned" },
        slider(model, "n", { label: "Examples n", min: 100, max: 4000, step: 100, shown: (n) => n.toLocaleString("en") }),
        slider(model, "sets", { label: "Sets", min: 1, max: 32, step: 1 }),
        slider(model, "gain", { label: "Gain, points", min: 0, max: 0.2, step: 0.005, shown: points(1) }),
        slider(model, "changed", { label: "Changed, %", min: 0.05, max: 0.6, step: 0.05, shown: points(0) }),
        slider(model, "spread", { label: "Spread, points", min: 0, max: 0.15, step: 0.01, shown: points(0) }),
        slider(model, "comparisons", { label: "Comparisons", min: 1, max: 40, step: 1 }))]),
      result,
      h("table", {}, h("thead", {}, h("tr", {}, ...["test", "shown in", "smallest gain shown as often as not"].map((text) => h("th", { scope: "col" }, text)))), body),
    );
    drawn(model, ["n", "sets", "gain", "changed", "spread", "comparisons"], draw);
    state.bar(node, () => [[...Object.keys(asked()), "test", "standard_error", "power", "smallest_gain"],
      ...rows.map(([name, found]) => [...Object.values(asked()), name, found.error, found.power, found.smallest ?? ""])]);
  },
};

// With two or three sets the line of a corrected test is so far out that the curves would be needles beside it.
const isFar = (one, holm) => holm.critical > 3 * one.critical;

// How the measured gain would scatter from experiment to experiment, without an effect and with this one.
function drawing({ gain, comparisons }, one, holm) {
  const dotted = comparisons > 1 && !isFar(one, holm);
  const reach = Math.max(4 * one.error, 1.1 * (dotted ? holm : one).critical * one.error, 0.02);
  const domain = [-100 * reach, 100 * (gain + reach)];
  const axes = chart({
    label: "How the measured gain scatters, without an effect and with this one, and from where on it is shown", height: 220,
    x: { label: "measured gain (points)", domain, ticks: ticksIn(domain) }, y: { label: "how often", domain: [0, 1.25], ticks: [] },
  });
  const bell = (middle) => path(axes, Array.from({ length: 101 }, (_, i) => {
    const z = -4 + 0.08 * i;
    return [100 * (middle + z * one.error), Math.exp((-z * z) / 2)];
  }));
  const upright = (x, look, dash) => s("line", { class: look, x1: axes.x(x), x2: axes.x(x), y1: axes.y(0), y2: axes.y(1.1), "stroke-dasharray": dash });
  const half = 100 * one.critical * one.error;
  axes.plot.append(
    s("path", { class: "gone", d: bell(0) }), s("path", { class: "plain", d: bell(gain) }),
    s("path", { class: "plain bar-of", d: `M${axes.x(100 * gain - half)} ${axes.y(1.15)}H${axes.x(100 * gain + half)}` }),
    s("circle", { class: "plain", r: 4, cx: axes.x(100 * gain), cy: axes.y(1.15) }),
    upright(100 * one.critical * one.error, "level", null),
  );
  if (dotted) axes.plot.append(upright(100 * holm.critical * holm.error, "level", "2 3"));
  return axes.node;
}
