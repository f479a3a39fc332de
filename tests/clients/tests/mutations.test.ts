// Front ends that change payments: what is on the page follows, mistakes are data, and a broken network pays once.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';

import { ApolloClient, ApolloLink, HttpLink, InMemoryCache } from '@apollo/client';
import { RetryLink } from '@apollo/client/link/retry';
import { Client, cacheExchange, fetchExchange } from '@urql/core';

import {
  CancelPaymentDocument,
  CreatePaymentDocument,
  PaymentByReferenceDocument,
  RecordReceiptDocument,
  type CreatePaymentInput,
  type RecordReceiptInput,
} from '../generated/graphql';
import { endpoint } from '../lib/server';

/** A payment of ten dollars, under a reference of its own. */
function newPayment(): CreatePaymentInput {
  const name = randomUUID();
  return { idempotencyKey: name, reference: `CLIENT/${name}`, amount: { amount: '10', currency: 'USD' } };
}

function receiptFor(paymentId: string, amount: string): RecordReceiptInput {
  return {
    idempotencyKey: randomUUID(),
    paymentId,
    amount: { amount, currency: 'USD' },
    receivedAt: '2026-01-02T03:04:05Z',
    method: 'CASH',
  };
}

/** A fetch that loses the first answer after the server has done its work. */
function losesFirstAnswer(): { fetch: typeof fetch; sent: () => number } {
  let sent = 0;
  return {
    sent: () => sent,
    fetch: async (input, init) => {
      const response = await fetch(input, init);
      sent += 1;
      if (sent > 1) return response;
      await response.text();
      throw new TypeError('the connection broke');
    },
  };
}

function apollo(link: ApolloLink = new HttpLink({ uri: endpoint })): ApolloClient {
  return new ApolloClient({ link, cache: new InMemoryCache() });
}

function urql(options: { fetch?: typeof fetch } = {}): Client {
  return new Client({ url: endpoint, exchanges: [cacheExchange, fetchExchange], preferGetMethod: false, ...options });
}

async function created(client: ApolloClient): Promise<{ id: string; reference: string }> {
  const { data } = await client.mutate({ mutation: CreatePaymentDocument, variables: { input: newPayment() } });
  const payment = data?.createPayment.payment;
  assert.ok(payment);
  return payment;
}

test('Apollo Client: a page that shows a payment shows what a mutation made of it', async () => {
  const client = apollo();
  const { id, reference } = await created(client);
  const before = await client.query({ query: PaymentByReferenceDocument, variables: { reference } });
  assert.equal(before.data?.payment?.status, 'OPEN');
  await client.mutate({ mutation: RecordReceiptDocument, variables: { input: receiptFor(id, '4') } });
  const after = client.readQuery({ query: PaymentByReferenceDocument, variables: { reference } })?.payment;
  assert.deepEqual([after?.status, after?.outstanding.amount, after?.version], ['PARTIALLY_PAID', '6.00', 2]);
});

test('Apollo Client: a mistake of the user is data', async () => {
  const client = apollo();
  const { id } = await created(client);
  const { data, error } = await client.mutate({
    mutation: RecordReceiptDocument,
    variables: { input: receiptFor(id, '10.01') },
  });
  assert.equal(error, undefined);
  assert.equal(data?.recordReceipt.receipt, null);
  const [mistake, ...others] = data.recordReceipt.userErrors;
  assert.equal(others.length, 0);
  assert.ok(mistake?.__typename === 'AmountExceedsOutstanding');
  assert.deepEqual([mistake.field, mistake.outstanding.amount], [['input', 'amount', 'amount'], '10.00']);
});

test('Apollo Client: an answer that was lost is asked for again, and paid once', async () => {
  const { fetch, sent } = losesFirstAnswer();
  const { id } = await created(apollo());
  const link = ApolloLink.from([new RetryLink({ delay: { initial: 1 } }), new HttpLink({ uri: endpoint, fetch })]);
  const { data } = await apollo(link).mutate({
    mutation: RecordReceiptDocument,
    variables: { input: receiptFor(id, '10') },
  });
  assert.equal(sent(), 2);
  assert.equal(data?.recordReceipt.replayed, true);
  assert.deepEqual([data.recordReceipt.payment?.status, data.recordReceipt.payment?.version], ['PAID', 2]);
});

test('urql: a mutation changes what the next query answers', async () => {
  const client = urql();
  const { data } = await client.mutation(CreatePaymentDocument, { input: newPayment() });
  const payment = data?.createPayment.payment;
  assert.ok(payment);
  const { reference } = payment;
  assert.equal((await client.query(PaymentByReferenceDocument, { reference })).data?.payment?.status, 'OPEN');
  await client.mutation(RecordReceiptDocument, { input: receiptFor(payment.id, '10') });
  // Its cache drops what holds a type that a mutation answered with.
  assert.equal((await client.query(PaymentByReferenceDocument, { reference })).data?.payment?.status, 'PAID');
});

test('urql: a conflict brings the payment as it is', async () => {
  const client = urql();
  const { data } = await client.mutation(CreatePaymentDocument, { input: newPayment() });
  const id = data?.createPayment.payment?.id;
  assert.ok(id);
  await client.mutation(RecordReceiptDocument, { input: receiptFor(id, '4') });
  const input = { idempotencyKey: randomUUID(), id, expectedVersion: 1, reason: 'the order was withdrawn' };
  const { data: answer, error } = await client.mutation(CancelPaymentDocument, { input });
  assert.equal(error, undefined);
  const [conflict] = answer?.cancelPayment.userErrors ?? [];
  assert.ok(conflict?.__typename === 'VersionConflict');
  assert.deepEqual([conflict.currentVersion, conflict.current.status], [2, 'PARTIALLY_PAID']);
});

test('urql: an answer that was lost is asked for again, and paid once', async () => {
  const { fetch, sent } = losesFirstAnswer();
  const { id } = await created(apollo());
  const client = urql({ fetch });
  const input = receiptFor(id, '10');
  const lost = await client.mutation(RecordReceiptDocument, { input });
  assert.match(lost.error?.networkError?.message ?? '', /the connection broke/);
  const { data } = await client.mutation(RecordReceiptDocument, { input });
  assert.equal(sent(), 2);
  assert.equal(data?.recordReceipt.replayed, true);
  assert.equal(data.recordReceipt.payment?.version, 2);
});
