// A front end on Relay: what relay-compiler made of relay/*.ts, run by Relay's own store. Lists grow in both
// directions and below nodes that are fetched again by their global id.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import { parse } from 'graphql';
import relay, {
  type ConcreteRequest,
  type FetchFunction,
  type GraphQLResponse,
  type IEnvironment,
  type ReaderFragment,
  type Variables,
} from 'relay-runtime';

import CommodityTreeChildrenQuery from '../relay/__generated__/CommodityTreeChildrenQuery.graphql';
import CommodityTreeQuery from '../relay/__generated__/CommodityTreeQuery.graphql';
import CommodityTree_children, { type CommodityTree_children$data } from '../relay/__generated__/CommodityTree_children.graphql';
import CommodityTree_found, { type CommodityTree_found$data } from '../relay/__generated__/CommodityTree_found.graphql';
import LatestPaymentsEarlierQuery from '../relay/__generated__/LatestPaymentsEarlierQuery.graphql';
import LatestPaymentsQuery from '../relay/__generated__/LatestPaymentsQuery.graphql';
import LatestPayments_payments, { type LatestPayments_payments$data } from '../relay/__generated__/LatestPayments_payments.graphql';
import PaymentListNextQuery from '../relay/__generated__/PaymentListNextQuery.graphql';
import PaymentListQuery from '../relay/__generated__/PaymentListQuery.graphql';
import PaymentList_payments, { type PaymentList_payments$data } from '../relay/__generated__/PaymentList_payments.graphql';
import PaymentList_row, { type PaymentList_row$data } from '../relay/__generated__/PaymentList_row.graphql';
import PaymentPageQuery from '../relay/__generated__/PaymentPageQuery.graphql';
import PaymentPageReceiptsQuery from '../relay/__generated__/PaymentPageReceiptsQuery.graphql';
import PaymentPage_receipts, { type PaymentPage_receipts$data } from '../relay/__generated__/PaymentPage_receipts.graphql';
import { paymentWithReceipts } from '../lib/payments';
import { endpoint } from '../lib/server';

const { Environment, Network, RecordSource, Store, createOperationDescriptor, getRequest, getSingularSelector } = relay;

const ask: FetchFunction = async (request, variables) => {
  const response = await fetch(endpoint, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/graphql-response+json' },
    body: JSON.stringify({ query: request.text, variables }),
  });
  return (await response.json()) as GraphQLResponse;
};

/** What a screen holds on to: an operation, its answer, and the store that later pages go into. */
class Screen {
  readonly environment: IEnvironment = new Environment({ network: Network.create(ask), store: new Store(new RecordSource()) });

  async load(request: ConcreteRequest, variables: Variables) {
    const operation = createOperationDescriptor(getRequest(request), variables);
    this.environment.retain(operation);
    await this.environment.execute({ operation }).toPromise();
    const { data, isMissingData } = this.environment.lookup(operation.fragment);
    assert.equal(isMissingData, false);
    return data as Record<string, unknown>;
  }

  /** What a component sees of its fragment. */
  read<Data>(fragment: ReaderFragment, reference: unknown): Data {
    const selector = getSingularSelector(fragment, reference as never);
    assert.ok(selector);
    const { data, isMissingData } = this.environment.lookup(selector);
    assert.equal(isMissingData, false);
    return data as Data;
  }
}

/** Where the last page ended: Relay keeps the page info of a connection in its store, out of a component's sight. */
function pageInfo(screen: Screen, owner: string, key: string): Record<string, unknown> {
  const source = screen.environment.getStore().getSource().toJSON() as Record<string, Record<string, unknown>>;
  const found = Object.entries(source).find(([id]) => id.startsWith(`${owner}:__${key}_connection`) && id.endsWith(':pageInfo'));
  assert.ok(found, `no connection ${key} of ${owner}`);
  return found[1];
}

test('a list at the root grows at its end', async () => {
  const screen = new Screen();
  const reference = await screen.load(PaymentListQuery, { count: 60 });
  const list = () => screen.read<PaymentList_payments$data>(PaymentList_payments, reference).payments;
  assert.equal(list().edges.length, 60);

  for (let pages = 1; pageInfo(screen, 'client:root', 'PaymentList_payments').hasNextPage; pages++) {
    assert.ok(pages < 4, 'a list of 200 has four pages of 60');
    const cursor = pageInfo(screen, 'client:root', 'PaymentList_payments').endCursor;
    await screen.load(PaymentListNextQuery, { count: 60, cursor });
  }

  const rows = list().edges.map(edge => screen.read<PaymentList_row$data>(PaymentList_row, edge.node));
  const references = rows.map(row => row.reference);
  assert.equal(references.length, 200);
  assert.equal(list().totalCount, 200);
  assert.deepEqual(references, [...new Set(references)].sort());
});

test('a list at the root grows at its beginning', async () => {
  const screen = new Screen();
  const reference = await screen.load(LatestPaymentsQuery, { count: 70 });
  const references = () =>
    screen
      .read<LatestPayments_payments$data>(LatestPayments_payments, reference)
      .payments.edges.map(edge => edge.node.reference);
  const last = references();
  assert.equal(last.length, 70);

  const { startCursor, hasPreviousPage } = pageInfo(screen, 'client:root', 'LatestPayments_payments');
  assert.equal(hasPreviousPage, true);
  await screen.load(LatestPaymentsEarlierQuery, { count: 70, cursor: startCursor });

  assert.equal(references().length, 140);
  assert.deepEqual(references().slice(70), last);
  assert.deepEqual(references(), [...new Set(references())].sort());
});

test('a list below a node grows through the global id of its node', async () => {
  const { reference, count } = await paymentWithReceipts(3);
  const screen = new Screen();
  const { payment } = await screen.load(PaymentPageQuery, { reference });
  const receipts = () => screen.read<PaymentPage_receipts$data>(PaymentPage_receipts, payment).receipts.edges;
  const { id } = screen.read<PaymentPage_receipts$data>(PaymentPage_receipts, payment);
  assert.equal(receipts().length, 2);

  const { endCursor } = pageInfo(screen, `client:${id}`, 'PaymentPage_receipts');
  await screen.load(PaymentPageReceiptsQuery, { id, count: 100, cursor: endCursor });
  assert.equal(receipts().length, count);
  const times = receipts().map(edge => edge.node.receivedAt);
  assert.deepEqual(times, [...times].sort());
  assert.equal(pageInfo(screen, `client:${id}`, 'PaymentPage_receipts').hasNextPage, false);
});

test('an edge carries more than its node, and a tree is walked down', async () => {
  const screen = new Screen();
  const root = await screen.load(CommodityTreeQuery, { search: '09' });
  const { edges } = screen.read<CommodityTree_found$data>(CommodityTree_found, root).commodities;
  const chapter = edges.find(edge => edge.node.codeFormatted === '09');
  assert.ok(chapter);
  assert.ok(chapter.score !== null && chapter.score !== undefined && chapter.score > 0 && chapter.score <= 1);

  const { id, children } = screen.read<CommodityTree_children$data>(CommodityTree_children, chapter.node);
  assert.ok(children.edges.length > 1);
  await screen.load(CommodityTreeChildrenQuery, { id, count: 100 });
  const below = screen.read<CommodityTree_children$data>(CommodityTree_children, chapter.node).children.edges;
  assert.ok(below.every(edge => edge.node.codeFormatted.startsWith('09')));
});

test('the manifest of relay-compiler has each document under its SHA-256', () => {
  const manifest = JSON.parse(readFileSync('generated/relay-manifest.json', 'utf8')) as Record<string, string>;
  assert.ok(Object.keys(manifest).length >= 9);
  for (const [hash, text] of Object.entries(manifest)) {
    assert.equal(createHash('sha256').update(text).digest('hex'), hash);
    assert.equal(parse(text).definitions.filter(definition => definition.kind === 'OperationDefinition').length, 1);
  }
});
