// SPDX-License-Identifier: Apache-2.0
// Deadlines. Nothing in the tests sleeps to synchronise: everything waits for
// an event, and these say how long at most: what is usual, and then as much as
// a machine may need that others keep busy. Sanitizer builds are slower by
// SDK_SLOW.
export const slow = Number(process.env.SDK_SLOW ?? 1);
const PATIENCE = 4;

export const limit = (ms) => Math.round(ms * slow * PATIENCE);

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

/** Who has to be heard of every `ms` cannot when the machine stands still. An
 * attempt that fails is made again if this process had not run for so long. */
export async function awake(ms, attempt) {
  for (;;) {
    let last = performance.now();
    let longest = 0;
    const look = () => {
      const time = performance.now();
      longest = Math.max(longest, time - last);
      last = time;
    };
    const clock = setInterval(look, 10);
    try {
      return await attempt();
    } catch (error) {
      look();
      if (longest < ms) throw error;
    } finally { clearInterval(clock); }
  }
}

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
