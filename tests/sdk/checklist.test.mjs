// SPDX-License-Identifier: Apache-2.0
// doc/compatibility.md tells the truth: a row for every line of the checklist,
// and a test named after each line that it claims.
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { check } from './lib/cases.mjs';
import { SOURCE } from './lib/server.mjs';

const read = (path) => readFileSync(join(SOURCE, path), 'utf8');

check('doc/compatibility.md has a row for every line, and the tests it names exist', () => {
  const lines = [...read('doc/protocol/azure-client.md').matchAll(/^- C-(\d+) /gm)].map((m) => m[1]);
  assert.equal(lines.length, new Set(lines).size);
  const rows = new Map([...read('doc/compatibility.md').matchAll(/^\| C-(\d+) \| .* \| (.*?) \| .*\|$/gm)].map((m) => [m[1], m[2]]));
  const files = readdirSync(import.meta.dirname).filter((n) => n.endsWith('.test.mjs'));
  const text = new Map(files.map((n) => [n.replace('.test.mjs', ''), readFileSync(join(import.meta.dirname, n), 'utf8')]));
  const wrong = [];
  for (const line of lines) {
    const shown = rows.get(line);
    if (shown === undefined) wrong.push(`C-${line} has no row`);
    if (!shown || shown === 'later') continue;
    for (const [, name] of shown.matchAll(/`([^`]+)`/g)) {
      if (!new RegExp(`check\\(\\s*[\`'"].*C-${line}\\b`).test(text.get(name) ?? '')) wrong.push(`C-${line}: no such test in ${name}`);
    }
  }
  assert.deepEqual(wrong, []);
});
