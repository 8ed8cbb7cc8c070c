// The mutants: each breaks one promise in one place, as a hurried change might, and the named tests must notice it.

export interface Mutant {
  readonly name: string;
  /** What no longer holds in it. */
  readonly promise: string;
  readonly file: string;
  /** Stands in the file exactly once. */
  readonly find: string;
  readonly replace: string;
  /** The test files of which one must turn red. */
  readonly killers: readonly string[];
}

export const MUTANTS: readonly Mutant[] = [
  {
    name: 'key-per-attempt',
    promise: 'An operation goes to its provider under one key, in all attempts.',
    file: 'src/jobs/payment/records.ts',
    find: "const key = step === 'send' || step === 'find' ?",
    replace: [
      "const isAgain = step === 'send' && row.attempt > 1;",
      "  const key = isAgain ? stepKeyOf(row.pkid, `send:${row.attempt}`) : step === 'send' || step === 'find' ?",
    ].join('\n'),
    killers: ['test/jobs/payout-attempts.test.ts'],
  },
  {
    name: 'timeout-is-failed',
    promise: 'Unknown is not failed: an answer that never came leaves the operation in process.',
    file: 'src/domain/verdict.ts',
    find: "return { type: 'unknown', notBefore: provedFrom(evidence) };",
    replace: "return { type: 'failed', code: 'provider_error', detail: 'The provider did not answer.' };",
    killers: ['test/domain/verdict.test.ts'],
  },
  {
    name: 'hold-released-on-5xx',
    promise: 'A 5xx of a provider is no decline: the operation stays in process, with its hold.',
    file: 'src/jobs/payment/call.ts',
    find: 'if (error instanceof PaymentError && error.surprise !== undefined) {',
    replace: [
      'if (error instanceof PaymentError && error.surprise !== undefined) {',
      '      if ((error.surprise.httpStatus ?? 0) >= 500) {',
      "        return { type: 'declined', code: 'declined', detail: 'It failed.', externId: null, isOpen: false };",
      '      }',
    ].join('\n'),
    killers: ['test/jobs/payout-attempts.test.ts'],
  },
  {
    name: 'settle-without-attempt',
    promise: 'Only the worker whose claim is the present one settles; another one finds its attempt gone.',
    file: 'src/jobs/payment/steps.ts',
    find: ' && row.leased && row.attempt === claimed.attempt;',
    replace: ' && row.leased;',
    killers: ['test/jobs/payout-attempts.test.ts'],
  },
  {
    name: 'answer-before-commit',
    promise: '202 is sent only after the row is committed.',
    file: 'src/ledger/intake.ts',
    find: 'const inserting = insertOperations(statements, table, { kind, rows });',
    replace: [
      'const inserting = insertOperations(statements, table, { kind, rows }).then((inserted) => {',
      "    for (const { item, row } of first.values()) item.resolve({ type: 'created', row });",
      '    return inserted;',
      '  });',
    ].join('\n'),
    killers: ['test/api/commit-first.test.ts'],
  },
  {
    name: 'no-reconcile',
    promise: 'What is due is run, whatever became of its job.',
    file: 'src/jobs/reconcile.ts',
    find: 'const due = [...(await readDue(db)), ...(await dueDeliveries())];',
    replace: 'const due: DueRow[] = [];',
    killers: ['test/jobs/reconcile-stuck-job.test.ts'],
  },
  {
    name: 'reconcile-adds-a-job',
    promise: 'Reconcile runs the row itself: under the id of a job that the queue still has, no other can be added.',
    file: 'src/app.ts',
    find: 'createReconcile({ db, runner, events,',
    replace: [
      'createReconcile({ db, events, runner: { ...runner, run: async (kind, pkid) => {',
      '      const row = await lives[`${kind}s`].find(pkid);',
      '      if (row !== null) await life.enqueue({ kind, pkid, semanticKey: row.semanticKey });',
      '    } },',
    ].join('\n'),
    killers: ['test/jobs/reconcile-stuck-job.test.ts'],
  },
  {
    name: 'webhook-sets-the-status',
    promise: 'An event of a provider is a hint to ask it, never a verdict.',
    file: 'src/jobs/webhook-in.ts',
    find: "await runner.run(kind, pkid, { reason: 'webhook' });",
    replace: [
      "const { sql } = await import('kysely');",
      "    await sql`UPDATE ${sql.table(kind)} SET status = 'succeeded', extern_payment_id = ${externId},",
      '      due_at = NULL, leased = false, final_at = clock_timestamp() WHERE pkid = ${pkid}::uuid`.execute(db.sql);',
    ].join('\n'),
    killers: ['test/jobs/webhook-in.test.ts'],
  },
  {
    name: 'webhook-answered-before-commit',
    promise: 'A webhook is answered with 200 only after its event is stored.',
    file: 'src/jobs/webhook-in.ts',
    find: 'const isNew = await inbox.store(',
    replace: 'const isNew = true;\n      void inbox.store(',
    killers: ['test/api/commit-first.test.ts'],
  },
  {
    name: 'refund-sum-without-lock',
    promise: 'Refunds that come at once never exceed their order: its row is locked, then they are summed.',
    file: 'src/ledger/locks.ts',
    find: 'lockOperations(statements, tables.order, orderPkidsOf(lanes)),',
    replace: 'readRows(statements, tables.order, orderPkidsOf(lanes)),',
    killers: ['test/jobs/refund-race.test.ts'],
  },
  {
    name: 'unordered-locks',
    promise: 'Wallets are locked in one order in every process, so that no two wait for each other.',
    file: 'src/ledger/wallets.ts',
    find: "ORDER BY wallet_id LIKE '@%', wallet_id FOR NO KEY UPDATE",
    replace: 'ORDER BY array_position($1::text[], wallet_id) FOR NO KEY UPDATE',
    killers: ['test/ledger/lock-order.test.ts'],
  },
  {
    name: 'no-lease',
    promise: 'A row that is claimed belongs to its worker until its lease has run out.',
    file: 'src/domain/payment.ts',
    find: "if (!isFirst && !isDue) return { type: 'idle' };",
    replace: '',
    killers: ['test/domain/payment.test.ts'],
  },
  {
    name: 'second-payin-of-a-checkout',
    promise: 'At most one pay-in of a checkout is not failed.',
    file: 'src/entities/migrations/0002-checkouts.sql',
    find: 'CREATE UNIQUE INDEX payin_checkout_once ON',
    replace: 'CREATE INDEX payin_checkout_once ON',
    killers: ['test/jobs/checkout.test.ts'],
  },
  {
    name: 'full-fee-after-a-partial-refund',
    promise: 'Of what is refunded, the commission goes back in proportion.',
    file: 'src/domain/order.ts',
    find: 'return (order.feeMinor * backMinor) / order.amountMinor;',
    replace: 'return backMinor === order.amountMinor ? order.feeMinor : 0n;',
    killers: ['test/domain/order.test.ts'],
  },
  {
    name: 'send-after-the-deadline',
    promise: 'A worker that was paused beyond its send deadline does not send.',
    file: 'src/jobs/payment/call.ts',
    find: "return leftMs() < 0 ? { reason: 'send_deadline', retryAfterMs: 0 } : null;",
    replace: 'return null;',
    killers: ['test/jobs/payout.test.ts'],
  },
  {
    name: 'clock-of-the-worker',
    promise: 'Who owns a row, and until when, is decided by the clock of the database.',
    file: 'src/ledger/outgoing.ts',
    find: 'return { now: new Date(row.now),',
    replace: 'return { now: new Date(),',
    killers: ['test/scenarios/wrong-clock.test.ts'],
  },
];
