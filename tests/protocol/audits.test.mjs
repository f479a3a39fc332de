// The audits of GraphQL over HTTP, with the schema open to questions and closed.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { serverAudits } from 'graphql-http';

import { closedServer, server } from './servers.mjs';

for (const [name, { origin }] of Object.entries({ on: server, off: closedServer })) {
  test(`all audits pass with introspection ${name}`, async context => {
    const audits = serverAudits({ url: `${origin}/graphql` });
    const failures = [];
    for (const audit of audits) {
      const result = await audit.fn();
      if (result.status !== 'ok') failures.push(`${audit.id} ${audit.name}: ${result.reason}`);
      // A body that is not read keeps its connection.
      await result.response?.body?.cancel();
    }
    context.diagnostic(`${audits.length - failures.length} of ${audits.length} with introspection ${name}`);
    assert.deepEqual(failures, []);
    assert.equal(audits.length, 61);
  });
}
