// The server to talk to, and what a client said to it.

import assert from 'node:assert/strict';

assert.ok(process.env.DERMAGA_URL, 'DERMAGA_URL must name the server to test');

/** Where requests go. */
export const endpoint = new URL('/graphql', process.env.DERMAGA_URL).href;

/** Where WebSockets go. */
export const socketEndpoint = endpoint.replace(/^http/, 'ws');

/** One request that a client made, and what came back. */
export interface Exchange {
  method: string;
  url: URL;
  /** What was asked, whether in the body or in the query string. */
  asked: { query?: string; extensions?: { persistedQuery?: { sha256Hash: string } } };
  status: number;
  contentType: string;
}

/** A fetch for a client, which keeps what went through it. */
export function recorder(): { fetch: typeof fetch; exchanges: Exchange[] } {
  const exchanges: Exchange[] = [];
  return {
    exchanges,
    fetch: async (input, init) => {
      const request = new Request(input, init);
      const url = new URL(request.url);
      const asked = request.body
        ? await request.clone().json()
        : Object.fromEntries(
            [...url.searchParams].map(([key, value]) => [key, key === 'extensions' ? JSON.parse(value) : value]),
          );
      const response = await fetch(request);
      exchanges.push({
        method: request.method,
        url,
        asked,
        status: response.status,
        contentType: response.headers.get('content-type') ?? '',
      });
      return response;
    },
  };
}
