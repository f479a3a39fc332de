// A front end on urql: typed queries by POST and GET, and errors beside what is there.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Client, cacheExchange, fetchExchange, type ClientOptions } from '@urql/core';

import { PaymentsDocument, ViewerAndNodeDocument, ViewerDocument } from '../generated/graphql';
import { endpoint, recorder } from '../lib/server';

function client(options: Partial<ClientOptions> = {}): Client {
  return new Client({ url: endpoint, exchanges: [cacheExchange, fetchExchange], ...options });
}

test('a query is answered in its types, by POST and by GET', async () => {
  for (const [preferGetMethod, method] of [[false, 'POST'], ['force', 'GET']] as const) {
    const { fetch, exchanges } = recorder();
    const { data, error } = await client({ fetch, preferGetMethod }).query(ViewerDocument, {});
    assert.equal(error, undefined);
    assert.equal(data?.viewer.account, 'demo');
    assert.deepEqual(exchanges.map(exchange => exchange.method), [method]);
    assert.match(exchanges[0]?.contentType ?? '', /^application\/graphql-response\+json/);
  }
});

test('pages follow each other to the end', async () => {
  const urql = client();
  const seen: string[] = [];
  let after: string | null = null;
  do {
    const { data, error }: Awaited<ReturnType<typeof page>> = await page(after);
    assert.equal(error, undefined);
    assert.ok(data);
    assert.equal(data.payments.pageInfo.hasPreviousPage, after !== null);
    seen.push(...data.payments.edges.map(edge => edge.node.reference));
    after = data.payments.pageInfo.hasNextPage ? (data.payments.pageInfo.endCursor ?? null) : null;
  } while (after);
  assert.equal(seen.length, 200);
  assert.deepEqual(seen, [...new Set(seen)].sort());

  async function page(after: string | null) {
    return urql.query(PaymentsDocument, { first: 70, after });
  }
});

test('an error stands beside what is there', async () => {
  const { data, error } = await client().query(ViewerAndNodeDocument, { id: 'x' });
  assert.equal(error?.graphQLErrors[0]?.extensions.code, 'INVALID_ID');
  assert.equal(error.networkError, undefined);
  assert.equal(data?.viewer?.subject, 'local');
  assert.equal(data.node, null);
});

test('a request that is refused comes as GraphQL errors, not as a network failure', async () => {
  const { data, error } = await client().query('{ harbour }', {});
  assert.equal(data, undefined);
  assert.equal(error?.networkError, undefined);
  assert.equal(error?.graphQLErrors[0]?.extensions.code, 'GRAPHQL_VALIDATION_FAILED');
});
