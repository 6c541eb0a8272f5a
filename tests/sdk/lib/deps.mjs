// SPDX-License-Identifier: Apache-2.0
// The packages under test. They may be installed elsewhere than beside this
// file (a read-only source folder), which only require() can be told.
import { createRequire } from 'node:module';

const require = createRequire(process.env.SDK_MODULES
  ? `${process.env.SDK_MODULES}/anchor.cjs` : import.meta.url);

export const WebSocket = require('ws');
export const {
  WebPubSubClient, WebPubSubJsonProtocol, WebPubSubJsonReliableProtocol,
} = require('@azure/web-pubsub-client');
export const { AzureKeyCredential, WebPubSubServiceClient, odata } = require('@azure/web-pubsub');
export const protobuf = require('protobufjs');
export const msgpack = require('@msgpack/msgpack');

// The application's end of a tunnel, which the package keeps to itself.
const proxies = '@azure/web-pubsub-socket.io/dist/serverProxies';
export const { TunnelConnection } = require(`${proxies}/tunnels/TunnelConnection.js`);
export const { InprocessServerProxy } = require(`${proxies}/InprocessServerProxy.js`);
