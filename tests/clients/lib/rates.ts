// What the demo ticker sends: `dermaga serve --demo-ticker 1`.

import assert from 'node:assert/strict';

import type { RateUpdatedSubscription } from '../generated/graphql';

/** Asserts that these are ticks of the demo ticker: made-up rates that say so, and that move. */
export function assertTicks(ticks: (RateUpdatedSubscription | null | undefined)[], quotes: string[]): void {
  for (const tick of ticks) {
    assert.ok(tick);
    const { base, quote, rate, effectiveDate, source } = tick.rateUpdated;
    assert.equal(base, 'EUR');
    assert.ok(quotes.includes(quote), quote);
    assert.match(rate, /^\d+(\.\d+)?$/);
    assert.match(effectiveDate, /^\d{4}-\d{2}-\d{2}$/);
    assert.equal(source.code, 'DEMO');
  }
  for (const quote of quotes) {
    const rates = ticks.filter(tick => tick?.rateUpdated.quote === quote).map(tick => tick?.rateUpdated.rate);
    assert.ok(rates.length > 1, `${quote} came twice or more`);
    assert.equal(new Set(rates).size, rates.length, `each rate of ${quote} is another`);
  }
}
