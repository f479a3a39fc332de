// What a Relay front end declares: queries, fragments and lists that grow, for relay-compiler to read. Nothing
// here is run; the tests run what is made of it in __generated__.

import { graphql } from 'relay-runtime';

export const list = graphql`
  query PaymentListQuery($count: Int!, $where: PaymentWhere) {
    viewer {
      subject
    }
    ...PaymentList_payments @arguments(count: $count, where: $where)
  }
`;

// A list at the root that grows at its end.
export const payments = graphql`
  fragment PaymentList_payments on Query
  @argumentDefinitions(
    count: { type: "Int", defaultValue: 20 }
    cursor: { type: "String" }
    where: { type: "PaymentWhere" }
  )
  @refetchable(queryName: "PaymentListNextQuery") {
    payments(first: $count, after: $cursor, where: $where, orderBy: [{ field: REFERENCE }])
      @connection(key: "PaymentList_payments") {
      totalCount
      edges {
        node {
          ...PaymentList_row
        }
      }
    }
  }
`;

export const row = graphql`
  fragment PaymentList_row on Payment {
    reference
    payerName
    outstanding {
      formatted
      converted(into: "EUR") {
        to {
          formatted
        }
      }
    }
  }
`;
