// What outgoing webhooks carry: the resource that an event speaks of, as GET returns it.

import { PaymentError } from '../../domain/errors.ts';
import { isPkid, type Pkid } from '../../domain/id.ts';
import type { Subject, SubjectKind } from '../../domain/outgoing.ts';
import { PayeeEntity } from '../../entities/payee.ts';
import { createRowLoader } from '../../ledger/loader.ts';
import type { Table } from '../../ledger/table.ts';
import type { Tables } from '../../ledger/writes.ts';
import type { Db, Sql } from '../../runtime/db.ts';
import { presentDisputes } from './dispute.ts';
import { presentOrder } from './order.ts';
import { presentPayee } from './payee.ts';
import { presentPayins } from './payin.ts';
import { presentPayouts } from './payout.ts';
import { presentRefunds } from './refund.ts';
import { presentTransfer } from './transfer.ts';

export function renderSubject({ db, tables }: { db: Db; tables: Tables }): (subject: Subject) => Promise<unknown> {
  const renderers = {
    payin: rowRenderer(db, tables.payin, presentPayins),
    payout: rowRenderer(db, tables.payout, presentPayouts),
    refund: rowRenderer(db, tables.refund, presentRefunds),
    transfer: rowRenderer(db, tables.transfer, async (rows) => rows.map(presentTransfer)),
    order: rowRenderer(db, tables.order, async (rows) => rows.map(presentOrder)),
    dispute: rowRenderer(db, tables.dispute, presentDisputes),
    async payee(subject) {
      const payee = await db.em().findOne(PayeeEntity, { payeeId: subject.semanticKey });
      if (payee === null) throw gone(subject);
      return presentPayee(payee);
    },
  } satisfies Record<SubjectKind, Renderer>;
  return (subject) => renderers[subject.kind](subject);
}

type Renderer = (subject: Subject) => Promise<unknown>;

function rowRenderer<Row extends { readonly pkid: Pkid }>(
  db: Db,
  table: Table<Row>,
  present: (rows: readonly Row[], client: Sql) => Promise<readonly unknown[]>,
): Renderer {
  const rows = createRowLoader(db.sql, table);
  return async (subject) => {
    const row = isPkid(subject.pkid) ? await rows.load(subject.pkid) : null;
    if (row === null) throw gone(subject);
    const [view] = await present([row], db.sql);
    return view;
  };
}

function gone({ kind, semanticKey }: Subject): PaymentError {
  return new PaymentError('internal', { detail: `The ${kind} "${semanticKey}" of an event is gone. Run the audit.` });
}
