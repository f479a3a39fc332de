// Mercurius with loaders, and operations compiled from their first run on.

import Fastify from 'fastify';
import mercurius from 'mercurius';
import pg from 'pg';
import {
  demoAccount, installmentsOfPayments, listening, paymentPage, poolOptions, resolvers, typeDefs,
} from './model.mjs';

const pool = new pg.Pool(poolOptions);
const account = await demoAccount(pool);

const app = Fastify();
app.register(mercurius, {
  schema: typeDefs,
  resolvers: {
    ...resolvers,
    Query: {
      payments: (_, { first, after }) => paymentPage(pool, account, first, after),
    },
  },
  loaders: {
    Payment: {
      installments: {
        async loader(queries) {
          const lists = await installmentsOfPayments(pool, account, queries.map(({ obj }) => obj.id));
          return lists.map((nodes, at) => ({ nodes: nodes.slice(0, queries[at].params.first) }));
        },
        // No payment is asked for twice in an operation, so a cache would only cost its keys.
        opts: { cache: false },
      },
    },
  },
  jit: 1,
});

await app.listen({ host: '127.0.0.1', port: Number(process.env.PORT ?? 0) });
listening(app.server.address().port);
