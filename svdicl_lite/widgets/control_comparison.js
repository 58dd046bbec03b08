import { chart, choice, drawn, fixed, frame, h, numbers, percent, rateText, s, says, slider, ticksIn } from "./base.js";
import { among, kept, whole } from "./kept.js";
import { batchBias, discrimination, lead, withoutBias } from "./prompts.js";

export default {
  render({ model, el }) {
    const methods = model.get("methods"), rates = model.get("clip_rates"), labels = model.get("labels"), words = model.get("words");
    const queries = model.get("queries"), N = labels.length, C = words.length, all = numbers(model.get("scores"), Float32Array);
    const state = kept(model, "controls", { rate: whole(0, rates.length - 1), prompt: whole(-1, N - 1), calibrate_by: among(["fifty", "one"]) });
    const scoresAt = (method, rate) => Array.from({ length: N }, (_, i) => {
      const at = ((method * rates.length + rate) * N + i) * C;
      return [...all.subarray(at, at + C)];
    });
    const picture = h("figure"), body = h("tbody"), result = says(), shown = h("p", { class: "asked" });
    let rows = [];

    const draw = () => {
      const rate = model.get("rate"), one = model.get("prompt"), unclipped = scoresAt(0, rates.indexOf(0));
      const by = model.get("calibrate_by") === "one" && one >= 0 ? [one] : [...labels.keys()];
      rows = [["no clip", unclipped, "plain"], ...methods.map((name, m) => [name, scoresAt(m, rate), m ? "gone" : "clip"]),
        [`calibrated on ${by.length === 1 ? "this one" : "fifty"}`, withoutBias(unclipped, batchBias(unclipped, by)), "plain"]]
        .map(([name, scores, look]) => ({ name, scores, look, leads: scores.map((row, i) => lead(row, labels[i])) }));
      picture.replaceChildren(drawing(rows, one), h("figcaption", {}, one < 0 ? "Each stroke is one prompt; right of the line its answer is right." :
        "The strong stroke is the chosen prompt; right of the line its answer is right."));
      body.replaceChildren(...rows.map((row) => h("tr", {}, h("th", { scope: "row" }, row.name), ...cells(row, one))));
      shown.textContent = one < 0 ? "" : `${queries[one].trim()} (right: ${words[labels[one]]})`;
      const right = ({ leads }) => leads.filter((value) => value > 0).length, told = rows.map((row) => `${row.name} ${one < 0 ? right(row) : verdict(row, one)}`).join(", ");
      const alone = by.length === 1 ? " Calibrated on itself alone, a prompt has no answer left: every label word is as likely." : "";
      result.say(`${model.get("place")}, ξ = ${rateText(rates[rate])}. ${one < 0 ? `Right of ${N}` : "This prompt"}: ${told}.${alone}`);
    };
    const verdict = ({ leads }, i) => (Math.abs(leads[i]) < 1e-9 ? "undecided" : leads[i] > 0 ? "right" : "wrong");
    const cells = ({ scores, leads }, one) => {
      if (one >= 0) {
        const powers = scores[one].map(Math.exp), total = powers.reduce((a, b) => a + b);
        return [h("td", {}, verdict({ leads }, one)), h("td", {}, percent(powers[labels[one]] / total))];
      }
      return [h("td", { "data-of": "right" }, String(leads.filter((value) => value > 0).length)), h("td", { "data-of": "told" }, fixed(discrimination(scores, labels), 2))];
    };
    const heading = h("tr");
    model.on("change:prompt", () => head());
    const head = () => heading.replaceChildren(...(model.get("prompt") < 0 ? ["change", `right of ${N}`, "discrimination"] : ["change", "answer", "share of the right word"])
      .map((text) => h("th", { scope: "col" }, text)));
    head();

    const node = frame(
      el, "Controls: a clip beside other changes",
      h("div", { class: "controls" },
        choice(model, "prompt", { label: "Prompts", options: [[-1, "all fifty"], ...queries.map((text, i) => [i, `${i + 1}: ${text.trim().replace(/^text: /, "").replace(/ \w+:$/, "")}`])] }),
        choice(model, "calibrate_by", { label: "Calibrate by", options: [["fifty", "the fifty"], ["one", "the chosen one"]] }),
        slider(model, "rate", { label: "Clip rate ξ", min: 0, max: rates.length - 1, step: 1, shown: (i) => rateText(rates[i]) })),
      shown, picture, result, h("table", {}, h("thead", {}, heading), body),
    );
    drawn(model, ["rate", "prompt", "calibrate_by"], draw);
    state.bar(node, () => [["change", "clip_rate", "prompt", "right", ...words],
      ...rows.flatMap(({ name, scores }) => scores.map((row, i) => [name, rates[model.get("rate")], i, words[labels[i]], ...row.map((value) => value.toFixed(5))]))]);
  },
};

function drawing(rows, one) {
  const values = rows.flatMap(({ leads }) => leads), rim = 0.05 * (Math.max(...values) - Math.min(...values) || 1);
  const domain = [Math.min(0, ...values) - rim, Math.max(0, ...values) + rim], height = 56 + 24 * rows.length;
  const axes = chart({
    label: "The lead of the right label word on each prompt, a row for each change", height, left: 122,
    x: { label: "lead of the right label word (nats)", domain, ticks: ticksIn(domain) }, y: { label: "", domain: [rows.length - 0.5, -0.5], ticks: [] },
  });
  rows.forEach(({ name, leads, look }, y) => {
    axes.plot.append(s("text", { x: 117, y: axes.y(y) + 4, "text-anchor": "end" }, name));
    leads.forEach((value, i) => {
      const reach = i === one ? 0.4 : 0.25;
      if (one >= 0 && i !== one) return;
      axes.plot.append(s("line", { class: look, "stroke-width": i === one ? 4 : 1.2, style: "stroke-dasharray: none", "data-lead": value,
        x1: axes.x(value), x2: axes.x(value), y1: axes.y(y - reach), y2: axes.y(y + reach) }));
    });
  });
  axes.plot.append(s("line", { class: "ring", x1: axes.x(0), x2: axes.x(0), y1: axes.y(-0.5), y2: axes.y(rows.length - 0.5) }));
  return axes.node;
}
