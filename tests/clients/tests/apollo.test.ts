// A front end on Apollo Client: typed queries, lists that grow in its cache, and its error policies.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { ApolloClient, CombinedGraphQLErrors, HttpLink, InMemoryCache, gql } from '@apollo/client';
import { relayStylePagination } from '@apollo/client/utilities';
import { filter, firstValueFrom } from 'rxjs';

import { PaymentsDocument, RateDocument, ReceiptsDocument, ViewerAndNodeDocument, ViewerDocument } from '../generated/graphql';
import { paymentWithReceipts } from '../lib/payments';
import { endpoint, recorder } from '../lib/server';

function client(options: Partial<HttpLink.Options> = {}): ApolloClient {
  return new ApolloClient({
    link: new HttpLink({ uri: endpoint, ...options }),
    cache: new InMemoryCache({
      typePolicies: {
        Query: { fields: { payments: relayStylePagination(['where', 'orderBy']) } },
        Payment: { fields: { receipts: relayStylePagination() } },
      },
    }),
  });
}

test('a query is answered in its types, by POST and by GET', async () => {
  for (const [useGETForQueries, method] of [[false, 'POST'], [true, 'GET']] as const) {
    const { fetch, exchanges } = recorder();
    const { data } = await client({ fetch, useGETForQueries }).query({ query: ViewerDocument });
    assert.equal(data?.viewer.role, 'ADMIN');
    assert.deepEqual(exchanges.map(exchange => exchange.method), [method]);
    assert.match(exchanges[0]?.contentType ?? '', /^application\/graphql-response\+json/);
  }
});

test('fetchMore grows a list to its end, with nothing twice', async () => {
  const { fetch, exchanges } = recorder();
  const apollo = client({ fetch });
  const list = apollo.watchQuery({ query: PaymentsDocument, variables: { first: 60 } });
  let page = (await firstValueFrom(list.pipe(filter(result => result.dataState === 'complete')))).data.payments.pageInfo;
  while (page.hasNextPage) {
    const next = await list.fetchMore({ variables: { after: page.endCursor } });
    assert.ok(next.data);
    page = next.data.payments.pageInfo;
  }

  const whole = apollo.readQuery({ query: PaymentsDocument, variables: { first: 60 } })?.payments;
  assert.ok(whole);
  const references = whole.edges.map(edge => edge.node.reference);
  assert.equal(references.length, 200);
  assert.equal(whole.totalCount, 200);
  assert.deepEqual(references, [...new Set(references)].sort());
  assert.equal(exchanges.length, 4);
});

test('a list below a node grows too', async () => {
  const { reference, count } = await paymentWithReceipts(3);
  const apollo = client();
  const list = apollo.watchQuery({ query: ReceiptsDocument, variables: { reference, first: 2 } });
  const { data } = await firstValueFrom(list.pipe(filter(result => result.dataState === 'complete')));
  assert.equal(data.payment?.receipts.edges.length, 2);
  await list.fetchMore({ variables: { after: data.payment.receipts.pageInfo.endCursor, first: 100 } });
  const receipts = apollo.readQuery({ query: ReceiptsDocument, variables: { reference, first: 2 } })?.payment?.receipts;
  assert.equal(receipts?.edges.length, count);
  assert.equal(new Set(receipts.edges.map(edge => edge.node.id)).size, count);
  assert.equal(receipts.pageInfo.hasNextPage, false);
});

test('an error policy decides between an exception and what is there', async () => {
  const apollo = client();
  const failing = { query: ViewerAndNodeDocument, variables: { id: 'x' }, fetchPolicy: 'no-cache' } as const;

  await assert.rejects(apollo.query(failing), error => {
    assert.ok(CombinedGraphQLErrors.is(error));
    assert.deepEqual(error.errors.map(each => [each.extensions?.code, each.path]), [['INVALID_ID', ['node']]]);
    return true;
  });

  // A field that may be null is null when it fails, and the rest stands.
  const all = await apollo.query({ ...failing, errorPolicy: 'all' });
  assert.ok(CombinedGraphQLErrors.is(all.error));
  assert.equal(all.data?.viewer?.subject, 'local');
  assert.equal(all.data.node, null);
});

test('a request that is refused comes as GraphQL errors, not as a network failure', async () => {
  const { fetch, exchanges } = recorder();
  await assert.rejects(client({ fetch }).query({ query: gql`{ harbour }` }), error => {
    assert.ok(CombinedGraphQLErrors.is(error));
    assert.equal(error.errors[0]?.extensions?.code, 'GRAPHQL_VALIDATION_FAILED');
    return true;
  });
  assert.equal(exchanges[0]?.status, 400);
});

test('a wrong variable has its code', async () => {
  await assert.rejects(client().query({ query: RateDocument, variables: { base: 'EUR', quote: 'XXQ' } }), error => {
    assert.ok(CombinedGraphQLErrors.is(error));
    assert.equal(error.errors[0]?.extensions?.code, 'UNKNOWN_CURRENCY');
    return true;
  });
});
