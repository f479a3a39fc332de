// PostGraphile 5 over the tables themselves. It finds types and columns by itself; what is written here is what
// Dermaga answers otherwise than the tables have it: ids, amounts, instants, the order of lists, and whose payments
// they are. All of it is plans, which become statements before anything is read.

import { createServer } from 'node:http';
import pg from 'pg';
import { postgraphile } from 'postgraphile';
import { makePgService } from 'postgraphile/adaptors/pg';
import { connection, constant, lambda, object } from 'postgraphile/grafast';
import { grafserv } from 'postgraphile/grafserv/node';
import { PostGraphileAmberPreset } from 'postgraphile/presets/amber';
import { extendSchema } from 'postgraphile/utils';
import { decimal, demoAccount, globalId, instant, listening, poolOptions } from './model.mjs';

const pool = new pg.Pool(poolOptions);
const account = await demoAccount(pool);

const id = (prefix) => ($row) => lambda($row.get('id'), (uuid) => globalId(prefix, uuid), true);
const money = (column) => ($row) => {
  const $currency = $row.get('currency');
  const $amount = lambda([$row.get(column), $currency], ([minor, currency]) => decimal(minor, currency), true);
  return object({ amount: $amount, currency: $currency });
};
/** Rows in an order that ends with what is unique, as a connection. */
const inOrder = ($rows, columns, direction) => {
  for (const attribute of columns) $rows.orderBy({ attribute, direction });
  $rows.setOrderIsUnique();
  return connection($rows);
};

const dermaga = extendSchema((build) => {
  const { payment, installment } = build.input.pgRegistry.pgResources;
  return {
    typeDefs: `
      scalar CurrencyCode
      scalar Decimal

      type Money {
        amount: Decimal!
        currency: CurrencyCode!
      }
      extend type Query {
        payments: PaymentConnection!
      }
      extend type Payment {
        id: ID!
        createdAt: String!
        amount: Money!
        outstanding: Money!
        installments: InstallmentConnection!
      }
      extend type Installment {
        id: ID!
        amount: Money!
        outstanding: Money!
      }
    `,
    objects: {
      Query: {
        plans: {
          payments: () =>
            inOrder(payment.find({ account_id: constant(account) }), ['created_at', 'id'], 'DESC'),
        },
      },
      Payment: {
        plans: {
          id: id('pay'),
          createdAt: ($payment) => lambda($payment.get('created_at'), instant, true),
          amount: money('amount'),
          outstanding: money('outstanding'),
          installments: ($payment) =>
            inOrder(installment.find({ payment_id: $payment.get('id') }), ['due_date', 'sequence', 'id'], 'ASC'),
        },
      },
      Installment: {
        plans: { id: id('ins'), amount: money('amount'), outstanding: money('outstanding') },
      },
    },
  };
});

/** Leaves out the columns in whose place there are fields above. */
const columns = {
  name: 'ColumnsAnsweredOtherwise',
  version: '1.0.0',
  schema: {
    entityBehavior: {
      pgCodecAttribute: {
        inferred: {
          after: ['default'],
          provides: ['answeredOtherwise'],
          callback: (behavior, [, attribute]) =>
            ['id', 'created_at', 'amount', 'outstanding'].includes(attribute) ? [behavior, '-attribute:select'] : behavior,
        },
      },
    },
  },
};

const server = createServer();
const instance = postgraphile({
  extends: [PostGraphileAmberPreset],
  plugins: [dermaga, columns],
  // Global ids are Dermaga's, and so is the order of lists when none is asked for.
  disablePlugins: ['NodePlugin', 'AddNodeInterfaceToSuitableTypesPlugin', 'PgConnectionArgOrderByDefaultValuePlugin'],
  // Nothing is written here.
  schema: { defaultBehavior: '-insert -update -delete' },
  pgServices: [makePgService({ pool, schemas: ['public'] })],
  grafserv: { graphqlPath: '/graphql', graphiql: false, watch: false },
});
await instance.createServ(grafserv).addTo(server);
await instance.getSchema();
server.listen(Number(process.env.PORT ?? 0), '127.0.0.1', () => listening(server.address().port));
