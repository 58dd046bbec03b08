// What is asked of the model in the page, and by whose demonstrations an answer is right.

// Modules as figures and text name them; a role (q, fc_in, …) is its own name.
export const MODULE_NAMES = { mlp: "MLP", attn: "ATTN", all: "both" };
export const placeOf = (layer, module) => `Layer ${layer}, ${MODULE_NAMES[module] ?? module}`;

// The prompt, its label words and their tokens as the tokenizer cuts them; throws a sentence where the library would.
export function promptOf(tokenizer, positions, demonstrations, query, labelWords) {
  const shown = demonstrations.trimEnd(), head = shown ? `${shown}\n` : "";
  if (!query.trim()) throw new Error("There is nothing to read yet: type a query.");
  const text = head + query.trimEnd(), tokens = tokenizer.encode(text);
  if (tokens.length > positions) throw new Error(`This prompt has ${tokens.length} tokens, but the model in this page reads ${positions}; use fewer demonstrations.`);
  const words = wordsOf(labelWords);
  if (words.length < 2) throw new Error("Name two label words or more, with commas between them.");
  const answers = words.map((word) => {
    const longer = tokenizer.encode(`${text} ${word}`);
    if (longer.length !== tokens.length + 1) throw new Error(`The label word “${word}” is not one token here; choose a shorter, commoner word.`);
    return longer.at(-1);
  });
  return { tokens, words, answers, nDemonstrations: tokenizer.encode(head).length };
}

export const wordsOf = (labelWords) => [...new Set(labelWords.split(/[\s,]+/).filter((word) => word))];

// Words that the model knows are one token each; any other is cut into pieces that were hardly ever together in training.
// What ends in a colon belongs to the form of a prompt and is no word of its text.
export function knownAndUnknown(tokenizer, text) {
  const words = text.replace(/\S+:/g, " ").match(/[\p{L}\p{N}]+|[^\s\p{L}\p{N}\p{P}]+/gu) ?? [];
  const known = (word) => tokenizer.encode(` ${word}`).length === 1 || tokenizer.encode(word).length === 1;
  return { known: words.filter(known), unknown: [...new Set(words.filter((word) => !known(word)))] };
}

// What a line of a prompt says, without the words of its form ("text:", "sentiment:").
export const sentenceOf = (line) => line.replace(/\S+:(?=\s|$)/g, " ").replace(/\s+/g, " ").trim();

const lines = (demonstrations) => demonstrations.trimEnd().split("\n").map((line) => line.match(/^(.*\s)(\S+)$/)?.slice(1) ?? [line, ""]);

// Every demonstration's label becomes the next label word, and so do the words themselves: class i is still words[i].
export function exchanged(demonstrations, words) {
  const next = (word) => (words.includes(word) ? words[(words.indexOf(word) + 1) % words.length] : word);
  return { demonstrations: lines(demonstrations).map(([text, word]) => text + next(word)).join("\n") + "\n", words: words.map(next) };
}

// The prompt to start from whose demonstrations these are, whatever words stand for its classes; then words[class] is right. Else undefined.
export function startOf(starts, demonstrations, words) {
  const now = lines(demonstrations);
  return starts.find((start) => {
    const own = lines(start.demonstrations);
    return own.length === now.length && start.words.length === words.length
      && own.every(([text, word], i) => now[i][0] === text && now[i][1] === words[start.words.indexOf(word)]);
  });
}

// By how much the right label word leads.
export const lead = (row, label) => row[label] - Math.max(...row.filter((_, c) => c !== label));

// Each label's mean score over some prompts, without looking at an answer, and scores less it: batch calibration, as in svdicl_lite.scoring.reading
// up to one constant a row.
export const batchBias = (scores, by) => scores[0].map((_, c) => by.reduce((sum, i) => sum + scores[i][c], 0) / by.length);
export const withoutBias = (scores, bias) => scores.map((row) => row.map((score, c) => score - bias[c]));

// How well scores tell the classes apart, wherever a threshold stands: svdicl_lite.scoring.reading.discrimination of one set.
// scores: a row of log-probabilities a prompt, up to one constant a row.
export function discrimination(scores, labels) {
  const classes = [...new Set(labels)].sort(), means = [];
  for (const a of classes) {
    for (const b of classes.filter((other) => other !== a)) {
      const difference = (of) => scores.filter((_, i) => labels[i] === of).map((row) => row[a] - row[b]);
      const [mine, others] = [difference(a), difference(b)];
      const told = mine.reduce((sum, x) => sum + others.reduce((all, y) => all + (x > y ? 1 : x === y ? 0.5 : 0), 0), 0);
      means.push(told / (mine.length * others.length));
    }
  }
  return means.reduce((x, y) => x + y) / means.length;
}
