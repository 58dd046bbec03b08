import { fixed, h, rateText } from "./base.js";
import { againMany, readMany } from "./gpt2_many.js";
import { discrimination, placeOf } from "./prompts.js";

const N = 50; // prompts that are always asked; as many others wait until the reader has chosen a clip by these
const STALE = new Error("another question has come");

// One prompt is an anecdote: the same clip on fifty queries that were held out of training, behind the same demonstrations. And a challenge: to
// find the smallest clip with most of them right, which is then tried on fifty others, since the best of many tries owes something to luck.
// `go({ layer, module, clip_rate })` moves the widget there; `thinFor` of the same promises the thin matrices of that clip.
export function heldPrompts({ gpt2, tokenizer, pause, go, thinFor }) {
  const body = h("tbody"), status = h("p"), score = h("p", { class: "score" }), tried = new Map();
  const button = (text, onclick) => h("button", { type: "button", disabled: true, onclick }, text);
  const best = button("Go to my best", () => go(top()));
  const others = button("Try it on 50 others", () => check());
  const node = h("div", { class: "held" },
    h("p", {}, h("strong", {}, "Fifty prompts instead of one"), ": the same demonstrations, other queries."),
    h("table", {}, h("thead", {}, h("tr", {}, ...["", "no clip", "clipped"].map((text) => h("th", { scope: "col" }, text)))), body),
    status);
  const challenge = h("div", { class: "challenge" },
    h("p", {}, h("strong", {}, "Challenge"), ": get as many of the fifty right as you can, and of such clips find the one with the smallest ξ."),
    score, h("div", { class: "controls" }, best, others));
  let turn = 0, asked = null, read = {}, waiting;

  const better = (b, a) => b.right > a.right || (b.right === a.right && b.clip_rate < a.clip_rate);
  const top = () => [...tried.values()].reduce((a, b) => (better(b, a) ? b : a));
  const told = (logits, { answers, labels }) => {
    const rows = logits.map((all) => answers.map((token) => all[token]));
    const right = rows.filter((row, i) => row.indexOf(Math.max(...row)) === labels[i]).length;
    const named = logits.filter((all) => answers.includes(all.indexOf(all.reduce((a, b) => Math.max(a, b))))).length;
    return { right, named, discrimination: discrimination(rows, labels) };
  };

  // The queries from..from + N of what is asked, read without a clip (once) and with it.
  const judged = async (question, from, live) => {
    const picked = question.start.queries.slice(from, from + N), labels = picked.map(([, label]) => label);
    const prompts = picked.map(([text]) => tokenizer.encode(`${question.demonstrations.trimEnd()}\n${text}`));
    const kept = (read[from] ??= await readMany(gpt2, prompts, live));
    const { layer, module, clip_rate, thin } = question;
    const logits = clip_rate ? await againMany(gpt2, kept, layer, module, thin, live) : kept.logits;
    return [kept.logits, logits].map((all) => told(all, { answers: question.answers, labels }));
  };

  const show = ([before, after], { layer, module, clip_rate }) => {
    const row = (name, text) => h("tr", {}, h("th", { scope: "row" }, name), ...[before, after].map((one) => h("td", { "data-of": name }, text(one))));
    body.replaceChildren(row(`right of ${N}`, ({ right }) => String(right)), row("discrimination", (one) => fixed(one.discrimination, 2)),
      row("would name a label", ({ named }) => String(named)));
    tried.set(`${layer} ${module} ${clip_rate}`, { layer, module, clip_rate, right: after.right });
    const { right, ...clip } = top();
    const place = clip.clip_rate ? `${placeOf(clip.layer, clip.module)}, ξ = ${rateText(clip.clip_rate)}` : "no clip at all";
    score.textContent = `Your best of ${tried.size} ${tried.size === 1 ? "try" : "tries"}: ${right} of ${N} (${place}); no clip: ${before.right}.`;
    best.disabled = others.disabled = false;
    status.textContent = "Discrimination: the share of pairs that the scores put in the right order, wherever the threshold stands.";
  };

  const run = async () => {
    const mine = ++turn, question = asked;
    const live = async () => {
      await pause();
      if (mine !== turn) throw STALE;
    };
    try {
      status.textContent = "Reading the fifty …";
      const outcome = await judged(question, 0, live);
      if (mine === turn) show(outcome, question);
    } catch (error) {
      if (error !== STALE) throw error;
    }
  };

  const check = async () => {
    const chosen = top(), question = { ...asked, ...chosen, thin: await thinFor(chosen) };
    others.disabled = true;
    const [before, after] = await judged(question, N, pause);
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
      body.replaceChildren();
      status.textContent = "The demonstrations are your own now: no fifty other prompts have answers that are right by them.";
      return;
    }
    waiting = setTimeout(run, 300); // when the slider rests
  };
  return { node, challenge, ask };
}
