// graphql-transport-ws: with the client of its reference implementation, and message by message over a raw socket.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { createClient } from 'graphql-ws';
import { WebSocket } from 'ws';

import { metricIs, Socket, socketUrl, TICKS, within } from './servers.mjs';

const VIEWER = '{ viewer { account } }';

function client(options) {
  return createClient({ url: socketUrl, webSocketImpl: WebSocket, retryAttempts: 0, ...options });
}

/** All results of an operation, or its errors as a rejection. */
async function results(of, payload) {
  const all = [];
  for await (const result of of.iterate(payload)) all.push(result);
  return all;
}

/** How a socket ends after some messages; the last of them ends it. */
async function endAfter(...messages) {
  const socket = await Socket.open();
  for (const message of messages) socket.send(message);
  return socket.end();
}

const INIT = { type: 'connection_init' };
const subscribe = (id, query = VIEWER) => ({ id, type: 'subscribe', payload: { query } });

test('the reference client gets the answers of queries', async () => {
  const ours = client();
  try {
    const account = { data: { viewer: { account: 'demo' } } };
    assert.deepEqual(await results(ours, { query: VIEWER }), [account]);
    const query = 'query a($code: HsCode!) { commodity(code: $code) { code } }';
    const found = await results(ours, { query, variables: { code: '18.01' } });
    assert.deepEqual(found, [{ data: { commodity: { code: '1801' } } }]);
    // A field that fails is an answer with errors in it.
    const [partial] = await results(ours, { query: '{ payments(first: 0) { totalCount } }' });
    assert.equal(partial.errors[0].extensions.code, 'INVALID_PAGE');
  } finally {
    await ours.dispose();
  }
});

test('the reference client gets validation and syntax errors as errors, and goes on', async () => {
  const ours = client();
  try {
    for (const [query, code] of [
      ['{ colour }', 'GRAPHQL_VALIDATION_FAILED'],
      ['subscription { colour }', 'GRAPHQL_VALIDATION_FAILED'],
      ['{', 'GRAPHQL_PARSE_FAILED'],
    ]) {
      const errors = await results(ours, { query }).then(() => [], errors => errors);
      assert.equal(errors[0]?.extensions.code, code, query);
    }
    assert.equal((await results(ours, { query: VIEWER })).length, 1);
  } finally {
    await ours.dispose();
  }
});

test('the reference client follows several subscriptions on one socket, and leaves each', async () => {
  const ours = client({ lazy: false });
  try {
    const follow = async quote => {
      const ticks = [];
      const query = `subscription { rateUpdated(quotes: ["${quote}"]) { quote } }`;
      for await (const tick of ours.iterate({ query })) {
        ticks.push(tick.data.rateUpdated.quote);
        if (ticks.length === 2) break;
      }
      return ticks;
    };
    const all = await Promise.all(['IDR', 'USD', 'JPY'].map(follow));
    assert.deepEqual(all, [['IDR', 'IDR'], ['USD', 'USD'], ['JPY', 'JPY']]);
    await metricIs('dermaga_subscriptions_running{transport="websocket"}', 0);
  } finally {
    await ours.dispose();
  }
  await metricIs('dermaga_websockets_open', 0);
});

test('the reference client pings and is answered', async () => {
  const pongs = [];
  let answered;
  const twice = new Promise(resolve => (answered = resolve));
  const ours = client({
    lazy: false,
    keepAlive: 100,
    on: {
      pong: (received, payload) => {
        if (received && pongs.push(payload) === 2) answered();
      },
    },
  });
  try {
    await within(twice, 'two pongs');
  } finally {
    await ours.dispose();
  }
});

test('the reference client sends its token with connection_init', async () => {
  // In local mode anybody may come in; that the token is read is what the sign-in tests show.
  const ours = client({ connectionParams: { Authorization: 'Bearer x' } });
  try {
    assert.equal((await results(ours, { query: VIEWER })).length, 1);
  } finally {
    await ours.dispose();
  }
});

test('other sub-protocols are closed with 4406', async () => {
  for (const protocols of [[], ['graphql-ws']]) {
    const socket = new Socket({ protocols });
    // The npm client gives up by itself when it asked for a protocol and got none.
    const { code } = await socket.end();
    assert.equal(code, protocols.length === 0 ? 4406 : 1006);
  }
  const socket = await Socket.open({ protocols: ['graphql-ws', 'graphql-transport-ws'] });
  assert.equal(socket.raw.protocol, 'graphql-transport-ws');
  await socket.leave();
});

test('silence instead of connection_init is closed with 4408', async () => {
  const socket = await Socket.open();
  assert.deepEqual(await socket.end(), { code: 4408, reason: 'Connection initialisation timeout' });
  // A ping is no connection_init.
  assert.equal((await endAfter({ type: 'ping' })).code, 4408);
});

test('a second connection_init is closed with 4429', async () => {
  assert.deepEqual(await endAfter(INIT, INIT), { code: 4429, reason: 'Too many initialisation requests' });
});

test('an operation before the acknowledgement is closed with 4401', async () => {
  assert.deepEqual(await endAfter(subscribe('1')), { code: 4401, reason: 'Unauthorized' });
});

test('what is no message is closed with 4400', async () => {
  for (const message of [
    'nonsense',
    '',
    '[]',
    'null',
    '{}',
    Buffer.from('{"type":"ping"}'),
    { type: 'start', id: '1', payload: { query: VIEWER } },
    { type: 'connection_ack' },
    { type: 'next', id: '1', payload: {} },
    { type: 'subscribe', id: '1' },
    { type: 'subscribe', payload: { query: VIEWER } },
    { type: 'subscribe', id: '', payload: { query: VIEWER } },
    { type: 'subscribe', id: 1, payload: { query: VIEWER } },
    { type: 'subscribe', id: '1', payload: {} },
    { type: 'subscribe', id: '1', payload: { query: 1 } },
    { type: 'subscribe', id: '1', payload: { query: VIEWER, variables: [] } },
    { type: 'subscribe', id: '1', payload: { query: VIEWER, operationName: 1 } },
    { type: 'ping', payload: 'x' },
    { type: 'complete' },
  ]) {
    const { code, reason } = await endAfter(INIT, message);
    assert.equal(code, 4400, JSON.stringify(message));
    assert.match(reason, /^(Invalid message received|Unexpected message of type (next|connection_ack) received)/);
    assert.doesNotMatch(reason, /line|column|expected value/, 'nothing of the parser');
  }
});

test('an id in use is closed with 4409, whatever the id', async () => {
  for (const id of ['1', 'é'.repeat(300), 'a'.repeat(122) + 'é', '"\\']) {
    const socket = await Socket.acknowledged();
    socket.subscribe(id, TICKS);
    socket.subscribe(id, TICKS);
    const { code, reason } = await socket.end();
    assert.equal(code, 4409);
    assert.ok(Buffer.byteLength(reason) <= 123 && !reason.includes('\u{fffd}'), reason);
    assert.ok(`Subscriber for ${id} already exists`.startsWith(reason), reason);
  }
});

test('ids can be used again, and belong to one socket', async () => {
  const [first, second] = await Promise.all([Socket.acknowledged(), Socket.acknowledged()]);
  for (const socket of [first, second, first]) {
    socket.subscribe('1', VIEWER);
    const next = await socket.next();
    assert.deepEqual(next, { id: '1', type: 'next', payload: { data: { viewer: { account: 'demo' } } } });
    assert.deepEqual(await socket.next(), { id: '1', type: 'complete' });
  }
  // After an error the id is free as well.
  for (const query of ['{ colour }', '{ colour }', TICKS]) {
    first.subscribe('2', query);
    const message = await first.next();
    assert.equal(message.type, query === TICKS ? 'next' : 'error');
  }
  await Promise.all([first.leave(), second.leave()]);
});

test('complete stops a subscription, and nothing of it comes after the answer to a ping', async () => {
  const socket = await Socket.acknowledged();
  socket.subscribe('1', TICKS);
  assert.equal((await socket.next()).type, 'next');
  await metricIs('dermaga_subscriptions_running{transport="websocket"}', 1);
  socket.send({ id: '1', type: 'complete' });
  socket.send({ id: 'unknown', type: 'complete' });
  socket.send({ type: 'ping' });
  let message;
  do message = await socket.next();
  while (message.type !== 'pong');
  await metricIs('dermaga_subscriptions_running{transport="websocket"}', 0);
  // The id is free, and what comes under it is new.
  socket.subscribe('1', VIEWER);
  assert.deepEqual((await socket.next()).payload, { data: { viewer: { account: 'demo' } } });
  await socket.leave();
});

test('pings of both kinds are answered with what they carry', async () => {
  const socket = await Socket.open();
  socket.send({ type: 'ping' });
  assert.deepEqual(await socket.next(), { type: 'pong' });
  socket.send({ type: 'ping', payload: { at: [1, 'é'] } });
  assert.deepEqual(await socket.next(), { type: 'pong', payload: { at: [1, 'é'] } });
  socket.send({ type: 'pong', payload: {} });
  const pong = new Promise(resolve => socket.raw.once('pong', data => resolve(data.toString())));
  socket.raw.ping('are you there');
  assert.equal(await within(pong, 'a pong'), 'are you there');
  await socket.leave();
});

test('operations beyond the limit are refused, and the socket lives on', async () => {
  const socket = await Socket.acknowledged();
  for (let id = 0; id < 101; id += 1) socket.subscribe(`${id}`, TICKS);
  let message;
  do message = await socket.next();
  while (message.type === 'next');
  assert.equal(message.id, '100');
  assert.equal(message.type, 'error');
  assert.equal(message.payload[0].extensions.code, 'RATE_LIMITED');
  socket.send({ id: '0', type: 'complete' });
  socket.subscribe('100', VIEWER);
  do message = await socket.next();
  while (message.id !== '100');
  assert.equal(message.type, 'next');
  await socket.leave();
  await metricIs('dermaga_subscriptions_running{transport="websocket"}', 0);
});

test('a socket that vanishes stops what it followed', async () => {
  const socket = await Socket.acknowledged();
  for (const id of ['1', '2', '3']) socket.subscribe(id, TICKS);
  await socket.next();
  await metricIs('dermaga_subscriptions_running{transport="websocket"}', 3);
  socket.raw.terminate();
  await metricIs('dermaga_subscriptions_running{transport="websocket"}', 0);
  await metricIs('dermaga_websockets_open', 0);
});
