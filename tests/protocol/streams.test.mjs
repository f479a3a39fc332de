// Streamed HTTP answers: server-sent events with the client of graphql-sse, and Apollo's multipart subscriptions.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { createClient } from 'graphql-sse';

import { metricIs, server, TICKS, within } from './servers.mjs';

const URL_ = `${server.origin}/graphql`;
const EVENTS = 'text/event-stream';
const PARTS = 'multipart/mixed;boundary="graphql";subscriptionSpec=1.0,application/json';
const VIEWER = '{ viewer { account } }';
const RUNNING = transport => `dermaga_subscriptions_running{transport="${transport}"}`;

function post(accept, query, options = {}) {
  const headers = { accept, 'content-type': 'application/json', ...options.headers };
  return fetch(URL_, { method: 'POST', body: JSON.stringify({ query }), ...options, headers });
}

/** The pieces of a streamed answer that end with a delimiter, as they come. */
async function* pieces(response, delimiter) {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of response.body) {
    const all = (rest + decoder.decode(chunk, { stream: true })).split(delimiter);
    rest = all.pop();
    yield* all;
  }
  if (rest !== '') yield rest;
}

test('the reference client gets the answers of queries and follows subscriptions', async () => {
  const client = createClient({ url: URL_, retryAttempts: 0 });
  const results = async (query, most) => {
    const all = [];
    for await (const result of client.iterate({ query })) {
      all.push(result);
      if (all.length === most) break;
    }
    return all;
  };
  try {
    assert.deepEqual(await within(results(VIEWER), 'an answer'), [{ data: { viewer: { account: 'demo' } } }]);
    const ticks = await within(results(TICKS, 3), 'three ticks');
    assert.deepEqual(ticks.map(({ data }) => data.rateUpdated.quote), ['IDR', 'USD', 'IDR']);
    const [invalid] = await within(results('{ colour }'), 'an answer');
    assert.equal(invalid.errors[0].extensions.code, 'GRAPHQL_VALIDATION_FAILED');
    assert.ok(!('data' in invalid));
  } finally {
    client.dispose();
  }
  await metricIs(RUNNING('event_stream'), 0);
});

test('events are what the standard says, with headers that nobody buffers', async () => {
  const response = await post(EVENTS, VIEWER);
  assert.equal(response.status, 200);
  const headers = Object.fromEntries(response.headers);
  assert.equal(headers['content-type'], 'text/event-stream; charset=utf-8');
  assert.equal(headers['cache-control'], 'no-store');
  assert.equal(headers['content-encoding'], undefined, 'compression waits for more');
  assert.equal(headers['x-accel-buffering'], 'no');
  assert.equal(headers['x-content-type-options'], 'nosniff');
  assert.match(headers.vary, /Accept/);
  assert.match(headers['x-request-id'], /^[0-9a-f-]{36}$/);
  const events = ':\n\nevent: next\ndata: {"data":{"viewer":{"account":"demo"}}}\n\nevent: complete\ndata: \n\n';
  assert.equal(await response.text(), events);
});

test('a link can be followed as events, and changes nothing', async () => {
  const link = new URL(URL_);
  link.searchParams.set('query', TICKS);
  const response = await fetch(link, { headers: { accept: EVENTS } });
  assert.equal(response.status, 200);
  for await (const event of pieces(response, '\n\n')) {
    if (event === ':') continue;
    assert.match(event, /^event: next\ndata: \{"data":\{"rateUpdated":\{"quote":"IDR"/);
    break;
  }
  await metricIs(RUNNING('event_stream'), 0);
  link.searchParams.set('query', 'mutation { x }');
  const mutation = await fetch(link, { headers: { accept: EVENTS } });
  assert.equal(mutation.status, 405);
  assert.equal(mutation.headers.get('allow'), 'POST');
});

test('what HTTP has a status for is no stream', async () => {
  for (const [status, options] of [
    [400, { body: '[]' }],
    [400, { body: '{}' }],
    [415, { headers: { 'content-type': 'text/plain' } }],
    [413, { body: ' '.repeat(1_048_577) }],
  ]) {
    for (const accept of [EVENTS, PARTS]) {
      const response = await post(accept, VIEWER, options);
      assert.equal(response.status, status);
      assert.match(response.headers.get('content-type'), /^application\/json/);
      assert.equal((await response.json()).errors[0].extensions.code, 'BAD_REQUEST');
    }
  }
});

test('quality values decide between streams and JSON', async () => {
  for (const [accept, type] of [
    ['text/event-stream;q=0.5, application/json', 'application/json'],
    ['application/json;q=0.5, text/event-stream', 'text/event-stream'],
    ['*/*', 'application/json'],
    ['text/event-stream;q=0, */*', 'application/json'],
    ['text/*', null],
    ['multipart/mixed;deferSpec=20220824,application/json', 'application/json'],
    ['multipart/mixed', null],
    [PARTS, 'application/json'],
  ]) {
    const response = await post(accept, VIEWER);
    assert.equal(response.status, type ? 200 : 406, accept);
    assert.ok(response.headers.get('content-type').startsWith(type ?? 'application/json'), accept);
    await response.body.cancel();
  }
});

test('a subscription as plain JSON says where else it is served', async () => {
  const { errors } = await (await post('application/json', TICKS)).json();
  assert.match(errors[0].message, /text\/event-stream.*multipart\/mixed.*WebSocket/);
});

test('a subscription comes as parts, each readable when it has come', async () => {
  for (const accept of [PARTS, 'multipart/mixed; subscriptionSpec="1.0", application/json']) {
    const response = await post(accept, TICKS);
    assert.equal(response.status, 200);
    assert.equal(response.headers.get('content-type'), 'multipart/mixed;boundary="graphql";subscriptionSpec=1.0');
    const codes = [];
    for await (const part of pieces(response, '\r\n--graphql')) {
      if (part === '') continue;
      const [head, body] = part.split('\r\n\r\n');
      assert.equal(head, '\r\ncontent-type: application/json');
      codes.push(JSON.parse(body).payload.data.rateUpdated.quote);
      if (codes.length === 2) break;
    }
    assert.deepEqual(codes, ['IDR', 'USD']);
    await metricIs(RUNNING('multipart'), 0);
  }
});

test('a silent subscription shows that it lives, as a comment or an empty part', async () => {
  // Nobody publishes tax rates here.
  const silent = 'subscription { rateUpdated(quotes: ["IDR"], purpose: TAX_DUTY) { rate } }';
  const [events, parts] = await Promise.all([post(EVENTS, silent), post(PARTS, silent)]);
  const signs = async (response, delimiter) => {
    const all = [];
    for await (const piece of pieces(response, delimiter)) if (all.push(piece) === 2) return all;
    return all;
  };
  const [comments, empty] = await within(Promise.all([signs(events, '\n\n'), signs(parts, '--graphql')]), 'life');
  assert.deepEqual(comments, [':', ':']);
  assert.deepEqual(empty, ['\r\n', '\r\ncontent-type: application/json\r\n\r\n{}\r\n']);
});

test('a client that leaves stops its subscription at once', async () => {
  for (const [transport, accept] of [['event_stream', EVENTS], ['multipart', PARTS]]) {
    const control = new AbortController();
    const response = await post(accept, TICKS, { signal: control.signal });
    await metricIs(RUNNING(transport), 1);
    control.abort();
    await response.text().catch(() => {});
    await metricIs(RUNNING(transport), 0);
  }
});
