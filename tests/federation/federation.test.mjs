// Composes the subgraph of a running server with two small ones, and asks the three through Apollo's gateway:
//
//   DERMAGA_URL=http://127.0.0.1:8080 node --test federation.test.mjs
//
// The server must run as a subgraph and have demonstration data.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { composeServices } from '@apollo/composition';
import { ApolloGateway, LocalGraphQLDataSource, RemoteGraphQLDataSource } from '@apollo/gateway';
import { buildSubgraphSchema } from '@apollo/subgraph';
import { parse } from 'graphql';

import { customs, shipments } from './subgraphs.mjs';

// The payments that the other subgraphs know of.
const KNOWN = `{
  payments(first: 3, where: {status: {eq: PARTIALLY_PAID}}) {
    nodes {
      id reference
      amount { formatted }
      installments(first: 1) { nodes { id dueDate } }
      receipts(first: 1) { nodes { id method } }
    }
  }
}`;

let server;
let known;
let supergraph;
let gateway;
let ask;

// What the gateway sent to the server since the last question.
const requests = [];

before(async () => {
  assert.ok(process.env.DERMAGA_URL, 'DERMAGA_URL must name the server to test');
  server = new URL('/graphql', process.env.DERMAGA_URL).href;
  known = (await direct(KNOWN)).payments.nodes;
  assert.equal(known.length, 3);
});

after(() => gateway?.stop());

/** Asks the server itself. */
async function direct(query, variables) {
  const response = await fetch(server, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query, variables }),
  });
  const { data, errors } = await response.json();
  assert.equal(errors, undefined, JSON.stringify(errors));
  return data;
}

test('the three compose without an error or a warning', async () => {
  const { _service } = await direct('{ _service { sdl } }');
  const services = [
    { name: 'dermaga', url: server, typeDefs: parse(_service.sdl) },
    { name: 'shipments', url: 'local:shipments', typeDefs: shipments(known).typeDefs },
    { name: 'customs', url: 'local:customs', typeDefs: customs(known).typeDefs },
  ];
  const composed = composeServices(services);
  assert.deepEqual(composed.errors?.map(String), undefined);
  const warnings = composed.hints.filter((hint) => hint.definition.level.name === 'WARN');
  assert.deepEqual(warnings.map(String), []);
  supergraph = composed.supergraphSdl;

  // `node` is the other subgraph's: ours would answer for our ids alone.
  assert.match(supergraph, /node\(id: ID!\): Node @join__field\(graph: SHIPMENTS\)/);
  assert.match(supergraph, /rateUpdated\(/);
  assert.match(supergraph, /An amount owed to the account, usually paid in installments\./);
});

test('a gateway starts on them', async () => {
  const local = { shipments: shipments(known), customs: customs(known) };
  gateway = new ApolloGateway({
    supergraphSdl: supergraph,
    buildService: ({ name, url }) => {
      if (name !== 'dermaga') {
        return new LocalGraphQLDataSource(buildSubgraphSchema(local[name]));
      }
      // The fetch of Node itself, which asks no proxy.
      const remote = new RemoteGraphQLDataSource({ url, fetcher: fetch });
      remote.willSendRequest = ({ request }) => {
        requests.push(request);
      };
      return remote;
    },
  });
  const { executor } = await gateway.load();
  ask = async (query) => {
    requests.length = 0;
    const answer = await executor({
      document: parse(query),
      request: { query, variables: {} },
      queryHash: query,
      context: {},
      overallCachePolicy: { policyIfCacheable: () => null },
      metrics: {},
    });
    // The gateway's objects have no prototype.
    return JSON.parse(JSON.stringify(answer));
  };
});

test('what one subgraph names the other tells', async () => {
  const answer = await ask(`{
    shipments {
      id
      payment { reference amount { formatted } }
      commodity { codeFormatted description }
      rate { rate effectiveDate isCarriedForward source { code } }
    }
  }`);
  assert.equal(answer.errors, undefined, JSON.stringify(answer.errors));
  assert.deepEqual(
    answer.data.shipments.map(({ payment }) => payment),
    // The last one names a payment that does not exist.
    [...known.map(({ reference, amount }) => ({ reference, amount })), null],
  );
  for (const { commodity, rate } of answer.data.shipments) {
    assert.equal(commodity.codeFormatted, '1801.00');
    assert.match(commodity.description, /cocoa/i);
    // A Sunday is answered with the Friday before.
    assert.equal(rate.effectiveDate, '2026-10-23');
    assert.equal(rate.isCarriedForward, true);
    assert.equal(rate.source.code, 'ECB');
  }
  // The kinds of things go in one request or in several at a time; of each kind it is one list.
  const kinds = requests.flatMap(({ query }) => query.match(/\.\.\. ?on \w+/g)).sort();
  assert.deepEqual(kinds, ['...on Commodity', '...on CurrencyRate', '...on Payment']);
  for (const { query, variables } of requests) {
    assert.match(query, /_entities\(representations: ?\$representations\)/);
    assert.ok(variables.representations.length <= 4);
  }
});

test('each other key leads to its thing', async () => {
  const answer = await ask(`{
    declarations {
      payment { id version }
      installment { dueDate }
      receipt { method }
      goods { code }
    }
  }`);
  assert.equal(answer.errors, undefined, JSON.stringify(answer.errors));
  assert.equal(answer.data.declarations.length, known.length);
  for (const [index, declaration] of answer.data.declarations.entries()) {
    assert.equal(declaration.payment.id, known[index].id);
    assert.ok(declaration.payment.version >= 1);
    assert.equal(declaration.installment.dueDate, known[index].installments.nodes[0].dueDate);
    assert.equal(declaration.receipt.method, known[index].receipts.nodes[0].method);
    assert.equal(declaration.goods.code, '180100');
  }
});

test('what the server names another subgraph adds to', async () => {
  const answer = await ask(`{
    payments(first: 3, where: {status: {eq: PARTIALLY_PAID}}) {
      nodes { id shipments { id commodity { code level } } }
      pageInfo { hasNextPage }
    }
  }`);
  assert.equal(answer.errors, undefined, JSON.stringify(answer.errors));
  assert.deepEqual(
    answer.data.payments.nodes,
    known.map(({ id }, index) => ({
      id,
      shipments: [{ id: `shp_${index}`, commodity: { code: '180100', level: 'SUBHEADING' } }],
    })),
  );
  assert.equal(requests.length, 2);
});
