// SPDX-License-Identifier: Apache-2.0
// The application: it lets clients in, passes on what they say, and tells who
// comes and goes.
import { WebPubSubServiceClient } from '@azure/web-pubsub';
import { WebPubSubEventHandler } from '@azure/web-pubsub-express';
import express from 'express';

const HUB = 'chat';
const NAME_MAX = 32;
const TEXT_MAX = 2000;

// What `./bootstrap run` prints behind "ready". Everybody knows this key; it is
// taken on loopback only.
const DEVELOPMENT = 'Endpoint=http://localhost:8080;AccessKey=ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ABCDEFGH;Version=1.0;';

const service = new WebPubSubServiceClient(
  process.env.WebPubSubConnectionString ?? DEVELOPMENT,
  HUB,
  // The SDK refuses http:// without it. Behind TLS leave it out.
  { allowInsecureConnection: true },
);

/** To every client of the hub; an object goes out as JSON. */
async function tell(what) {
  try {
    await service.sendToAll(what);
    return true;
  } catch (error) {
    console.error(`could not tell ${what.kind}: ${error.message}`);
    return false;
  }
}

const handler = new WebPubSubEventHandler(HUB, {
  // Asked before a client is in: who is it, and what may it do?
  handleConnect(req, res) {
    const name = req.queries.name?.[0]?.trim() ?? '';
    if (name === '' || [...name].length > NAME_MAX) {
      res.fail(400, `a name has 1 to ${NAME_MAX} characters`);
      return;
    }
    // A state comes back with every later event of this client. The name stands
    // there because Node reads the header with the user id as Latin-1.
    res.setState('name', name);
    res.success({
      userId: name,
      groups: ['lobby'],
      roles: ['webpubsub.sendToGroup.lobby'], // for "is typing" alone
    });
  },

  onConnected(req) {
    tell({ kind: 'joined', name: req.context.states.name });
  },

  // What a client sends to the application. It gets its ack, or the error, when
  // this has answered.
  async handleUserEvent(req, res) {
    if (req.context.eventName !== 'message' || req.dataType !== 'text'
      || req.data.trim() === '' || req.data.length > TEXT_MAX) {
      res.fail(400, `a message is text of 1 to ${TEXT_MAX} characters`);
      return;
    }
    const told = await tell({ kind: 'said', name: req.context.states.name, text: req.data });
    if (told) res.success();
    else res.fail(500, 'the message could not be passed on');
  },

  onDisconnected(req) {
    tell({ kind: 'left', name: req.context.states.name });
  },
});

const app = express();
app.use(handler.getMiddleware());
app.use(express.static(`${import.meta.dirname}/public`));

// Where a page learns where to connect. An application with users of its own
// signs in here first, and puts the user into the token.
app.get('/negotiate', async (req, res) => {
  const { url } = await service.getClientAccessToken({ expirationTimeInMinutes: 5 });
  res.set('Cache-Control', 'no-store').json({ url });
});

const server = app.listen(Number(process.env.PORT ?? 3000), '127.0.0.1', (error) => {
  if (error) throw error;
  const { port } = server.address();
  console.log(`chat:   http://localhost:${port}/`);
  console.log(`events: http://localhost:${port}${handler.path}`);
});
