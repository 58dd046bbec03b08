import { linear } from "./gpt2.js";

// The best subspaces of a matrix. W_r = W V_r V_rᵀ, where V are the right singular vectors: the eigenvectors of WᵀW. A wide W is
// taken by its rows instead, W_r = U_r U_rᵀ W, so that the Gram matrix is always the small one, k × k.

// Gram matrix of the `m` rows (or, `wide`, of the rows among themselves) of W (m, n), row by row.
export function gram(W, m, n) {
  const wide = m < n, k = wide ? m : n;
  const G = new Float64Array(k * k);
  if (wide) {
    for (let i = 0; i < k; i++)
      for (let j = 0; j <= i; j++) {
        let sum = 0;
        for (let c = 0; c < n; c++) sum += W[i * n + c] * W[j * n + c];
        G[i * k + j] = G[j * k + i] = sum;
      }
  } else {
    for (let r = 0; r < m; r++)
      for (let i = 0; i < k; i++) {
        const a = W[r * n + i];
        for (let j = 0; j < k; j++) G[i * k + j] += a * W[r * n + j];
      }
  }
  return G;
}

// One sweep of one-sided Jacobi over the rows of G (k, k), in place: each pair of rows is turned until it is orthogonal (Demmel & Veselić
// 1992). At the end row i is λ_i v_i. Returns the largest cosine that was met.
export function sweep(G, k) {
  let largest = 0;
  for (let i = 0; i < k - 1; i++) {
    for (let j = i + 1; j < k; j++) {
      const p = i * k, q = j * k;
      let alpha = 0, beta = 0, gamma = 0;
      for (let c = 0; c < k; c++) {
        const a = G[p + c], b = G[q + c];
        alpha += a * a; beta += b * b; gamma += a * b;
      }
      const cosine = Math.abs(gamma) / Math.sqrt(alpha * beta) || 0;
      if (cosine > largest) largest = cosine;
      if (cosine < 1e-12) continue;
      const zeta = (beta - alpha) / (2 * gamma);
      const t = (zeta < 0 ? -1 : 1) / (Math.abs(zeta) + Math.sqrt(1 + zeta * zeta));
      const c = 1 / Math.sqrt(1 + t * t), s = c * t;
      for (let l = 0; l < k; l++) {
        const a = G[p + l], b = G[q + l];
        G[p + l] = c * a - s * b;
        G[q + l] = s * a + c * b;
      }
    }
  }
  return largest;
}

// The factors of one matrix (out m, in n): `across` (k, in) and `back` (out, k), whose first r rows and columns make W_r. After each sweep it
// waits for `pause()`, so that the page lives on.
export async function factors({ weight, bias, m, n }, pause) {
  const wide = m < n, k = Math.min(m, n), G = gram(weight, m, n);
  for (let i = 0; i < 40 && sweep(G, k) > 1e-9; i++) await pause();
  const lengths = Array.from({ length: k }, (_, i) => Math.hypot(...G.subarray(i * k, i * k + k))); // eigenvalues λ = σ²
  const order = lengths.map((_, i) => i).sort((a, b) => lengths[b] - lengths[a]);
  const V = new Float64Array(k * k); // row i: the i-th singular vector
  order.forEach((from, to) => {
    for (let c = 0; c < k; c++) V[to * k + c] = G[from * k + c] / (lengths[from] || 1);
  });
  await pause();
  const W = { weight, bias: null, m, n };
  const across = wide ? transpose(linear(transpose(weight, m, n), n, { weight: V, m: k, n: m }), n, k) : V; // (k, in): UᵀW, or Vᵀ
  const back = wide ? transpose(V, k, k) : transpose(linear(V, k, W), k, m); // (out, k): U, or W V
  return { m, n, k, bias, across, back, values: order.map((i) => Math.sqrt(lengths[i])) };
}

function transpose(A, m, n) {
  const B = new Float64Array(A.length);
  for (let i = 0; i < m; i++) for (let j = 0; j < n; j++) B[j * m + i] = A[i * n + j];
  return B;
}

// The two thin linear maps that stand in for the matrix at a rank; the bias stays whole.
export function thinned({ m, n, k, bias, across, back }, rank) {
  const second = new Float64Array(m * rank);
  for (let o = 0; o < m; o++) for (let i = 0; i < rank; i++) second[o * rank + i] = back[o * k + i];
  return { first: { weight: across.subarray(0, rank * n), bias: null, m: rank, n }, second: { weight: second, bias, m, n: rank } };
}
