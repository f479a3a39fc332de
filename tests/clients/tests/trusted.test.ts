// A Relay front end whose documents the server knows beforehand: it sends hashes alone, and nothing else is run. The
// server runs with --trusted-documents generated/relay-manifest.json, which relay-compiler wrote.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import { parse, print } from 'graphql';
import type { ConcreteRequest } from 'relay-runtime';

import LatestPaymentsQuery from '../generated/relay-persisted/LatestPaymentsQuery.graphql';
import PaymentListQuery from '../generated/relay-persisted/PaymentListQuery.graphql';
import { endpoint } from '../lib/server';

interface Answer {
  data?: { payments?: { edges: unknown[] } } | null;
  errors?: { extensions: { code: string } }[];
}

async function post(body: unknown): Promise<Answer> {
  const response = await fetch(endpoint, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  return (await response.json()) as Answer;
}

test('Relay sends what its artifacts have in place of a text', async () => {
  for (const { params } of [PaymentListQuery, LatestPaymentsQuery] satisfies ConcreteRequest[]) {
    assert.equal(params.text, null);
    const extensions = { persistedQuery: { version: 1, sha256Hash: params.id } };
    const { data, errors } = await post({ extensions, variables: { count: 2 } });
    assert.equal(errors, undefined);
    assert.equal(data?.payments?.edges.length, 2);
  }
});

test('nothing else is run, not even the same document in other words', async () => {
  const manifest = JSON.parse(readFileSync('generated/relay-manifest.json', 'utf8')) as Record<string, string>;
  const trusted = manifest[PaymentListQuery.params.id ?? ''];
  assert.ok(trusted);
  for (const query of ['{ viewer { subject } }', `${trusted} # again`, print(parse(trusted)).replace('viewer', 'me: viewer')]) {
    const { data, errors } = await post({ query, variables: { count: 2 } });
    assert.equal(data ?? null, null);
    assert.deepEqual(errors?.map(error => error.extensions.code), ['UNTRUSTED_DOCUMENT'], query);
  }
});
