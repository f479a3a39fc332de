// Documents sent by their hash, as Apollo Client and urql send them: first the hash alone, then, when the server does
// not know it, the text with it, and from then on the hash alone.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';

import { ApolloClient, ApolloLink, HttpLink, InMemoryCache } from '@apollo/client';
import { PersistedQueryLink, createPersistedQueryLink } from '@apollo/client/link/persisted-queries';
import { Client, fetchExchange, stringifyDocument } from '@urql/core';
import { persistedExchange } from '@urql/exchange-persisted';
import { print, type DocumentNode } from 'graphql';

import { PaymentsDocument, RateDocument, ViewerDocument, type ViewerQuery } from '../generated/graphql';
import { neverSeen } from '../lib/documents';
import { endpoint, recorder, type Exchange } from '../lib/server';

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** What each request carried. */
function steps(exchanges: Exchange[]): string[] {
  return exchanges.map(({ method, asked }) => {
    const parts = [asked.extensions?.persistedQuery && 'hash', asked.query && 'text'].filter(Boolean);
    return `${method} ${parts.join(' and ')}`;
  });
}

function apollo(options: Partial<PersistedQueryLink.Options> = {}) {
  const { fetch, exchanges } = recorder();
  const persisted = createPersistedQueryLink({ sha256: async text => sha256(text), ...options } as PersistedQueryLink.Options);
  const client = new ApolloClient({
    link: ApolloLink.from([persisted, new HttpLink({ uri: endpoint, fetch })]),
    cache: new InMemoryCache(),
  });
  return { client, exchanges };
}

function urql(preferGetForPersistedQueries: boolean | 'force') {
  const { fetch, exchanges } = recorder();
  const persisted = persistedExchange({
    preferGetForPersistedQueries,
    generateHash: async text => sha256(text),
  });
  const client = new Client({ url: endpoint, fetch, exchanges: [persisted, fetchExchange] });
  return { client, exchanges };
}

test('Apollo Client sends a hash by POST, then the text, then never again', async () => {
  const query = neverSeen(PaymentsDocument);
  const first = apollo();
  const { data } = await first.client.query({ query, variables: { first: 3 } });
  assert.equal(data?.payments.edges.length, 3);
  assert.deepEqual(steps(first.exchanges), ['POST hash', 'POST hash and text']);

  // Another front end, later, with other variables.
  const second = apollo();
  const later = await second.client.query({ query, variables: { first: 5 } });
  assert.equal(later.data?.payments.edges.length, 5);
  assert.deepEqual(steps(second.exchanges), ['POST hash']);
});

test('Apollo Client sends a hash by GET, so that a cache in front can answer', async () => {
  const query = neverSeen(RateDocument);
  const variables = { base: 'EUR', quote: 'IDR', date: '2024-01-02' };
  const first = apollo({ useGETForHashedQueries: true });
  const { data } = await first.client.query({ query, variables });
  assert.equal(data?.currencyRate.__typename, 'CurrencyRate');
  assert.deepEqual(steps(first.exchanges), ['GET hash', 'POST hash and text']);

  const second = apollo({ useGETForHashedQueries: true });
  const later = await second.client.query({ query, variables });
  assert.deepEqual(later.data, data);
  assert.deepEqual(steps(second.exchanges), ['GET hash']);
});

test('urql sends a hash by POST, then the text, then never again', async () => {
  const query = neverSeen(PaymentsDocument);
  const first = urql(false);
  const { data, error } = await first.client.query(query, { first: 3 });
  assert.equal(error, undefined);
  assert.equal(data?.payments.edges.length, 3);
  assert.deepEqual(steps(first.exchanges), ['POST hash', 'POST hash and text']);

  const second = urql(false);
  const later = await second.client.query(query, { first: 5 });
  assert.equal(later.data?.payments.edges.length, 5);
  assert.deepEqual(steps(second.exchanges), ['POST hash']);
});

test('urql sends a hash by GET', async () => {
  const query = neverSeen(RateDocument);
  const variables = { base: 'EUR', quote: 'IDR', date: '2024-01-02' };
  const first = urql('force');
  const { data, error } = await first.client.query(query, variables);
  assert.equal(error, undefined);
  assert.equal(data?.currencyRate.__typename, 'CurrencyRate');
  assert.equal(first.exchanges.length, 2);
  assert.equal(steps(first.exchanges)[0], 'GET hash');

  const second = urql('force');
  const later = await second.client.query(query, variables);
  assert.deepEqual(later.data, data);
  assert.deepEqual(steps(second.exchanges), ['GET hash']);
});

// What a front end with a client of its own relies on.

type Answer = { data?: ViewerQuery; errors?: { message: string; extensions: { code: string } }[] };

async function post(body: unknown): Promise<Answer> {
  const response = await fetch(endpoint, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  return (await response.json()) as Answer;
}

function persistedQuery(text: string) {
  return { persistedQuery: { version: 1, sha256Hash: sha256(text) } };
}

test('a hash that nobody sent is told by code and by the word that urql looks for', async () => {
  const answer = await post({ extensions: persistedQuery(print(neverSeen(ViewerDocument))) });
  assert.equal(answer.data ?? null, null);
  assert.deepEqual(answer.errors?.map(error => error.extensions.code), ['PERSISTED_QUERY_NOT_FOUND']);
  assert.equal(answer.errors?.[0]?.message, 'PersistedQueryNotFound');
});

test('a text under the hash of another is refused and not kept', async () => {
  const text = print(neverSeen(ViewerDocument));
  const other = print(neverSeen(ViewerDocument));
  const forged = await post({ query: text, extensions: persistedQuery(other) });
  assert.deepEqual(forged.errors?.map(error => error.extensions.code), ['PERSISTED_QUERY_HASH_MISMATCH']);
  for (const each of [text, other]) {
    const answer = await post({ extensions: persistedQuery(each) });
    assert.deepEqual(answer.errors?.map(error => error.extensions.code), ['PERSISTED_QUERY_NOT_FOUND']);
  }
});

test('a document that does not fit the schema is not kept', async () => {
  const text = print(neverSeen(ViewerDocument)).replace('subject', 'harbour');
  const refused = await post({ query: text, extensions: persistedQuery(text) });
  assert.deepEqual(refused.errors?.map(error => error.extensions.code), ['GRAPHQL_VALIDATION_FAILED']);
  const again = await post({ extensions: persistedQuery(text) });
  assert.deepEqual(again.errors?.map(error => error.extensions.code), ['PERSISTED_QUERY_NOT_FOUND']);
});

test('the hashes of the clients are those of the texts that they send', async () => {
  // Otherwise the tests above would prove nothing about the server's own hash.
  const query = neverSeen(ViewerDocument);
  const { client, exchanges } = urql(false);
  await client.query(query, {});
  const sent = exchanges.at(-1)?.asked;
  assert.equal(sent?.extensions?.persistedQuery?.sha256Hash, sha256(sent?.query ?? ''));
  assert.equal(sent?.query, stringifyDocument(query as DocumentNode));
});
