// SPDX-License-Identifier: Apache-2.0
// The suite of peer.test.mjs over TLS.
process.env.SDK_TLS = '1';
await import('./peer.test.mjs');
