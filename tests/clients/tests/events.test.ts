// Subscriptions over plain HTTP: server-sent events with graphql-sse alone and through urql, and Apollo Client's
// multipart protocol. The server runs with --demo-ticker 1.

import assert from 'node:assert/strict';
import { after, test } from 'node:test';

import { ApolloClient, CombinedGraphQLErrors, HttpLink, InMemoryCache, gql } from '@apollo/client';
import { Client, fetchExchange, subscriptionExchange } from '@urql/core';
import { print } from 'graphql';
import { createClient, type Client as EventClient } from 'graphql-sse';

import { RateUpdatedDocument, type RateUpdatedSubscription } from '../generated/graphql';
import { assertTicks } from '../lib/rates';
import { endpoint, recorder } from '../lib/server';
import { within } from '../lib/until';

const open: EventClient[] = [];

function events(fetchFn?: typeof fetch): EventClient {
  const client = createClient({ url: endpoint, retryAttempts: 0, fetchFn });
  open.push(client);
  return client;
}

after(() => {
  for (const client of open) client.dispose();
});

const query = print(RateUpdatedDocument);

test('graphql-sse follows the rates, and an end is an end', async () => {
  const { fetch, exchanges } = recorder();
  const ticks: RateUpdatedSubscription[] = [];
  const stream = events(fetch).iterate<RateUpdatedSubscription>({ query, variables: { quotes: ['IDR', 'USD'] } });
  await within(
    (async () => {
      for await (const { data, errors } of stream) {
        assert.equal(errors, undefined);
        if (data) ticks.push(data);
        if (ticks.length === 6) break;
      }
    })(),
    'the sixth rate',
  );
  assertTicks(ticks, ['IDR', 'USD']);
  assert.deepEqual(exchanges.map(({ contentType }) => contentType.split(';')[0]), ['text/event-stream']);
});

test('graphql-sse is told what is wrong with a subscription by code', async () => {
  for (const [text, variables, code] of [
    ['subscription { harbour }', {}, 'GRAPHQL_VALIDATION_FAILED'],
    [query, { quotes: ['XXQ'] }, 'UNKNOWN_CURRENCY'],
  ] as const) {
    const errors = await within(
      (async () => {
        for await (const result of events().iterate({ query: text, variables })) return result.errors;
        return undefined;
      })(),
      'the error',
    );
    assert.deepEqual(errors?.map(error => error.extensions?.code), [code], text);
  }
});

function follow(client: Client): Promise<RateUpdatedSubscription[]> {
  return within(
    new Promise((resolve, reject) => {
      const seen: RateUpdatedSubscription[] = [];
      const { unsubscribe } = client.subscription(RateUpdatedDocument, { quotes: ['IDR'] }).subscribe(result => {
        if (result.error) reject(result.error);
        if (result.data) seen.push(result.data);
        if (seen.length === 3) {
          unsubscribe();
          resolve(seen);
        }
      });
    }),
    'the third rate',
  );
}

test('urql follows the rates through graphql-sse', async () => {
  const eventClient = events();
  const client = new Client({
    url: endpoint,
    exchanges: [
      fetchExchange,
      subscriptionExchange({
        forwardSubscription: ({ query, variables, operationName }) => ({
          subscribe: sink => ({
            unsubscribe: eventClient.subscribe(
              { query: query ?? '', variables: variables as Record<string, unknown>, operationName },
              sink,
            ),
          }),
        }),
      }),
    ],
  });
  assertTicks(await follow(client), ['IDR']);
});

/** Ends the answer when it is given up. Otherwise urql's own reading fails then, where nobody can catch it. */
function endingOnAbort(fetch: typeof globalThis.fetch): typeof globalThis.fetch {
  return async (input, init) => {
    const response = await fetch(input, { ...init, signal: null });
    const reader = response.body?.getReader();
    assert.ok(reader);
    init?.signal?.addEventListener('abort', () => void reader.cancel());
    const body = new ReadableStream<Uint8Array>({
      async pull(controller) {
        const { done, value } = await reader.read();
        if (done) controller.close();
        else controller.enqueue(value);
      },
    });
    return new Response(body, { status: response.status, headers: response.headers });
  };
}

test('urql follows the rates with nothing but fetch', async () => {
  const { fetch, exchanges } = recorder();
  const client = new Client({
    url: endpoint,
    fetch: endingOnAbort(fetch),
    fetchSubscriptions: true,
    exchanges: [fetchExchange],
  });
  assertTicks(await follow(client), ['IDR']);
  assert.equal(exchanges.length, 1);
});

test('Apollo Client follows the rates by multipart HTTP', async () => {
  const { fetch, exchanges } = recorder();
  const client = new ApolloClient({ link: new HttpLink({ uri: endpoint, fetch }), cache: new InMemoryCache() });
  const ticks = await within(
    new Promise<RateUpdatedSubscription[]>((resolve, reject) => {
      const seen: RateUpdatedSubscription[] = [];
      const subscription = client.subscribe({ query: RateUpdatedDocument, variables: { quotes: ['IDR'] } }).subscribe({
        next: ({ data, error }) => {
          if (error) reject(error);
          if (data) seen.push(data);
          if (seen.length === 3) {
            subscription.unsubscribe();
            resolve(seen);
          }
        },
        error: reject,
      });
    }),
    'the third rate',
  );
  assertTicks(ticks, ['IDR']);
  assert.deepEqual(exchanges.map(({ contentType }) => contentType.split(';')[0]), ['multipart/mixed']);
});

test('Apollo Client gets the error of a subscription by multipart HTTP with its code', async () => {
  const client = new ApolloClient({ link: new HttpLink({ uri: endpoint }), cache: new InMemoryCache() });
  const error = await within(
    new Promise<unknown>((resolve, reject) => {
      client.subscribe({ query: gql`subscription { harbour }` }).subscribe({
        next: result => (result.error ? resolve(result.error) : reject(new Error('an answer came'))),
        error: resolve,
      });
    }),
    'the error',
  );
  assert.ok(CombinedGraphQLErrors.is(error), String(error));
  assert.equal(error.errors[0]?.extensions?.code, 'GRAPHQL_VALIDATION_FAILED');
});
