// SPDX-License-Identifier: Apache-2.0
// Deadlines. Nothing in the tests sleeps to synchronise: everything waits for
// an event, and these say how long at most. Sanitizer builds are slower by
// SDK_SLOW.
export const slow = Number(process.env.SDK_SLOW ?? 1);

export const limit = (ms) => Math.round(ms * slow);

/** `promise`, or an error that says what did not come in time. */
export function within(ms, what, promise) {
  let timer;
  const late = new Promise((resolve, reject) => {
    timer = setTimeout(() => reject(new Error(
      `not within ${limit(ms)} ms: ${typeof what === 'function' ? what() : what}`)),
    limit(ms));
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** Time itself is the subject: retain times, token lifetimes, load phases. */
export const pass = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Ask again until `probe` gives something true; for state of others that
 * sends no event (counts, /proc). */
export async function until(ms, what, probe) {
  const end = Date.now() + limit(ms);
  for (;;) {
    const value = await probe();
    if (value) return value;
    if (Date.now() > end) throw new Error(`not within ${limit(ms)} ms: ${what}`);
    await pass(20);
  }
}

/** Numbers that are the same in every run with the same seed (mulberry32). */
export function random(seed) {
  let a = seed >>> 0;
  const next = () => {
    a = (a + 0x6d2b79f5) >>> 0;
    let t = a;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  next.below = (n) => Math.floor(next() * n);
  return next;
}
