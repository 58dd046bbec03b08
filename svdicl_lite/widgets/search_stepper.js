import { chart, choice, drawn, frame, h, path, percent, points, rateText, rateTick, s, says } from "./base.js";
import { among, kept, whole } from "./kept.js";

// search_stepper.first_of: `size` of n numbers by Fisher and Yates's shuffle and the generator mulberry32.
export function firstOf(seed, n, size) {
  const order = Array.from({ length: n }, (_, i) => i);
  let state = seed >>> 0;
  for (let i = 0; i < Math.min(size, n - 1); i++) {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    const j = i + Math.floor((((t ^ (t >>> 14)) >>> 0) * (n - i)) / 4294967296);
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order.slice(0, size);
}

// Rows of outcomes, one a rate, from bits: eight a byte, the highest first.
function outcomes(view, n, rates) {
  const bytes = Math.ceil(n / 8);
  return Array.from({ length: rates }, (_, r) => Uint8Array.from({ length: n }, (_, i) => (view.getUint8(r * bytes + (i >> 3)) >> (7 - (i & 7))) & 1));
}

const mean = (row, picked) => picked.reduce((total, i) => total + row[i], 0) / picked.length;

// Wilson's 95 % interval.
function wilson(share, n) {
  const z = 1.959964, middle = (share + z ** 2 / (2 * n)) / (1 + z ** 2 / n);
  const half = (z / (1 + z ** 2 / n)) * Math.sqrt((share * (1 - share)) / n + z ** 2 / (4 * n ** 2));
  return [middle - half, middle + half];
}

export default {
  render({ model, el }) {
    const state = kept(model, "search-stepper",
      { size: among(model.get("sizes")), draw: whole(1, 1e6), step: whole(0, model.get("clip_rates").length + 1) });
    const rates = model.get("clip_rates"), counts = model.get("counts"), bits = model.get("bits");
    const validation = outcomes(bits.validation, counts.validation, rates.length);
    const truth = outcomes(bits.held_out, counts.held_out, rates.length).map((row) => row.reduce((a, b) => a + b) / counts.held_out);
    const seen = new Map(); // draws searched to the end: number → winner and optimism; begun anew when the size changes
    let seenSize = model.get("size");

    // The accuracies of a draw, and after each rate the index of the best so far; only strictly better counts.
    const searched = (draw, size) => {
      const picked = firstOf(draw, counts.validation, size), accuracy = validation.map((row) => mean(row, picked));
      const best = [];
      accuracy.forEach((value, r) => best.push(r && value <= accuracy[best[r - 1]] ? best[r - 1] : r));
      return { accuracy, best, winner: best.at(-1) };
    };

    const picture = h("figure"), tried = h("tbody"), result = says();
    const button = (text, onclick) => h("button", { type: "button", onclick }, text);
    const go = (changes) => {
      for (const [name, value] of Object.entries(changes)) model.set(name, value);
      model.save_changes();
    };
    const end = rates.length + 1;
    const first = button("From the first rate", () => go({ step: 0 }));
    const next = button("Next rate", () => go({ step: Math.min(model.get("step") + 1, end) }));
    const many = () => {
      const from = model.get("draw") + 1;
      for (let k = from; k < from + 100; k++) keep(k);
      go({ draw: from + 99, step: end });
    };
    const keep = (draw) => {
      const { accuracy, winner } = searched(draw, model.get("size"));
      seen.set(draw, { winner, promised: accuracy[winner] - accuracy[0], kept: truth[winner] - truth[0] });
    };

    const redraw = () => {
      const size = model.get("size"), draw = model.get("draw"), step = model.get("step"), { accuracy, best, winner } = searched(draw, size);
      if (size !== seenSize) seen.clear();
      seenSize = size;
      if (step === end) keep(draw);
      const shown = accuracy.slice(0, Math.min(step, rates.length)), now = shown.length - 1;
      picture.replaceChildren(drawing(rates, shown, now < 0 ? -1 : best[now], step === end ? [truth[0], truth[winner]] : null, size, counts.held_out, accuracy));
      const wins = rates.map((_, r) => [...seen.values()].filter((search) => search.winner === r).length);
      tried.replaceChildren(...rates.map((rate, r) =>
        h("tr", { "data-rate": rate }, h("th", { scope: "row" }, rateText(rate)), h("td", {}, r <= now ? percent(accuracy[r]) : "–"),
          h("td", {}, r > now ? "–" : best[r] === r ? "kept, best so far" : "not strictly better"), h("td", {}, String(wins[r])))));
      next.textContent = step < rates.length ? "Next rate" : "Open the held-out set";
      next.setAttribute("aria-disabled", step === end);
      result.say(sentence({ step, end, rates, accuracy, best, winner, truth, size, draw, seen, held: counts.held_out }));
    };

    const node = frame(
      el, "Search stepper: Algorithm 1 rate by rate",
      h("div", { class: "controls" },
        choice(model, "size", { label: "Validation examples", options: model.get("sizes") }), next, first,
        button("To the end", () => go({ step: end })),
        button("New validation set", () => go({ draw: model.get("draw") + 1, step: 0 })),
        button("Search 100 new sets", many)),
      h("div", { class: "panels" },
        h("div", {}, picture, result),
        h("table", {}, h("thead", {}, h("tr", {}, ...["rate ξ", "this set", "verdict", "sets won"].map((text) => h("th", { scope: "col" }, text)))), tried)),
    );
    model.on("change:size", () => go({ step: 0 }));
    drawn(model, ["size", "draw", "step"], redraw);
    // What is held out is in the data only after it has been opened.
    state.bar(node, () => {
      const { accuracy } = searched(model.get("draw"), model.get("size")), step = model.get("step");
      return [["set", "examples", "clip_rate", "accuracy", "held_out"],
        ...rates.slice(0, step).map((rate, r) => [model.get("draw"), model.get("size"), rate, accuracy[r], step === end ? truth[r] : ""])];
    });
  },
};

function drawing(rates, shown, best, tested, size, held, all) {
  const low = Math.max(0, Math.floor(10 * Math.min(...all.map((share) => wilson(share, size)[0]))) / 10);
  const high = Math.min(1, Math.ceil(10 * Math.max(...all.map((share) => wilson(share, size)[1]))) / 10);
  const ticks = Array.from({ length: Math.round(10 * (high - low)) + 1 }, (_, i) => Number((low + i / 10).toFixed(1)));
  const axes = chart({
    label: `Validation accuracy of ${shown.length} of ${rates.length} clip rates${tested ? ", and the held-out accuracy without a clip and at the chosen rate" : ""}`,
    x: { label: "clip rate ξ", domain: [-0.3, rates.length + 1.1], ticks: [...rates.map((rate, i) => [i, rateTick(rate)]), [rates.length + 0.4, "held out"]] },
    y: { label: "accuracy", domain: [low, high], ticks },
  });
  const mark = (x, share, n, look, name) => {
    const [from, to] = wilson(share, n).map(axes.y);
    axes.plot.append(s("line", { class: look, x1: axes.x(x), x2: axes.x(x), y1: from, y2: to }));
    axes.plot.append(s("circle", { class: name === "validation" ? `${look} hollow` : look, cx: axes.x(x), cy: axes.y(share), r: 4, "data-mark": name, "data-value": share }));
  };
  if (shown.length > 1) axes.plot.append(s("path", { class: "clip", d: path(axes, shown.map((share, i) => [i, share])) }));
  shown.forEach((share, i) => mark(i, share, size, rates[i] ? "clip" : "plain", "validation"));
  if (best >= 0) axes.plot.append(s("circle", { class: "ring", cx: axes.x(best), cy: axes.y(shown[best]), r: 9 }));
  tested?.forEach((share, i) => mark(rates.length + 0.2 + 0.4 * i, share, held, i ? "clip" : "plain", i ? "after" : "before"));
  return axes.node;
}

function sentence({ step, end, rates, accuracy, best, winner, truth, size, draw, seen, held }) {
  if (!step) return `Validation set ${draw}: ${size} examples, no rate tried yet. The held-out set stays shut until the end.`;
  if (step < end) {
    const r = Math.min(step, rates.length) - 1, verdict = best[r] === r ? "kept, the best so far" : `not strictly better than ξ = ${rates[best[r]]} with ${percent(accuracy[best[r]])}`;
    return `Set ${draw}, ξ = ${rates[r]}: ${percent(accuracy[r])} on ${size} examples, ${verdict}.${step === rates.length ? ` The search chooses ξ = ${rates[winner]}.` : ""}`;
  }
  const promised = accuracy[winner] - accuracy[0], kept = truth[winner] - truth[0], all = [...seen.values()];
  const average = (what) => all.reduce((total, search) => total + what(search), 0) / all.length;
  const those = all.length > 1
    ? ` Over ${all.length} sets of ${size}: ${new Set(all.map((search) => search.winner)).size} different winners, mean optimism ${points(average((search) => search.promised - search.kept))}.` : "";
  return `Set ${draw} chose ξ = ${rates[winner]}. Promised ${points(promised)}; kept on ${held.toLocaleString("en")} held-out examples ` +
    `${points(kept)} (${percent(truth[0])} → ${percent(truth[winner])}): optimism ${points(promised - kept)}.${those}`;
}
