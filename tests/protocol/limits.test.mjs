// What one socket may cost: long messages, deep nesting, and a peer that does not read.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { metric, metricIs, residentMegabytes, Socket, within } from './servers.mjs';

const MEGABYTE = 1_048_576;

/** A query whose text and messages have a certain length. */
function messageOf(bytes) {
  const message = JSON.stringify({ id: '1', type: 'subscribe', payload: { query: '{ viewer { account } }' } });
  return message + ' '.repeat(bytes - message.length);
}

/** Sends frames of one message until the server has enough of it. */
async function sendFrames(socket, frame, count) {
  for (let index = 0; index < count && socket.raw.readyState === socket.raw.OPEN; index += 1) {
    await new Promise(resolve => socket.raw.send(frame, { fin: false }, resolve));
  }
}

test('a message of a megabyte is read, in one frame or in several', async () => {
  const socket = await Socket.acknowledged();
  const whole = messageOf(MEGABYTE);
  socket.send(whole);
  assert.equal((await socket.next()).type, 'next');
  assert.equal((await socket.next()).type, 'complete');
  for (let at = 0; at < MEGABYTE; at += MEGABYTE / 8) {
    const end = at + MEGABYTE / 8;
    socket.raw.send(whole.slice(at, end), { fin: end === MEGABYTE });
  }
  assert.equal((await socket.next()).type, 'next');
  await socket.leave();
});

test('a longer message is closed with 1009', async () => {
  const socket = await Socket.acknowledged();
  socket.send(messageOf(MEGABYTE + 1));
  assert.equal((await socket.end()).code, 1009);
});

test('64 MB of frames of one message are closed with 1009, and cost nothing', async () => {
  const before = residentMegabytes();
  const socket = await Socket.acknowledged();
  await sendFrames(socket, 'x'.repeat(65_536), 1_024);
  const { code } = await socket.end();
  // What the client still had under way may have cut the connection before it saw the code.
  assert.ok([1009, 1006].includes(code), `${code}`);
  await metricIs('dermaga_websockets_open', 0);
  assert.ok(await metric('dermaga_websocket_closes_total{code="1009"}') >= 2);
  assert.ok(residentMegabytes() - before < 20);
});

test('a message is put together from a hundred thousand frames', async () => {
  const before = residentMegabytes();
  const socket = await Socket.acknowledged();
  for (let index = 0; index < 100_000; index += 1) socket.raw.send('x', { fin: false });
  socket.raw.send('x', { fin: true });
  const { code } = await socket.end();
  assert.equal(code, 4400);
  assert.ok(residentMegabytes() - before < 20, `${residentMegabytes() - before} MB`);
});

test('nested brackets are refused or answered, and the server lives', async () => {
  for (const depth of [1, 10, 40, 41, 100, 127, 128, 129, 500, 1_000, 1_500, 2_000, 3_000, 5_000, 10_000, 20_000]) {
    for (const [open, close] of [['[', ']'], ['{"a":', '}']]) {
      const deep = `${open.repeat(depth)}1${close.repeat(depth)}`;
      const literal = deep.replaceAll('"', '');
      const query = '{ viewer { account } }';
      for (const payload of [
        `{"query": "${query}", "variables": {"a": ${deep}}}`,
        `{"query": "${query}", "extensions": {"a": ${deep}}}`,
        `{"query": "${query}", "operationName": ${deep}}`,
        JSON.stringify({ query: `{ commodity(code: ${literal}) { code } }` }),
        JSON.stringify({ query: `query ($a: HsCode = ${literal}) { commodity(code: $a) { code } }` }),
        JSON.stringify({ query: `{ viewer @include(if: ${literal}) { account } }` }),
      ]) {
        const socket = await Socket.acknowledged();
        socket.send(`{"id": "1", "type": "subscribe", "payload": ${payload}}`);
        const seen = await within(Promise.race([socket.next(), socket.end()]), 'an answer');
        assert.ok(['next', 'error'].includes(seen.type) || seen.code === 4400, `${depth}: ${JSON.stringify(seen)}`);
        socket.raw.terminate();
      }
    }
  }
  assert.equal(await metric('dermaga_build_info{version="0.1.0"}'), 1);
});

test('nested brackets in messages that hold no operation are passed over', async () => {
  for (const depth of [100, 1_500, 20_000]) {
    const deep = `{"a": ${'['.repeat(depth)}${']'.repeat(depth)}}`;
    const socket = await Socket.open();
    socket.send(`{"type": "connection_init", "payload": ${deep}}`);
    assert.deepEqual(await socket.next(), { type: 'connection_ack' });
    socket.send('{"type": "ping"}');
    assert.deepEqual(await socket.next(), { type: 'pong' });
    socket.send(`{"type": ${deep}}`);
    assert.equal((await socket.end()).code, 4400);
  }
});

test('a peer that does not read is closed with 1013, and costs a bounded queue', async () => {
  const list = 'currencies { code name numeric }';
  const query = `{ ${Array.from({ length: 30 }, (_, index) => `list${index}: ${list}`).join(' ')} }`;
  const socket = await Socket.acknowledged();
  socket.subscribe('size', query);
  const { payload } = await socket.next();
  assert.ok(payload.data, JSON.stringify(payload.errors));
  const bytes = JSON.stringify(payload).length;
  assert.equal((await socket.next()).type, 'complete');

  const closes = await metric('dermaga_websocket_closes_total{code="1013"}');
  const before = residentMegabytes();
  socket.raw.pause();
  // More than the buffers of the network and of the server hold together.
  const count = 90;
  assert.ok(count * bytes > 16 * MEGABYTE, `${bytes} bytes`);
  for (let id = 0; id < count; id += 1) socket.subscribe(`${id}`, query);
  await metricIs('dermaga_websocket_closes_total{code="1013"}', closes + 1);
  await metricIs('dermaga_websockets_open', 0);
  const growth = residentMegabytes() - before;
  assert.ok(growth < 20, `${growth} MB`);

  socket.raw.resume();
  let message;
  do message = await Promise.race([socket.next(), socket.end()]);
  while (message.type);
  assert.deepEqual(message, { code: 1013, reason: 'Answers are not read fast enough' });
});
