// SPDX-License-Identifier: Apache-2.0
// The suite of rest-official.test.mjs over TLS.
process.env.SDK_TLS = '1';
await import('./rest-official.test.mjs');
