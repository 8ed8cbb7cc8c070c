// Rows as a table: what each column is called and how it is set. Keys lead to the timeline of their operation.

import { html } from 'hono/html';
import { OPERATION_KINDS } from '../domain/id.ts';
import { formatMoney, isCurrency } from '../domain/money.ts';

export type Row = Readonly<Record<string, unknown>>;
export type Html = ReturnType<typeof html>;

export function table(title: string, rows: readonly Row[], columns: readonly string[]): Html {
  if (rows.length === 0) return html``;
  return html`<section>
    <h2>${title} <small>${rows.length}</small></h2>
    <table>
      <thead>
        <tr>
          ${columns.map((column) => html`<th class="${CLASSES[column] ?? 'word'}">${HEADINGS[column] ?? column}</th>`)}
        </tr>
      </thead>
      <tbody>
        ${rows.map((row) => html`<tr>${columns.map((column) => cell(row, column))}</tr>`)}
      </tbody>
    </table>
  </section>`;
}

const HEADINGS: Readonly<Record<string, string>> = {
  semantic_key: 'Key',
  amount: 'Money',
  provider: 'Provider',
  reason: 'Why',
  age_seconds: 'Age',
  extern_payment_id: "Provider's id",
  detail: 'Detail',
  unapplied_id: 'Id',
  dispute_id: 'Dispute',
  order_id: 'Order',
  evidence_due: 'Evidence due',
  url: 'Endpoint',
  status: 'Status',
  failed: 'Given up',
  attempts: 'Attempts',
  next_look_at: 'Next look',
  kind: 'Kind',
  count: 'Count',
  check: 'Check',
  state: 'State',
  at: 'At',
  type: 'What',
  facts: 'Facts',
};

/** How a column is set; the others hold a word or two that are never broken. */
const CLASSES: Readonly<Record<string, 'id' | 'text' | 'number'>> = {
  semantic_key: 'id',
  extern_payment_id: 'id',
  unapplied_id: 'id',
  dispute_id: 'id',
  order_id: 'id',
  url: 'id',
  detail: 'text',
  facts: 'text',
  amount: 'number',
  count: 'number',
  failed: 'number',
  attempts: 'number',
  age_seconds: 'number',
};

/** An id that is cut is whole in its title, and when it is copied. */
function cell(row: Row, column: string): Html {
  const name = CLASSES[column] ?? 'word';
  const text = textOf(row, column);
  if (column === 'detail') return html`<td class="text">${text} ${ids(row)}</td>`;
  if (column === 'semantic_key') return html`<td class="id" title="${text}">${withTimeline(row, text)}</td>`;
  return name === 'id' ? html`<td class="id" title="${text}">${text}</td>` : html`<td class="${name}">${text}</td>`;
}

/** What has to be pasted to close it, and to find it at the provider and in the log. */
function ids(row: Row): Html {
  const known = ID_COLUMNS.filter((column) => typeof row[column] === 'string');
  return html`${known.map((column) => html`<br /><small>${column} <code>${String(row[column])}</code></small>`)}`;
}

const ID_COLUMNS = ['discrepancy_id', 'extern_payment_id', 'pkid'] as const;

function withTimeline({ kind, semantic_key: key }: Row, text: string): Html {
  const known = OPERATION_KINDS.find((one) => one === kind);
  if (known === undefined || typeof key !== 'string') return html`${text}`;
  return html`<a href="${`/timeline/${known}/${encodeURIComponent(key)}`}">${text}</a>`;
}

function textOf(row: Row, column: string): string {
  const value = row[column];
  if (value === null || value === undefined) return '-';
  if (column === 'amount') return moneyText(String(value), String(row.currency ?? ''));
  if (column === 'age_seconds') return ageText(Number(value));
  return String(value);
}

export function moneyText(minor: string, code: string): string {
  return isCurrency(code) ? formatMoney({ amountMinor: BigInt(minor), currency: code }) : minor;
}

function ageText(seconds: number): string {
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7200) return `${Math.floor(seconds / 60)} min`;
  return seconds < 172_800 ? `${Math.floor(seconds / 3600)} h` : `${Math.floor(seconds / 86_400)} d`;
}
