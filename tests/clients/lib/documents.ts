// Documents that the server cannot have seen before.

import { randomUUID } from 'node:crypto';

import { Kind, visit } from 'graphql';
import type { TypedDocumentNode } from '@graphql-typed-document-node/core';

/** The same document under an operation name of its own, and so with a hash of its own. */
export function neverSeen<Result, Variables>(
  document: TypedDocumentNode<Result, Variables>,
): TypedDocumentNode<Result, Variables> {
  const suffix = randomUUID().replaceAll('-', '');
  return visit(document, {
    [Kind.OPERATION_DEFINITION]: operation => ({
      ...operation,
      name: { kind: Kind.NAME as const, value: `${operation.name?.value ?? ''}${suffix}` },
    }),
  });
}
