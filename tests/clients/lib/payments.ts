// Demo payments with what a test needs.

import assert from 'node:assert/strict';

import { endpoint } from './server';

/** A payment with at least so many receipts, and how many it has. */
export async function paymentWithReceipts(least: number): Promise<{ reference: string; count: number }> {
  const query = '{ payments(first: 100, where: {status: {eq: PAID}}) { nodes { reference receipts(first: 100) { nodes { id } } } } }';
  const response = await fetch(endpoint, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query }),
  });
  const { data } = (await response.json()) as {
    data: { payments: { nodes: { reference: string; receipts: { nodes: unknown[] } }[] } };
  };
  const found = data.payments.nodes.find(payment => payment.receipts.nodes.length >= least);
  assert.ok(found, `no demo payment has ${least} receipts`);
  return { reference: found.reference, count: found.receipts.nodes.length };
}
