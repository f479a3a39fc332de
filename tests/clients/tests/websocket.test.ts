// Subscriptions and queries over WebSocket, by the protocol graphql-transport-ws: with graphql-ws alone, through
// Apollo Client and through urql. The server runs with --demo-ticker 1.

import assert from 'node:assert/strict';
import { after, test } from 'node:test';

import { ApolloClient, InMemoryCache, gql } from '@apollo/client';
import { GraphQLWsLink } from '@apollo/client/link/subscriptions';
import { Client, fetchExchange, subscriptionExchange } from '@urql/core';
import { print } from 'graphql';
import { createClient, type Client as SocketClient, type ClientOptions } from 'graphql-ws';
import { WebSocket } from 'ws';

import {
  RateUpdatedDocument,
  ViewerDocument,
  type RateUpdatedSubscription,
  type ViewerQuery,
} from '../generated/graphql';
import { assertTicks } from '../lib/rates';
import { endpoint, socketEndpoint } from '../lib/server';
import { within } from '../lib/until';

// Browsers have it; Node before 22 has not, and Apollo Client's link asks for it when an error comes.
globalThis.WebSocket ??= WebSocket as unknown as typeof globalThis.WebSocket;

const open: SocketClient[] = [];

function socket(options: Partial<ClientOptions> = {}): SocketClient {
  const client = createClient({ url: socketEndpoint, retryAttempts: 0, ...options });
  open.push(client);
  return client;
}

after(async () => {
  await Promise.all(open.map(client => client.dispose()));
});

const query = print(RateUpdatedDocument);

test('graphql-ws follows the rates, and an end is an end', async () => {
  const ticks: RateUpdatedSubscription[] = [];
  const stream = socket().iterate<RateUpdatedSubscription>({ query, variables: { quotes: ['IDR', 'USD'] } });
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
});

test('graphql-ws asks a query over the same socket while a subscription runs', async () => {
  let sockets = 0;
  const client = socket({ on: { connected: () => void sockets++ } });
  const stream = client.iterate<RateUpdatedSubscription>({ query, variables: { quotes: ['IDR'] } });
  const first = await within(stream.next(), 'the first rate');
  const answers: (ViewerQuery | null | undefined)[] = [];
  for await (const { data } of client.iterate<ViewerQuery>({ query: print(ViewerDocument) })) answers.push(data);
  const second = await within(stream.next(), 'the second rate');
  await stream.return?.();

  assert.deepEqual(answers, [{ viewer: { subject: 'local', account: 'demo', role: 'ADMIN' } }]);
  assertTicks([first.value?.data, second.value?.data], ['IDR']);
  assert.equal(sockets, 1);
});

test('graphql-ws is told what is wrong with a subscription by code', async () => {
  const refused = (text: string, variables = {}) =>
    within(
      (async () => {
        for await (const { errors } of socket().iterate({ query: text, variables })) return errors;
        return undefined;
      })().catch((errors: unknown) => errors),
      'the error',
    );
  for (const [text, variables, code] of [
    ['subscription { harbour }', {}, 'GRAPHQL_VALIDATION_FAILED'],
    ['subscription {', {}, 'GRAPHQL_PARSE_FAILED'],
    [query, { quotes: ['XXQ'] }, 'UNKNOWN_CURRENCY'],
  ] as const) {
    const errors = (await refused(text, variables)) as { extensions: { code: string } }[];
    assert.deepEqual(errors.map(error => error.extensions.code), [code], text);
  }
});

test('Apollo Client follows the rates through GraphQLWsLink', async () => {
  const client = new ApolloClient({ link: new GraphQLWsLink(socket()), cache: new InMemoryCache() });
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
});

test('Apollo Client gets the error of a subscription with its code', async () => {
  const client = new ApolloClient({ link: new GraphQLWsLink(socket()), cache: new InMemoryCache() });
  const error = await within(
    new Promise<{ errors?: { extensions?: { code?: string } }[] }>((resolve, reject) => {
      client.subscribe({ query: gql`subscription { harbour }` }).subscribe({
        next: result => (result.error ? resolve(result.error as object) : reject(new Error('an answer came'))),
        error: resolve,
      });
    }),
    'the error',
  );
  assert.equal(error.errors?.[0]?.extensions?.code, 'GRAPHQL_VALIDATION_FAILED');
});

test('urql follows the rates through graphql-ws', async () => {
  const socketClient = socket();
  const client = new Client({
    url: endpoint,
    exchanges: [
      fetchExchange,
      subscriptionExchange({
        forwardSubscription: request => ({
          subscribe: sink => ({
            unsubscribe: socketClient.subscribe({ ...request, query: request.query ?? '' }, sink),
          }),
        }),
      }),
    ],
  });
  const ticks = await within(
    new Promise<RateUpdatedSubscription[]>((resolve, reject) => {
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
  assertTicks(ticks, ['IDR']);
});
