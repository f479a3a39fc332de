// The tree of commodities, as a Relay front end declares it: a search whose edges carry more than a node, and the
// commodities below each.

import { graphql } from 'relay-runtime';

export const tree = graphql`
  query CommodityTreeQuery($search: String) {
    ...CommodityTree_found @arguments(search: $search)
  }
`;

export const found = graphql`
  fragment CommodityTree_found on Query
  @argumentDefinitions(
    count: { type: "Int", defaultValue: 10 }
    cursor: { type: "String" }
    search: { type: "String" }
  )
  @refetchable(queryName: "CommodityTreeFoundQuery") {
    commodities(first: $count, after: $cursor, search: $search) @connection(key: "CommodityTree_commodities") {
      edges {
        score
        node {
          codeFormatted
          ...CommodityTree_children
        }
      }
    }
  }
`;

export const children = graphql`
  fragment CommodityTree_children on Commodity
  @argumentDefinitions(count: { type: "Int", defaultValue: 10 }, cursor: { type: "String" })
  @refetchable(queryName: "CommodityTreeChildrenQuery") {
    children(first: $count, after: $cursor) @connection(key: "CommodityTree_children") {
      edges {
        node {
          codeFormatted
        }
      }
    }
  }
`;
