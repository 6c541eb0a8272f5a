// SPDX-License-Identifier: Apache-2.0
// The suite of json.test.mjs over TLS.
process.env.SDK_TLS = '1';
await import('./json.test.mjs');
