// Drives the GraphiQL page of a running server in a real browser:
//
//   DERMAGA_URL=http://127.0.0.1:8080 node --test graphiql.test.mjs
//
// CHROMIUM names the browser to run; SCREENSHOT a file to save the page to.

import assert from 'node:assert/strict';
import { accessSync, constants, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { chromium } from 'playwright-core';

const WAIT = { timeout: 30_000 };

let server;
let profile;
let browser;
let page;

const requests = [];
const sockets = [];
const complaints = [];

before(async () => {
  assert.ok(process.env.DERMAGA_URL, 'DERMAGA_URL must name the server to test');
  server = new URL(process.env.DERMAGA_URL);
  const executablePath = process.env.CHROMIUM || '/usr/bin/chromium';
  accessSync(executablePath, constants.X_OK);

  profile = mkdtempSync(path.join(tmpdir(), 'dermaga-chromium-'));
  browser = await chromium.launchPersistentContext(profile, {
    executablePath,
    headless: true,
    viewport: { width: 1440, height: 900 },
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      // A request to any other host is still recorded, but gets nowhere.
      `--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE ${server.hostname}`,
    ],
  });
  browser.setDefaultTimeout(WAIT.timeout);

  browser.on('request', request => requests.push(request.url()));
  browser.on('console', message => {
    if (message.type() === 'error') complaints.push(`console: ${message.text()}`);
  });
  browser.on('weberror', error => complaints.push(`page error: ${error.error()}`));
  await browser.exposeFunction('reportViolation', violation => complaints.push(`policy: ${violation}`));
  await browser.addInitScript(() => {
    document.addEventListener('securitypolicyviolation', event => {
      globalThis.reportViolation(`${event.effectiveDirective} forbids ${event.blockedURI}`);
    });
  });

  page = await browser.newPage();
  page.on('websocket', socket => sockets.push(socket.url()));
  page.on('worker', worker => {
    worker.on('console', message => {
      if (message.type() === 'error') complaints.push(`worker console: ${message.text()}`);
    });
  });
});

after(async () => {
  await browser?.close();
  if (profile) rmSync(profile, { recursive: true, force: true });
});

/** The answer in the response pane, once there is a whole one. */
async function answer() {
  const text = await page.waitForFunction(() => {
    // The pane draws only the lines in view, so the text is taken from its model.
    const model = globalThis.__MONACO.editor.getModels().find(({ uri }) => uri.path.endsWith('response.json'));
    const value = model?.getValue();
    try {
      JSON.parse(value);
      return value;
    } catch {
      return false;
    }
  }, null, WAIT);
  return JSON.parse(await text.jsonValue());
}

test('the page opens with the example queries, the first one in front', async () => {
  const response = await page.goto(server.origin + '/');
  assert.equal(response.status(), 200);
  assert.ok(response.headers()['content-security-policy'], 'the page is served with a policy');
  assert.equal(await page.title(), 'Dermaga · GraphiQL');

  const tabs = page.getByRole('tab');
  await page.getByRole('tab', { name: 'Receivables' }).waitFor(WAIT);
  assert.deepEqual(await tabs.allInnerTexts(), ['Receivables', 'UsDollarInRupiah', 'CommoditySearch', 'RateUpdated']);
  assert.deepEqual(
    await tabs.evaluateAll(all => all.map(tab => tab.getAttribute('aria-selected'))),
    ['true', 'false', 'false', 'false'],
  );
});

test('the first query is answered with payments and the profile of the work', async () => {
  await page.locator('.graphiql-query-editor .view-line', { hasText: 'Receivables' }).waitFor(WAIT);
  await page.getByRole('button', { name: /execute query/i }).click();
  const { data, errors, extensions } = await answer();

  assert.equal(errors, undefined);
  assert.ok(data.payments.nodes.length > 0, 'there is at least one payment');
  assert.ok(data.payments.nodes[0].reference, 'a payment has a reference');
  assert.equal(typeof extensions.profile.statements, 'number');

  const shown = page.locator('.graphiql-response .view-lines');
  await shown.getByText('"payments"').waitFor(WAIT);
  await shown.getByText(`"${data.payments.nodes[0].reference}"`).waitFor(WAIT);

  if (process.env.SCREENSHOT) {
    // The colours come after the text, from the top down: "USD" is far down the query.
    const coloured = text => page.locator('.view-line [class^="mtk"]:not(.mtk1)', { hasText: text }).first();
    for (const text of ['"USD"', '"X-Dermaga-Profile"', '"payments"']) {
      await coloured(text).waitFor(WAIT);
    }
    await page.screenshot({ path: process.env.SCREENSHOT });
  }
});

test('the other queries are answered without errors, run from the keyboard', async () => {
  for (const [name, field] of [['UsDollarInRupiah', 'currencyRate'], ['CommoditySearch', 'commodities']]) {
    await page.getByRole('tab', { name }).click();
    // GraphiQL reads a query a moment after it is put into the editor, and stores
    // it then; until that moment it would ask for the operation of the tab before.
    await page.waitForFunction(wanted => localStorage.getItem('graphiql:query')?.includes(wanted), name, WAIT);
    await page.locator('.graphiql-query-editor .view-line', { hasText: name }).click();
    await page.keyboard.press('Control+Enter');
    const { data, errors, extensions } = await answer();

    assert.equal(errors, undefined);
    assert.ok(data[field], `${field} is answered`);
    assert.equal(typeof extensions.profile.statements, 'number');
  }
});

/** Waits until the editor's complaints about the query are as wanted. */
async function untilMistakes(wanted) {
  await page.waitForFunction(
    expected => {
      const mistakes = globalThis.__MONACO.editor.getModelMarkers({}).map(marker => marker.message);
      return expected === null ? mistakes.length === 0 : mistakes.some(mistake => mistake.includes(expected));
    },
    wanted,
    WAIT,
  );
}

test('the editor completes and checks the query against the schema', async () => {
  await page.locator('.graphiql-query-editor .view-line', { hasText: 'totalCount' }).click();
  await page.keyboard.press('End');
  await page.keyboard.press('Enter');
  await page.keyboard.press('Control+Space');
  await page.locator('.suggest-widget').getByText('edges', { exact: true }).waitFor(WAIT);
  await page.keyboard.press('Escape');

  await page.keyboard.type('cargo ');
  await untilMistakes('Cannot query field "cargo"');
  await page.keyboard.press('Escape');
  await page.keyboard.press('Control+Shift+K');
  await untilMistakes(null);
});

test('the documentation explorer shows the Query type', async () => {
  await page.getByRole('button', { name: /show documentation explorer/i }).click();
  const explorer = page.locator('.graphiql-doc-explorer');
  await explorer.getByText('Query', { exact: true }).click();
  await explorer.getByText('payments', { exact: true }).waitFor(WAIT);
});

test('a subscription shows what is published until it is stopped', async () => {
  assert.deepEqual(sockets, [], 'no socket is opened before a subscription is run');
  await page.getByRole('tab', { name: 'RateUpdated' }).click();
  await page.waitForFunction(() => localStorage.getItem('graphiql:query')?.includes('RateUpdated'), null, WAIT);
  await page.locator('.graphiql-query-editor .view-line', { hasText: 'subscription' }).click();
  await page.keyboard.press('Control+Enter');
  const { data, errors } = await answer();

  assert.equal(errors, undefined);
  assert.equal(data.rateUpdated.base, 'EUR');
  assert.equal(data.rateUpdated.source.code, 'DEMO');
  assert.deepEqual(sockets, [`ws://${server.host}/graphql`]);
  await page.getByRole('button', { name: /stop query/i }).click();
  await page.getByRole('button', { name: /execute query/i }).waitFor(WAIT);
});

test('a question is answered in a stream, with its citations and its quote', async () => {
  const question = `subscription Ask {
  answerStream(input: {
    idempotencyKey: "a-key-of-the-browser", locale: "en", asOf: "2026-02-10"
    question: "How much export duty is due on 12.5 tonnes of cocoa beans filed on 10 February 2026 and paid on 8 August 2025?"
  }) {
    __typename
    sequence
    ... on AnswerCompleted {
      result {
        ... on Answer {
          text
          calculation { product dutyIdr { amount } steps { label value } }
          citations { marker quote chunk { regulation { number } } }
        }
      }
    }
  }
}`;
  await page.getByRole('button', { name: /add tab|new tab/i }).click();
  await page.waitForFunction(
    text => {
      const model = globalThis.__MONACO.editor.getModels().find(({ uri }) => uri.path.endsWith('operation.graphql'));
      if (!model) return false;
      if (model.getValue() !== text) model.setValue(text);
      return localStorage.getItem('graphiql:query')?.includes('answerStream');
    },
    question,
    WAIT,
  );
  await page.locator('.graphiql-query-editor .view-line', { hasText: 'subscription' }).click();
  await page.keyboard.press('Control+Enter');
  // The pane shows one event after the other.
  await page.locator('.graphiql-response .view-lines').getByText('"AnswerCompleted"').waitFor(WAIT);
  const { data, errors } = await answer();

  assert.equal(errors, undefined);
  const { text, calculation, citations } = data.answerStream.result;
  assert.equal(calculation.product, 'Cocoa beans');
  assert.equal(calculation.dutyIdr.amount, '82336500');
  assert.ok(text.includes('82336500'), 'the amount of the quote is in the answer');
  assert.ok(citations.some(({ chunk }) => chunk.regulation.number === 'PMK 68/2025'), 'the rule is cited');
  assert.ok(data.answerStream.sequence > 2, 'sources and words came before');
  if (process.env.SCREENSHOT) await page.screenshot({ path: process.env.SCREENSHOT.replace('.png', '-assistant.png') });
});

test('everything came from the server and nothing was complained about', () => {
  const elsewhere = requests
    .map(request => new URL(request))
    .filter(({ protocol, origin }) => !['data:', 'blob:'].includes(protocol) && origin !== server.origin);
  assert.deepEqual(elsewhere.map(String), []);
  for (const worker of ['editor', 'graphql', 'json']) {
    assert.ok(requests.some(request => request.includes(`/${worker}.worker-`)), `the ${worker} worker was loaded`);
  }
  assert.deepEqual(complaints, []);
});
