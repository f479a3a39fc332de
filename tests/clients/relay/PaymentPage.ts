// A page about one payment, as a Relay front end declares it: lists below a node, which Relay fetches again by the
// node's global id, and a subscription.

import { graphql } from 'relay-runtime';

export const page = graphql`
  query PaymentPageQuery($reference: String!) {
    payment(reference: $reference) {
      ...PaymentPage_installments
      ...PaymentPage_receipts
    }
  }
`;

export const installments = graphql`
  fragment PaymentPage_installments on Payment
  @argumentDefinitions(count: { type: "Int", defaultValue: 2 }, cursor: { type: "String" })
  @refetchable(queryName: "PaymentPageInstallmentsQuery") {
    installments(first: $count, after: $cursor) @connection(key: "PaymentPage_installments") {
      edges {
        node {
          sequence
          dueDate
          outstanding {
            formatted
          }
          ...PaymentPage_allocations
        }
      }
    }
  }
`;

export const allocations = graphql`
  fragment PaymentPage_allocations on Installment
  @argumentDefinitions(count: { type: "Int", defaultValue: 2 }, cursor: { type: "String" })
  @refetchable(queryName: "PaymentPageAllocationsQuery") {
    allocations(first: $count, after: $cursor) @connection(key: "PaymentPage_allocations") {
      edges {
        node {
          amount {
            formatted
          }
        }
      }
    }
  }
`;

export const receipts = graphql`
  fragment PaymentPage_receipts on Payment
  @argumentDefinitions(count: { type: "Int", defaultValue: 2 }, cursor: { type: "String" })
  @refetchable(queryName: "PaymentPageReceiptsQuery") {
    receipts(first: $count, after: $cursor) @connection(key: "PaymentPage_receipts") {
      edges {
        node {
          receivedAt
          amount {
            formatted
          }
        }
      }
    }
  }
`;

export const rates = graphql`
  subscription PaymentPageRatesSubscription($quotes: [CurrencyCode!]!) {
    rateUpdated(quotes: $quotes) {
      quote
      rate
    }
  }
`;
