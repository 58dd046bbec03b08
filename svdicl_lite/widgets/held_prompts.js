import { fixed, h, rateText } from "./base.js";
import { LOOKS, columns, fold } from "./ask_picture.js";
import { againMany, readMany } from "./gpt2_many.js";
import { batchBias, discrimination, lead, placeOf, withoutBias } from "./prompts.js";

const N = 50; // prompts that are always asked; as many others wait until the reader has chosen a clip by these
const STALE = new Error("another question has come");

// Of each prompt whether the label word that its score puts first is right; of all, how well the scores tell the classes apart.
// rows: a score for each label word; labels: the right one; named: how many would say a label word, undefined where nobody counted.
function judged(rows, labels, named) {
  const hits = rows.map((row, i) => row.indexOf(Math.max(...row)) === labels[i]);
  return { rows, hits, right: hits.filter(Boolean).length, discrimination: discrimination(rows, labels), named };
}

// The fifty by what the model's scores say: a mark for each on a line, which the threshold parts. Of two label words the line goes from one to the
// other, and marks whose first word is right stand above the rest; of more it goes from wrong to right. A wrong answer is a cross. Clipped, the marks
// move; calibrated, the threshold does, and no weight is touched.
function strips(words, labels, [before, after]) {
  const two = words.length === 2, bias = batchBias(before.rows, [...labels.keys()]), calibrated = judged(withoutBias(before.rows, bias), labels);
  const gap = ([a, b]) => b - a;
  const lines = [[...LOOKS[0], before], [...LOOKS[1], after], ["plain", "calibrated", calibrated]].map(([look, name, one]) =>
    ({ look, name, one, places: two ? (one === after ? after : before).rows.map(gap) : one.rows.map((row, i) => lead(row, labels[i])), threshold: two && one === calibrated ? bias[1] - bias[0] : 0 }));
  const all = [0, ...lines.flatMap(({ places }) => places)], low = Math.min(...all), high = Math.max(...all);
  const x = (place) => `left: ${(2 + (96 * (place - low)) / (high - low || 1)).toFixed(1)}%`;
  const aloud = ({ hits }) => words.map((word, c) => `${word} is right: ${hits.filter((hit, i) => hit && labels[i] === c).length} of ${labels.filter((label) => label === c).length} right`).join("; ");
  const strip = ({ look, one, places, threshold }) => h("td", { class: `strip-of ${look}` }, h("span", { class: "heard" }, aloud(one)), h("b", { class: "threshold", style: x(threshold) }),
    ...places.map((place, i) => h("i", { class: `${one.hits[i] ? "right" : "wrong"} of-${two ? labels[i] : "any"}`, style: `${x(place)}; --lane: ${i % 3}` })));
  const ends = two ? [`← says ${words[0]}`, `says ${words[1]} →`] : ["← another word leads", "the right one leads →"];
  const marks = [...(two ? words.map((word, c) => [`of-${c}`, `${word} is right`]) : [["of-any", "the answer is right"]]), ["wrong", "the answer is wrong"], ["threshold", "threshold"]];
  return h("table", {}, columns("look", "line", "of"),
    h("thead", {}, h("tr", {}, h("td"), h("th", { scope: "col", class: "ends" }, ...ends.map((end) => h("span", {}, end))), h("th", { scope: "col" }, `right of ${labels.length}`))),
    h("tbody", {}, ...lines.map((line) => h("tr", {}, h("th", { scope: "row", class: line.look }, line.name), strip(line), h("td", { "data-of": "right" }, String(line.one.right))))),
    h("tfoot", {}, h("tr", {}, h("td"), h("td", { colspan: 2, class: "marks" }, ...marks.flatMap(([look, text]) => [h("i", { class: look }), ` ${text} `])))));
}

// A number without a clip and clipped.
const pair = (both, name, text) => both.flatMap((one, i) => [i ? " → " : "", h("b", { "data-of": name }, text(one))]);

// What the numbers say of the gain, in plain words: what no threshold can change is reading, the rest is lean.
function told([before, after]) {
  const shares = [before, after].map((one) => fixed(one.discrimination, 2)), gained = after.right - before.right;
  const gain = shares[0] === shares[1] ? "clipped, the scores cross the threshold (lean); calibrated, the threshold moves instead, to their mean"
    : shares[0] < shares[1] ? "clipped, it tells them apart better, too (reading)" : "though clipped it tells them apart worse";
  return ["How well the scores tell the labels apart (discrimination): ", ...pair([before, after], "discrimination", (one) => fixed(one.discrimination, 2)),
    gained > 0 ? `; ${gain}.` : "."];
}

// One prompt is an anecdote: the same clip on fifty queries that were held out of training, behind the same demonstrations. And a challenge: to
// find the smallest clip with most of them right, which is then tried on fifty others, since the best of many tries owes something to luck.
// `go({ layer, module, clip_rate })` moves the widget there. `begin` brings the model, when it is here: { gpt2, tokenizer, thinFor }, where
// `thinFor` of a place promises the thin matrices of that clip.
export function heldPrompts({ pause, go }) {
  const picture = h("div"), status = h("p"), score = h("p", { class: "score" }), named = h("p", { class: "named" }), tried = new Map();
  const button = (text, onclick) => h("button", { type: "button", disabled: true, onclick }, text);
  const best = button("Go to my best", () => go(top()));
  const others = button("Try it on 50 others", () => check());
  const node = h("div", { class: "held" }, h("p", {}, h("strong", {}, "Fifty sentences, each where its score puts it")), picture, status);
  const challenge = fold("Challenge: the smallest clip that sets most of the fifty right",
    h("p", {}, "Get as many of the fifty right as you can, and of such clips find the one with the smallest ξ."),
    score, h("div", { class: "controls" }, best, others));
  let turn = 0, asked = null, read = {}, waiting, model;

  const better = (b, a) => b.right > a.right || (b.right === a.right && b.clip_rate < a.clip_rate);
  const top = () => [...tried.values()].reduce((a, b) => (better(b, a) ? b : a));

  // The queries from..from + N of what is asked, read without a clip (once) and with it.
  const answers = async (question, from, live) => {
    const { gpt2, tokenizer } = model;
    const picked = question.start.queries.slice(from, from + N), labels = picked.map(([, label]) => label);
    const prompts = picked.map(([text]) => tokenizer.encode(`${question.demonstrations.trimEnd()}\n${text}`));
    const kept = (read[from] ??= await readMany(gpt2, prompts, live));
    const { layer, module, clip_rate, thin } = question;
    const logits = clip_rate ? await againMany(gpt2, kept, layer, module, thin, live) : kept.logits;
    const naming = (all) => question.answers.includes(all.indexOf(all.reduce((a, b) => Math.max(a, b))));
    return { labels, both: [kept.logits, logits].map((every) => judged(every.map((all) => question.answers.map((token) => all[token])), labels, every.filter(naming).length)) };
  };

  const draw = (words, labels, both) => {
    node.classList.remove("stale");
    picture.replaceChildren(strips(words, labels, both));
    status.replaceChildren(...told(both));
    if (both[1].named !== undefined) named.replaceChildren("Of the fifty, so many would name a label: ", ...pair(both, "named", (one) => String(one.named)), ".");
  };
  // What the chapter found, before the model is here; or nothing.
  const first = (found, words) => {
    if (found) draw(words, found.labels, found.scores.map((rows, i) => judged(rows, found.labels, found.named[i])));
    else node.classList.add("stale");
  };

  const show = ({ labels, both: [before, after] }, { layer, module, clip_rate, words }) => {
    draw(words, labels, [before, after]);
    best.disabled = others.disabled = false;
    const name = `${layer} ${module} ${clip_rate}`;
    if (tried.has(name)) return; // what is said of the fifty others stays
    tried.set(name, { layer, module, clip_rate, right: after.right });
    const { right, ...clip } = top();
    const place = clip.clip_rate ? `${placeOf(clip.layer, clip.module)}, ξ = ${rateText(clip.clip_rate)}` : "no clip at all";
    score.textContent = `Your best of ${tried.size} ${tried.size === 1 ? "try" : "tries"}: ${right} of ${N} (${place}); no clip: ${before.right}.`;
  };

  const run = async () => {
    const mine = ++turn, question = asked;
    const live = async () => {
      await pause();
      if (mine !== turn) throw STALE;
    };
    try {
      const outcome = await answers(question, 0, live);
      if (mine === turn) show(outcome, question);
    } catch (error) {
      if (error !== STALE) throw error;
    }
  };

  const check = async () => {
    const chosen = top(), question = { ...asked, ...chosen, thin: await model.thinFor(chosen) };
    others.disabled = true;
    const { both: [before, after] } = await answers(question, N, pause);
    score.textContent = `On 50 other prompts your best gets ${after.right} right, no clip ${before.right}; on the fifty it was chosen by, ${chosen.right}.`;
    others.disabled = false;
  };

  // question: { start, demonstrations, words, answers, layer, module, clip_rate, thin }; `start` is undefined where nobody knows what is right.
  const ask = (question) => {
    const same = asked && question.start && asked.demonstrations === question.demonstrations && String(asked.words) === String(question.words);
    if (!same) {
      turn++;
      read = {};
      tried.clear();
      score.textContent = "";
      best.disabled = others.disabled = true;
    }
    asked = question;
    clearTimeout(waiting);
    if (!question.start) {
      picture.replaceChildren();
      named.replaceChildren();
      node.classList.remove("stale");
      status.textContent = "The demonstrations are your own now: no fifty other prompts have answers that are right by them.";
      return;
    }
    node.classList.add("stale"); // faint until the fifty have been read
    waiting = setTimeout(run, 300); // when the slider rests
  };
  return { node, named, challenge, ask, first, begin: (all) => { model = all; } };
}
