// Apollo Server with DataLoader, as its documentation shows it: a loader for each request, filled once in a tick.

import { ApolloServer } from '@apollo/server';
import { startStandaloneServer } from '@apollo/server/standalone';
import DataLoader from 'dataloader';
import pg from 'pg';
import {
  demoAccount, installmentsOfPayments, listening, paymentPage, poolOptions, resolvers, typeDefs,
} from './model.mjs';

const pool = new pg.Pool(poolOptions);
const account = await demoAccount(pool);

const server = new ApolloServer({
  typeDefs,
  resolvers: {
    ...resolvers,
    Query: {
      payments: (_, { first, after }) => paymentPage(pool, account, first, after),
    },
    Payment: {
      ...resolvers.Payment,
      installments: async (payment, { first }, { installments }) => ({
        nodes: (await installments.load(payment.id)).slice(0, first),
      }),
    },
  },
});

await startStandaloneServer(server, {
  listen: { host: '127.0.0.1', port: Number(process.env.PORT ?? 0) },
  context: async () => ({
    installments: new DataLoader((payments) => installmentsOfPayments(pool, account, payments)),
  }),
}).then(({ url }) => listening(Number(new URL(url).port)));
