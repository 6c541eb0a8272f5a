// SPDX-License-Identifier: Apache-2.0
// The suites of server.test.mjs and server-events.test.mjs over TLS.
process.env.SDK_TLS = '1';
await import('./server.test.mjs');
await import('./server-events.test.mjs');
