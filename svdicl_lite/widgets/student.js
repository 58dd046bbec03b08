// Student's t, central or not, and the power of a paired test: what svdicl_lite/power.py computes with SciPy.

// Φ, to 2e-7 (Abramowitz & Stegun 7.1.26).
export function normalBelow(z) {
  const x = Math.abs(z) / Math.SQRT2, t = 1 / (1 + 0.3275911 * x);
  const poly = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
  const tail = (poly * Math.exp(-x * x)) / 2;
  return z < 0 ? tail : 1 - tail;
}

// ln Γ(x) by Lanczos' series.
function logGamma(x) {
  const c = [76.18009172947146, -86.50532032941677, 24.01409824083091, -1.231739572450155, 1.208650973866179e-3, -5.395239384953e-6];
  const sum = c.reduce((total, value, i) => total + value / (x + 1 + i), 1.000000000190015);
  return Math.log((2.5066282746310005 * sum) / x) - (x + 5.5 - (x + 0.5) * Math.log(x + 5.5));
}

// P((Z + shift) / s ≤ c), s² a chi-squared by its degrees of freedom: Simpson's rule over the cube root of s, whose places stand
// close where s is small: there a far c with few degrees has all its change.
export function studentBelow(c, degrees, shift = 0) {
  const reach = 9 / Math.sqrt(2 * degrees), low = Math.cbrt(Math.max(0, 1 - reach)), steps = 240, step = (Math.cbrt(1 + reach) - low) / steps;
  const constant = Math.LN2 + (degrees / 2) * Math.log(degrees / 2) - logGamma(degrees / 2);
  let total = 0;
  for (let i = 0; i <= steps; i++) {
    const root = low + i * step, s = root ** 3;
    if (s === 0) continue; // 3 root² is 0
    const density = Math.exp(constant + (degrees - 1) * Math.log(s) - (degrees * s * s) / 2) * 3 * root * root;
    total += (i % steps === 0 ? 1 : i % 2 ? 4 : 2) * density * normalBelow(c * s - shift);
  }
  return (total * step) / 3;
}

// The value that a t exceeds with probability `tail`.
export function studentAbove(tail, degrees) {
  let [low, high] = [0, 1];
  while (1 - studentBelow(high, degrees) > tail) high *= 2;
  for (let i = 0; i < 50; i++) {
    const middle = (low + high) / 2;
    if (1 - studentBelow(middle, degrees) > tail) low = middle;
    else high = middle;
  }
  return high;
}

// svdicl_lite.power: one set speaks for itself alone, and every example counts as a set.
export function plan({ n, sets, gain, changed, spread, alpha }) {
  const groups = sets === 1 ? n : sets, between = sets === 1 ? 0 : spread;
  const error = (g) => Math.sqrt((between ** 2 + ((changed - g ** 2) * groups) / n) / groups);
  const critical = studentAbove(alpha / 2, groups - 1);
  const found = (g) => {
    if (error(g) === 0) return g ? 1 : 0;
    return 1 - studentBelow(critical, groups - 1, Math.min(30, g / error(g)));
  };
  let smallest = null;
  if (found(changed) >= 0.5) {
    let low = 0;
    smallest = changed;
    for (let i = 0; i < 20; i++) {
      const middle = (low + smallest) / 2;
      if (found(middle) < 0.5) low = middle;
      else smallest = middle;
    }
  }
  return { error: error(gain), critical, power: found(gain), smallest };
}
