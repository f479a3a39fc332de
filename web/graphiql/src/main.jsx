import './workers.js';

import { createGraphiQLFetcher } from '@graphiql/toolkit';
import { GraphiQL } from 'graphiql';
import { createRoot } from 'react-dom/client';

// The parts of graphiql/style.css, without the fonts it embeds.
import '@graphiql/react/style.css';
import '@graphiql/plugin-doc-explorer/style.css';
import '@graphiql/plugin-history/style.css';
import 'graphiql/graphiql.css';
import './page.css';

import commoditySearch from './examples/commodity-search.graphql?raw';
import currencyRate from './examples/currency-rate.graphql?raw';
import rateUpdated from './examples/rate-updated.graphql?raw';
import receivables from './examples/receivables.graphql?raw';

const subscriptionUrl = new URL('/graphql', window.location.href);
subscriptionUrl.protocol = subscriptionUrl.protocol === 'https:' ? 'wss:' : 'ws:';

const fetcher = createGraphiQLFetcher({
  url: '/graphql',
  // The socket is opened when a subscription is run, not before.
  subscriptionUrl: subscriptionUrl.href,
  // Answers come whole, so plain GraphQL-over-HTTP media types are asked for.
  enableIncrementalDelivery: false,
});

// Each answer then carries extensions.profile.
const headers = JSON.stringify({ 'X-Dermaga-Profile': '1' }, null, 2);

// GraphiQL opens the first of these unless the browser has tabs stored.
const tabs = [receivables, currencyRate, commoditySearch, rateUpdated].map(query => ({ query, headers }));

createRoot(document.getElementById('graphiql')).render(
  <GraphiQL
    fetcher={fetcher}
    defaultTabs={tabs}
    defaultHeaders={headers}
    defaultEditorToolsVisibility="headers"
    isHeadersEditorEnabled
  >
    <GraphiQL.Logo>Dermaga</GraphiQL.Logo>
  </GraphiQL>,
);
