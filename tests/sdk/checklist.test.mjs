// SPDX-License-Identifier: Apache-2.0
// doc/compatibility.md tells the truth: a row for every line of the checklists,
// and a test named after each line that it claims.
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { check } from './lib/cases.mjs';
import { SOURCE } from './lib/server.mjs';

const read = (path) => readFileSync(join(SOURCE, path), 'utf8');
const files = readdirSync(import.meta.dirname).filter((n) => n.endsWith('.test.mjs'));
const text = new Map(files.map((n) => [n.replace('.test.mjs', ''), readFileSync(join(import.meta.dirname, n), 'utf8')]));
/** Is there a case, or a table of cases, whose name has the line in it? */
const named = (file, line) => new RegExp(`(check\\(|\\[)\\s*[\`'"].*\\b${line}\\b`).test(text.get(file) ?? '');

for (const [letter, path] of [['C', 'doc/protocol/azure-client.md'], ['S', 'doc/protocol/azure-server.md']]) {
  check(`doc/compatibility.md has a row for every ${letter}-line, and the tests it names exist`, () => {
    const lines = [...read(path).matchAll(new RegExp(`^- ${letter}-(\\d+) `, 'gm'))].map((m) => m[1]);
    assert.ok(lines.length > 100);
    assert.equal(lines.length, new Set(lines).size);
    const rows = [...read('doc/compatibility.md').matchAll(new RegExp(`^\\| ${letter}-(\\d+) \\| .* \\| (.*?) \\| (.*)\\|$`, 'gm'))];
    const wrong = rows.map((m) => m[1]).filter((n, i, all) => all.indexOf(n) !== i).map((n) => `${letter}-${n} has two rows`);
    const shown = new Map(rows.map((m) => [m[1], m]));
    for (const n of lines) {
      const line = `${letter}-${n}`;
      const [, , by, remarks] = shown.get(n) ?? [];
      if (by === undefined) wrong.push(`${line} has no row`);
      else if (by === 'later' || by === '') { if (remarks.trim() === '') wrong.push(`${line}: no test and no reason`); }
      else for (const [, name] of by.matchAll(/`([^`]+)`/g)) if (!named(name, line)) wrong.push(`${line}: no such test in ${name}`);
    }
    for (const n of shown.keys()) if (!lines.includes(n)) wrong.push(`${letter}-${n} is no line`);
    assert.deepEqual(wrong, []);
  });
}
