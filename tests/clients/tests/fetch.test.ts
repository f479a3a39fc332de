// A front end without a library: fetch, the types that codegen made, and the codes of errors.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { print } from 'graphql';
import type { TypedDocumentNode } from '@graphql-typed-document-node/core';

import { PaymentsDocument, RateDocument, ViewerDocument } from '../generated/graphql';
import { endpoint } from '../lib/server';

interface Answer<Data> {
  data?: Data | null;
  errors?: { message: string; path?: (string | number)[]; extensions: { code: string } }[];
}

async function ask<Data, Variables>(
  document: TypedDocumentNode<Data, Variables> | string,
  variables: Variables,
  accept = 'application/graphql-response+json',
): Promise<{ status: number; type: string; answer: Answer<Data> }> {
  const response = await fetch(endpoint, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept },
    body: JSON.stringify({ query: typeof document === 'string' ? document : print(document), variables }),
  });
  const type = response.headers.get('content-type') ?? '';
  return { status: response.status, type, answer: (await response.json()) as Answer<Data> };
}

test('an answer has the media type that was asked for', async () => {
  for (const media of ['application/graphql-response+json', 'application/json']) {
    const { status, type, answer } = await ask(ViewerDocument, {}, media);
    assert.equal(status, 200);
    assert.equal(type.split(';')[0], media);
    assert.deepEqual(answer, { data: { viewer: { subject: 'local', account: 'demo', role: 'ADMIN' } } });
  }
});

test('variables of every kind arrive as they were sent', async () => {
  const { answer } = await ask(PaymentsDocument, {
    first: 100,
    where: { status: { in: ['OPEN'] }, and: [{ outstanding: { gt: '1000.5' } }], not: { currency: { eq: 'IDR' } } },
  });
  const payments = answer.data?.payments;
  assert.ok(payments && payments.edges.length > 0);
  assert.ok(payments.totalCount < 200, 'the filter leaves some out');
  for (const { node } of payments.edges) {
    assert.equal(node.status, 'OPEN');
    assert.ok(Number(node.outstanding.amount) > 1000.5, node.outstanding.amount);
    assert.notEqual(node.outstanding.currency, 'IDR');
  }
});

test('a union tells its types apart', async () => {
  const { answer } = await ask(RateDocument, { base: 'EUR', quote: 'IDR', date: '2024-01-02' });
  const rate = answer.data?.currencyRate;
  assert.equal(rate?.__typename, 'CurrencyRate');
  // Narrowed by the type name: this line is what tsc checks.
  assert.deepEqual({ ...rate.source }, { code: 'ECB' });
  const before = await ask(RateDocument, { base: 'EUR', quote: 'IDR', date: '1998-01-02' });
  assert.equal(before.answer.data?.currencyRate.__typename, 'RateUnavailable');
});

// What the caller did wrong is in a code, never only in words.
const mistakes: [what: string, document: string, variables: Record<string, unknown>, code: string][] = [
  ['a document that is not GraphQL', '{', {}, 'GRAPHQL_PARSE_FAILED'],
  ['a field that does not exist', '{ harbour }', {}, 'GRAPHQL_VALIDATION_FAILED'],
  ['a variable of the wrong type', 'query ($n: Int) { payments(first: $n) { totalCount } }', { n: 'x' }, 'GRAPHQL_VALIDATION_FAILED'],
  ['a page of nothing', '{ payments(first: 0) { totalCount } }', {}, 'INVALID_PAGE'],
  ['a made-up cursor', '{ payments(after: "x") { totalCount } }', {}, 'INVALID_CURSOR'],
  ['a made-up id', 'query ($id: ID!) { node(id: $id) { id } }', { id: 'x' }, 'INVALID_ID'],
  ['a currency that does not exist', 'query ($c: CurrencyCode!) { convert(amount: { amount: "1", currency: $c }, to: "EUR") { rounding } }', { c: 'XXQ' }, 'UNKNOWN_CURRENCY'],
  ['a day that does not exist', 'query ($d: Date) { currencyRate(base: "EUR", quote: "IDR", date: $d) { __typename } }', { d: '2024-02-30' }, 'INVALID_DATE'],
  ['a number that is none', 'query ($a: Decimal!) { convert(amount: { amount: $a, currency: "IDR" }, to: "EUR") { rounding } }', { a: '1e3' }, 'INVALID_DECIMAL'],
  ['a commodity code that is none', '{ commodity(code: "x") { id } }', {}, 'INVALID_HS_CODE'],
];

for (const [what, document, variables, code] of mistakes) {
  test(`${what} is ${code}`, async () => {
    const { answer } = await ask(document, variables);
    assert.equal(answer.errors?.length, 1);
    assert.equal(answer.errors[0]?.extensions.code, code);
  });
}
