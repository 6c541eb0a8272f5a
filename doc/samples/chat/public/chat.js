// SPDX-License-Identifier: Apache-2.0
// The page: a WebSocket that speaks json.webpubsub.azure.v1, and nothing else.
'use strict';

const $ = (id) => document.getElementById(id);
const TYPING_EVERY = 2000;
const TYPING_SHOWN = 3000;

let socket;
let ackId = 0;
let typedAt = -Infinity;
let typingTimer;

/** One line of the log. What others wrote goes in as text, never as HTML. */
function line(className, ...parts) {
  const item = document.createElement('li');
  item.className = className;
  item.append(...parts);
  $('log').append(item);
}

function named(name) {
  const span = document.createElement('span');
  span.className = 'name';
  span.textContent = name;
  return span;
}

const note = (text) => line('note', text);

function showTyping(name) {
  clearTimeout(typingTimer);
  $('typing').textContent = name ? `${name} is typing…` : '';
  if (name) typingTimer = setTimeout(showTyping, TYPING_SHOWN);
}

/** Said by the application; clients cannot send in its name. */
function fromServer(data) {
  if (data.kind === 'joined') note(`${data.name} joined`);
  else if (data.kind === 'left') note(`${data.name} left`);
  else if (data.kind === 'said') {
    showTyping();
    line('said', named(data.name), `: ${data.text}`);
  }
}

function received(message) {
  if (message.type === 'system' && message.event === 'connected') {
    note(`You are in as ${message.userId}`);
    $('join').hidden = true;
    $('say').hidden = false;
    $('text').focus();
  } else if (message.type === 'system' && message.event === 'disconnected') {
    note(message.message);
  } else if (message.type === 'ack' && !message.success) {
    note(`Not sent: ${message.error.message}`);
  } else if (message.type === 'message' && message.from === 'server') {
    fromServer(message.data);
  } else if (message.type === 'message' && message.from === 'group') {
    showTyping(message.fromUserId);
  }
}

async function join(name) {
  const { url } = await (await fetch('/negotiate')).json();
  let entered = false;
  socket = new WebSocket(`${url}&name=${encodeURIComponent(name)}`, 'json.webpubsub.azure.v1');
  socket.onopen = () => { entered = true; };
  socket.onmessage = (event) => received(JSON.parse(event.data));
  socket.onclose = () => {
    note(entered ? 'The connection has ended' : 'You were not let in');
    showTyping();
    $('say').hidden = true;
    $('join').hidden = false;
  };
}

$('join').addEventListener('submit', (event) => {
  event.preventDefault();
  join($('name').value.trim()).catch((error) => note(`Cannot join: ${error.message}`));
});

// An event goes to the application, which decides what becomes of it.
$('say').addEventListener('submit', (event) => {
  event.preventDefault();
  const data = $('text').value;
  $('text').value = '';
  typedAt = -Infinity;
  ackId += 1;
  socket.send(JSON.stringify({ type: 'event', event: 'message', ackId, dataType: 'text', data }));
});

// This goes to the other clients directly; the application does not see it.
$('text').addEventListener('input', () => {
  if ($('text').value === '' || performance.now() - typedAt < TYPING_EVERY) return;
  typedAt = performance.now();
  socket.send(JSON.stringify({
    type: 'sendToGroup', group: 'lobby', noEcho: true, dataType: 'json', data: { kind: 'typing' },
  }));
});
