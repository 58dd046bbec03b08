import { apply, attend, gelu, layerNorm, linear, ROLES, sum } from "./gpt2.js";

// Many prompts that begin alike, read together: the rows of the beginning, then those of each rest, (R, width) in all. What the beginning is
// turned into is computed once, so fifty queries behind eight demonstrations cost as much as four or five prompts.
// `pause()` is awaited after each block: the page lives on. It may throw to break the reading off.

// prompts: lists of tokens, each longer than what they share. Returns what `againMany` goes on from, and `logits`, a list for each prompt.
export async function readMany(model, prompts, pause) {
  const { width } = model;
  let P = 0;
  while (prompts.every((tokens) => tokens.length > P + 1 && tokens[P] === prompts[0][P])) P++;
  const rests = prompts.map((tokens) => tokens.slice(P)), starts = [];
  let R = P;
  for (const rest of rests) { starts.push(R); R += rest.length; }
  const x = new Float64Array(R * width);
  const put = (token, place, row) => {
    for (let i = 0; i < width; i++) x[row * width + i] = model.words[token * width + i] + model.places[place * width + i];
  };
  for (let t = 0; t < P; t++) put(prompts[0][t], t, t);
  rests.forEach((rest, j) => rest.forEach((token, t) => put(token, P + t, starts[j] + t)));
  const kept = { P, R, starts, sizes: rests.map((rest) => rest.length), given: [], between: [] };
  kept.logits = await upwards(model, kept, x, 0, null, null, true, pause);
  return kept;
}

// The logits if `module` of `layer` is clipped: `thin` holds two thin matrices for each clipped role.
export function againMany(model, kept, layer, module, thin, pause) {
  const inMLP = (ROLES[module] ?? [module]).every((role) => ROLES.mlp.includes(role));
  return upwards(model, kept, kept.given[layer], layer, thin, inMLP ? kept.between[layer] : null, false, pause);
}

async function upwards(model, kept, x, from, thin, between, keep, pause) {
  const { layers, width, epsilon, blocks } = model, n = kept.starts.length;
  for (let l = from; l < layers; l++) {
    const last = l === layers - 1, clips = l === from ? thin : null; // above the last block only last positions are read
    if (keep) kept.given.push(x);
    x = (l === from && between) || attention(model, kept, x, blocks[l], clips, last);
    if (keep) kept.between.push(x);
    const rows = x.length / width;
    const wide = gelu(apply(layerNorm(x, rows, width, blocks[l].norm2, epsilon), rows, blocks[l], "fc_in", clips));
    x = sum(apply(wide, rows, blocks[l], "fc_out", clips), x);
    await pause();
  }
  const logits = linear(layerNorm(x, n, width, model.last, epsilon), n, model.head);
  return kept.starts.map((_, j) => logits.subarray(j * model.head.m, (j + 1) * model.head.m));
}

// Each rest sees the beginning and itself: their keys and values are put behind each other.
function attention({ width, heads, epsilon }, { P, R, starts, sizes }, x, block, clips, last) {
  const normed = layerNorm(x, R, width, block.norm1, epsilon), rows = (A, from, n) => A.subarray(from * width, (from + n) * width);
  const ends = starts.map((start, j) => start + sizes[j] - 1), asking = last ? ends : null;
  const n = last ? ends.length : R, of = (A) => (asking ? picked(A, asking, width) : A);
  const k = apply(normed, R, block, "k", clips), v = apply(normed, R, block, "v", clips), q = apply(of(normed), n, block, "q", clips);
  const y = new Float64Array(n * width);
  if (!last) y.set(attend(rows(q, 0, P), rows(k, 0, P), rows(v, 0, P), P, P, width, heads));
  starts.forEach((start, j) => {
    const T = P + sizes[j], behind = (A) => {
      const B = new Float64Array(T * width);
      B.set(rows(A, 0, P));
      B.set(rows(A, start, sizes[j]), P * width);
      return B;
    };
    const [from, m] = last ? [j, 1] : [start, sizes[j]];
    y.set(attend(rows(q, from, m), behind(k), behind(v), T, m, width, heads), from * width);
  });
  return sum(apply(y, n, block, "o", clips), of(x));
}

function picked(A, rows, width) {
  const B = new Float64Array(rows.length * width);
  rows.forEach((row, i) => B.set(A.subarray(row * width, (row + 1) * width), i * width));
  return B;
}
