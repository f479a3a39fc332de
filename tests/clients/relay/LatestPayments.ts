// The list of payments read from its end, as a Relay front end declares it.

import { graphql } from 'relay-runtime';

export const query = graphql`
  query LatestPaymentsQuery($count: Int!) {
    ...LatestPayments_payments @arguments(count: $count)
  }
`;

export const payments = graphql`
  fragment LatestPayments_payments on Query
  @argumentDefinitions(count: { type: "Int", defaultValue: 20 }, cursor: { type: "String" })
  @refetchable(queryName: "LatestPaymentsEarlierQuery") {
    payments(last: $count, before: $cursor, orderBy: [{ field: REFERENCE }])
      @connection(key: "LatestPayments_payments") {
      edges {
        node {
          reference
        }
      }
    }
  }
`;
