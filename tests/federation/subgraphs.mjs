// Two subgraphs of other teams, as small as they can be. Each names things of the server by their keys.

import { parse } from 'graphql';

const FEDERATION = `extend schema @link(
  url: "https://specs.apollo.dev/federation/v2.5",
  import: ["@key", "@shareable", "@external"]
)`;

// Its values must be those of the server, since the server also takes them as arguments.
const RATE_PURPOSE = 'enum RatePurpose { REFERENCE TAX_DUTY BANK_BUY BANK_SELL }';

/** Goods on their way. Relay clients ask it for nodes and pages, too. */
export function shipments(payments) {
  const sunday = { base: 'EUR', quote: 'IDR', requestedDate: '2026-10-25', purpose: 'REFERENCE' };
  const unknown = { id: `pay_${'0'.repeat(32)}` };
  const all = [...payments, unknown].map(({ id }, index) => ({
    id: `shp_${index}`,
    payment: { id },
    commodity: { code: '180100' },
    rate: sunday,
  }));
  return {
    typeDefs: parse(`
      ${FEDERATION}
      scalar CurrencyCode
      scalar Date
      scalar HsCode
      ${RATE_PURPOSE}
      type Query {
        shipments: [Shipment!]!
        node(id: ID!): Node
      }
      interface Node { id: ID! }
      type Shipment implements Node @key(fields: "id") {
        id: ID!
        payment: Payment
        commodity: Commodity!
        rate: CurrencyRate!
      }
      type Payment @key(fields: "id") {
        id: ID!
        shipments: [Shipment!]!
      }
      type Commodity @key(fields: "code", resolvable: false) { code: HsCode! }
      type CurrencyRate @key(fields: "base quote requestedDate purpose", resolvable: false) {
        base: CurrencyCode!
        quote: CurrencyCode!
        requestedDate: Date!
        purpose: RatePurpose!
      }
      type PageInfo @shareable {
        hasNextPage: Boolean!
        hasPreviousPage: Boolean!
        startCursor: String
        endCursor: String
      }
    `),
    resolvers: {
      Query: {
        shipments: () => all,
        node: (_, { id }) => all.find((shipment) => shipment.id === id),
      },
      Node: { __resolveType: () => 'Shipment' },
      Payment: {
        shipments: ({ id }) => all.filter((shipment) => shipment.payment.id === id),
      },
    },
  };
}

/** Declarations to the customs; they know payments by their reference. */
export function customs(payments) {
  const declarations = payments.map(({ reference, installments, receipts }) => ({
    payment: { reference },
    installment: { id: installments.nodes[0].id },
    receipt: { id: receipts.nodes[0].id },
    goods: { id: 'com_180100' },
  }));
  return {
    typeDefs: parse(`
      ${FEDERATION}
      type Query { declarations: [Declaration!]! }
      type Declaration {
        payment: Payment!
        installment: Installment!
        receipt: Receipt!
        goods: Commodity!
      }
      type Payment @key(fields: "reference", resolvable: false) { reference: String! }
      type Installment @key(fields: "id", resolvable: false) { id: ID! }
      type Receipt @key(fields: "id", resolvable: false) { id: ID! }
      type Commodity @key(fields: "id", resolvable: false) { id: ID! }
    `),
    resolvers: { Query: { declarations: () => declarations } },
  };
}
