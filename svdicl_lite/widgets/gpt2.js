// GPT-2 in plain JavaScript, and its clips. Hidden states are rows, (T, width), one behind the other in a Float64Array; a matrix is (out, in).
// Double precision throughout, as JavaScript has no other: to convert numbers on the way would take a twentieth more time.

// y (T, m) = x (T, n) Wᵀ + b. Four rows by two columns at a time: eight sums stay in registers, three times as fast as one. Past an edge the
// last row or column is computed again.
export function linear(x, T, { weight, bias, m, n }) {
  const y = new Float64Array(T * m);
  for (let o = 0; o < m; o += 2) {
    const p0 = Math.min(o + 1, m - 1), w0 = o * n, w1 = p0 * n, b0 = bias ? bias[o] : 0, b1 = bias ? bias[p0] : 0;
    for (let t = 0; t < T; t += 4) {
      const t1 = Math.min(t + 1, T - 1), t2 = Math.min(t + 2, T - 1), t3 = Math.min(t + 3, T - 1);
      const x0 = t * n, x1 = t1 * n, x2 = t2 * n, x3 = t3 * n;
      let s00 = b0, s01 = b1, s10 = b0, s11 = b1, s20 = b0, s21 = b1, s30 = b0, s31 = b1;
      for (let i = 0; i < n; i++) {
        const p = weight[w0 + i], q = weight[w1 + i], a = x[x0 + i], b = x[x1 + i], c = x[x2 + i], d = x[x3 + i];
        s00 += a * p; s01 += a * q; s10 += b * p; s11 += b * q; s20 += c * p; s21 += c * q; s30 += d * p; s31 += d * q;
      }
      y[t * m + o] = s00; y[t1 * m + o] = s10; y[t2 * m + o] = s20; y[t3 * m + o] = s30;
      y[t * m + p0] = s01; y[t1 * m + p0] = s11; y[t2 * m + p0] = s21; y[t3 * m + p0] = s31;
    }
  }
  return y;
}

export function layerNorm(x, T, width, { weight, bias }, epsilon) {
  const y = new Float64Array(x.length);
  for (let t = 0; t < T; t++) {
    let mean = 0, square = 0;
    for (let i = 0; i < width; i++) mean += x[t * width + i] / width;
    for (let i = 0; i < width; i++) square += (x[t * width + i] - mean) ** 2 / width;
    const scale = 1 / Math.sqrt(square + epsilon);
    for (let i = 0; i < width; i++) y[t * width + i] = (x[t * width + i] - mean) * scale * weight[i] + bias[i];
  }
  return y;
}

// x · ½ (1 + tanh z) with z = √(2/π) (x + 0.044715 x³), written as x / (1 + e^(−2z)): one exponential.
export function gelu(x) {
  for (let i = 0; i < x.length; i++) x[i] /= 1 + Math.exp(-1.5957691216057308 * x[i] * (1 + 0.044715 * x[i] * x[i]));
  return x;
}

// What the last `n` of T positions fetch. q (n, width); k and v (T, width). Four keys at a time, then four columns of the values, as above.
// (Of the weights behind the last key that is seen some are written, but none is read.)
export function attend(q, k, v, T, n, width, heads) {
  const y = new Float64Array(n * width), size = width / heads, scale = 1 / Math.sqrt(size), weights = new Float64Array(T + 3);
  for (let h = 0; h < heads; h++) {
    const first = h * size, last = first + size - 1;
    for (let t = 0; t < n; t++) {
      const seen = T - n + t + 1, row = t * width;
      for (let s = 0; s < seen; s += 4) {
        const k0 = s * width, k1 = Math.min(s + 1, T - 1) * width, k2 = Math.min(s + 2, T - 1) * width, k3 = Math.min(s + 3, T - 1) * width;
        let s0 = 0, s1 = 0, s2 = 0, s3 = 0;
        for (let i = first; i <= last; i++) {
          const a = q[row + i];
          s0 += a * k[k0 + i]; s1 += a * k[k1 + i]; s2 += a * k[k2 + i]; s3 += a * k[k3 + i];
        }
        weights[s] = s0 * scale; weights[s + 1] = s1 * scale; weights[s + 2] = s2 * scale; weights[s + 3] = s3 * scale;
      }
      let largest = -Infinity, total = 0;
      for (let s = 0; s < seen; s++) if (weights[s] > largest) largest = weights[s];
      for (let s = 0; s < seen; s++) total += weights[s] = Math.exp(weights[s] - largest);
      for (let i = first; i <= last; i += 4) {
        const i1 = Math.min(i + 1, last), i2 = Math.min(i + 2, last), i3 = Math.min(i + 3, last);
        let s0 = 0, s1 = 0, s2 = 0, s3 = 0;
        for (let s = 0, at = 0; s < seen; s++, at += width) {
          const share = weights[s];
          s0 += share * v[at + i]; s1 += share * v[at + i1]; s2 += share * v[at + i2]; s3 += share * v[at + i3];
        }
        y[row + i] = s0 / total; y[row + i1] = s1 / total; y[row + i2] = s2 / total; y[row + i3] = s3 / total;
      }
    }
  }
  return y;
}

export const ROLES = { attn: ["q", "k", "v", "o"], mlp: ["fc_in", "fc_out"] };

export class GPT2 {
  // `tensors`: name → numbers. Matrices are (out, in); names as the Python side packs them.
  constructor({ layers, width, heads, epsilon }, tensors) {
    Object.assign(this, { layers, width, heads, epsilon });
    const norm = (name) => ({ weight: tensors[`${name}.weight`], bias: tensors[`${name}.bias`] });
    const matrix = (name) => {
      const weight = tensors[`${name}.weight`], bias = tensors[`${name}.bias`];
      return { weight, bias, m: bias.length, n: weight.length / bias.length };
    };
    this.words = tensors.words; // (vocabulary, width)
    this.places = tensors.places; // (positions, width)
    this.positions = this.places.length / width;
    const head = tensors.head ?? tensors.words;
    this.head = { weight: head, bias: null, m: head.length / width, n: width };
    this.last = norm("norm");
    this.blocks = Array.from({ length: layers }, (_, l) => {
      const block = { norm1: norm(`${l}.norm1`), norm2: norm(`${l}.norm2`) };
      for (const role of [...ROLES.attn, ...ROLES.mlp]) block[role] = matrix(`${l}.${role}`);
      return block;
    });
  }

  // Everything up to the logits of the last position. What each block was given, and its MLP, is kept: a clip changes nothing below itself.
  read(tokens) {
    const T = tokens.length, { width } = this, x = new Float64Array(T * width);
    tokens.forEach((token, t) => {
      for (let i = 0; i < width; i++) x[t * width + i] = this.words[token * width + i] + this.places[t * width + i];
    });
    const kept = { T, given: [], between: [] };
    kept.logits = this.upwards(x, T, 0, null, null, kept);
    return kept;
  }

  // The logits if `module` (attn, mlp, or one role) of `layer` is clipped: `thin` holds two thin matrices for each clipped role.
  again(kept, layer, module, thin) {
    const inMLP = (ROLES[module] ?? [module]).every((role) => ROLES.mlp.includes(role));
    return this.upwards(kept.given[layer], kept.T, layer, thin, inMLP ? kept.between[layer] : null, null);
  }

  // In each block the share of attention, all heads alike, with which the last position reads the positions for which `of(t)` is true.
  // `given` are what the blocks were given, T rows each; `clips`: layer → its thin matrices.
  shares(given, T, of, clips = {}) {
    const { width, heads } = this, size = width / heads;
    return given.map((x, l) => {
      const block = this.blocks[l], normed = layerNorm(x, T, width, block.norm1, this.epsilon);
      const k = apply(normed, T, block, "k", clips[l]), q = apply(normed.subarray((T - 1) * width), 1, block, "q", clips[l]);
      let share = 0;
      for (let h = 0; h < heads; h++) {
        const scores = Array.from({ length: T }, (_, t) => {
          let score = 0;
          for (let i = h * size; i < (h + 1) * size; i++) score += q[i] * k[t * width + i];
          return score / Math.sqrt(size);
        });
        const largest = Math.max(...scores), powers = scores.map((score) => Math.exp(score - largest));
        share += powers.reduce((sum, power, t) => sum + (of(t) ? power : 0), 0) / powers.reduce((a, b) => a + b) / heads;
      }
      return share;
    });
  }

  // What each block is given if `module` of `layer` is clipped; below it nothing changes.
  givenIf(kept, layer, module, thin) {
    const record = { given: [], between: [] };
    this.upwards(kept.given[layer], kept.T, layer, thin, null, record);
    return [...kept.given.slice(0, layer), ...record.given];
  }

  upwards(x, T, from, thin, between, kept) {
    for (let l = from; l < this.layers; l++) {
      const n = l === this.layers - 1 ? 1 : T; // above the last block only the last position is read
      const clips = l === from ? thin : null;
      kept?.given.push(x);
      x = (l === from && between) || this.attention(x, T, n, this.blocks[l], clips);
      kept?.between.push(x);
      x = this.mlp(x, n, this.blocks[l], clips);
    }
    return linear(layerNorm(x, 1, this.width, this.last, this.epsilon), 1, this.head);
  }

  attention(x, T, n, block, clips) {
    const { width } = this, normed = layerNorm(x, T, width, block.norm1, this.epsilon);
    const k = apply(normed, T, block, "k", clips), v = apply(normed, T, block, "v", clips);
    const q = apply(normed.subarray((T - n) * width), n, block, "q", clips);
    return sum(apply(attend(q, k, v, T, n, width, this.heads), n, block, "o", clips), x.subarray((T - n) * width));
  }

  mlp(x, n, block, clips) {
    const wide = gelu(apply(layerNorm(x, n, this.width, block.norm2, this.epsilon), n, block, "fc_in", clips));
    return sum(apply(wide, n, block, "fc_out", clips), x);
  }
}

// A clipped matrix is never built: x W_rᵀ = (x V_r) (W V_r)ᵀ is two thin products.
export function apply(x, T, block, role, clips) {
  const thin = clips?.[role];
  return thin ? linear(linear(x, T, thin.first), T, thin.second) : linear(x, T, block[role]);
}

export function sum(x, y) {
  for (let i = 0; i < x.length; i++) x[i] += y[i];
  return x;
}
