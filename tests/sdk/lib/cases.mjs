// SPDX-License-Identifier: Apache-2.0
// test() with a deadline, so that nothing hangs a run.
import { describe, test } from 'node:test';
import { limit } from './time.mjs';

/** test(name, [options,] fn): 30 s unless options.timeout says otherwise. */
export function check(name, options, fn = options) {
  const o = fn === options ? {} : { ...options };
  return test(name, { ...o, timeout: limit(o.timeout ?? 30000) }, fn);
}

/** Tests that do not disturb each other and mostly wait: a few at a time. */
export const suite = (name, fn) => describe(name, { concurrency: 4 }, fn);
