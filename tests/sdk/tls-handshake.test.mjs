// SPDX-License-Identifier: Apache-2.0
// The suite of handshake.test.mjs over TLS.
process.env.SDK_TLS = '1';
await import('./handshake.test.mjs');
