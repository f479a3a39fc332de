// What the peers share: the schema, the statements and the formats of the answer. What differs between them is how
// each runs an operation, which is what is measured.

import { readFileSync } from 'node:fs';
import pg from 'pg';

/** The part of Dermaga's schema that the operation uses. */
export const typeDefs = `
  scalar CurrencyCode
  scalar Date
  scalar DateTime
  scalar Decimal

  enum PaymentStatus { OPEN PARTIALLY_PAID PAID CANCELLED WRITTEN_OFF }
  enum InstallmentStatus { PENDING PARTIALLY_PAID PAID WAIVED VOID }

  type Query {
    payments(first: Int! = 20, after: String): PaymentConnection!
  }

  type PaymentConnection {
    nodes: [Payment!]!
    pageInfo: PageInfo!
  }

  type PageInfo {
    hasNextPage: Boolean!
    endCursor: String
  }

  type Payment {
    id: ID!
    reference: String!
    status: PaymentStatus!
    payerName: String
    createdAt: DateTime!
    amount: Money!
    outstanding: Money!
    installments(first: Int! = 12): InstallmentConnection!
  }

  type InstallmentConnection {
    nodes: [Installment!]!
  }

  type Installment {
    id: ID!
    sequence: Int!
    dueDate: Date!
    status: InstallmentStatus!
    amount: Money!
    outstanding: Money!
  }

  type Money {
    amount: Decimal!
    currency: CurrencyCode!
  }
`;

// A day and an instant stay what PostgreSQL wrote: a JavaScript date has no microseconds and no day without a time.
const { DATE, TIMESTAMPTZ } = pg.types.builtins;
pg.types.setTypeParser(DATE, (text) => text);
pg.types.setTypeParser(TIMESTAMPTZ, (text) => text);

/** How a pool is opened: as many connections as Dermaga has by default, in the time zone of the answer. */
export const poolOptions = { connectionString: process.env.DATABASE_URL, max: 10, options: '-c TimeZone=UTC' };

/** The account of a server without sign-in. */
export async function demoAccount(pool) {
  const { rows } = await pool.query("SELECT id FROM account WHERE name = 'demo'");
  if (rows.length === 0) throw new Error('there is no demo account in this database');
  return rows[0].id;
}

const PAYMENTS = 'SELECT id, reference, status, payer_name, created_at, amount, outstanding, currency FROM payment';

/** A page of the payments of an account, the newest first, and whether there are more. */
export async function paymentPage(pool, account, first, after) {
  const [at, id] = after == null ? [] : Buffer.from(after, 'base64url').toString().split(' ');
  // One row more tells whether there is another page.
  const { rows } =
    after == null
      ? await pool.query({
          name: 'payments',
          text: `${PAYMENTS} WHERE account_id = $1 ORDER BY created_at DESC, id DESC LIMIT $2`,
          values: [account, first + 1],
        })
      : await pool.query({
          name: 'payments-after',
          text: `${PAYMENTS} WHERE account_id = $1 AND (created_at, id) < ($3, $4)
                 ORDER BY created_at DESC, id DESC LIMIT $2`,
          values: [account, first + 1, at, id],
        });
  return { nodes: rows.length > first ? rows.slice(0, first) : rows, hasNextPage: rows.length > first };
}

/** The page info of a page: its cursor is where the last payment stands in the order. */
export function pageInfo({ nodes, hasNextPage }) {
  const last = nodes.at(-1);
  const endCursor = last ? Buffer.from(`${instant(last.created_at)} ${last.id}`).toString('base64url') : null;
  return { hasNextPage, endCursor };
}

/** The installments of each of these payments, by due date, in the order of the payments; in one statement. */
export async function installmentsOfPayments(pool, account, payments) {
  const { rows } = await pool.query({
    name: 'installments',
    text: `SELECT id, payment_id, sequence, due_date, status, amount, outstanding, currency FROM installment
           WHERE account_id = $1 AND payment_id = ANY($2) ORDER BY due_date, sequence, id`,
    values: [account, payments],
  });
  const lists = new Map(payments.map((id) => [id, []]));
  for (const row of rows) lists.get(row.payment_id).push(row);
  return payments.map((id) => lists.get(id));
}

const minorUnits = new Map(
  readFileSync(new URL('../../api/data/currencies.csv', import.meta.url), 'utf8')
    .split('\n')
    .slice(1)
    .filter((line) => line !== '')
    .map((line) => line.split(','))
    .map(([code, , digits]) => [code, Number(digits)]),
);

/** An amount in minor units, which the driver gives as text, in major units with all digits of its currency. */
export function decimal(minor, currency) {
  const digits = minorUnits.get(currency);
  if (digits === 0) return minor;
  const padded = minor.padStart(digits + 1, '0');
  return `${padded.slice(0, -digits)}.${padded.slice(-digits)}`;
}

/** A UUID as a global id. */
export function globalId(prefix, uuid) {
  return `${prefix}_${uuid.replaceAll('-', '')}`;
}

/**
 * An instant of PostgreSQL with 0, 3 or 6 digits after the second: `2026-10-27 06:03:23.4+00`, or with a `T` and always
 * six digits as PostGraphile asks for it.
 */
export function instant(text) {
  const fraction = text.slice(20, text.lastIndexOf('+')).padEnd(6, '0');
  const digits = fraction === '000000' ? '' : `.${fraction.endsWith('000') ? fraction.slice(0, 3) : fraction}`;
  return `${text.slice(0, 10)}T${text.slice(11, 19)}${digits}Z`;
}

/** What fields are that do not stand in the row as they are answered. */
export const resolvers = {
  Payment: {
    id: (row) => globalId('pay', row.id),
    payerName: (row) => row.payer_name,
    createdAt: (row) => instant(row.created_at),
    amount: (row) => ({ minor: row.amount, currency: row.currency }),
    outstanding: (row) => ({ minor: row.outstanding, currency: row.currency }),
  },
  Installment: {
    id: (row) => globalId('ins', row.id),
    dueDate: (row) => row.due_date,
    amount: (row) => ({ minor: row.amount, currency: row.currency }),
    outstanding: (row) => ({ minor: row.outstanding, currency: row.currency }),
  },
  Money: {
    amount: (money) => decimal(money.minor, money.currency),
  },
  PaymentConnection: { pageInfo },
};

/** Says where a server listens, in a line for the program that started it. */
export function listening(port) {
  console.log(JSON.stringify({ port }));
}
