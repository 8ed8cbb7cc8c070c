// Writes docs/states.md from the table of moves: node scripts/states.ts > docs/states.md
// The words beside each state, move and failure code stand here; the compiler names the one that was forgotten.

import { fileURLToPath } from 'node:url';
import { FAILURE_CODES, type FailureCode, isFinal, MOVES, STATUSES, type Status } from '../src/domain/state-machine.ts';

type Move = { [From in Status]: `${From} -> ${(typeof MOVES)[From][number]}` }[Status];

const STATE_WORDS: Record<Status, string> = {
  initialized: 'The intention is on record. Nobody has talked to a provider, and no money is reserved here.',
  in_process: 'A worker has taken it: what leaves a wallet is held, and a provider may have been asked to move money.',
  succeeded: 'The money has moved, and one posting says so. What comes back later is a further posting.',
  failed: 'No money has moved, and the hold is released. A new try is a new operation under a new key.',
};

const MOVE_WORDS: Record<Move, string> = {
  'initialized -> in_process': 'A worker claims a confirmed operation and holds what leaves a wallet, in one commit.',
  'initialized -> failed':
    'Cancelled, expired before it was confirmed, or refused by the ledger when the amount was to be held.',
  'in_process -> succeeded':
    'The provider proves that it moved the approved amount, to the approved account or from the buyer.',
  'in_process -> failed':
    'A documented final decline, an error that is proven to have moved nothing, or a verdict by an operator.',
};

const FAILURE_WORDS: Record<FailureCode, string> = {
  insufficient_funds: 'The wallet had less available than the amount when it was to be held or moved.',
  declined: 'The provider refused this payment for good; its words stand in `failure.detail`.',
  provider_insufficient_funds: 'Our own balance at the provider was too small. Somebody has to top it up.',
  provider_error: 'The provider keeps an error under our key, and a look-up shows that nothing was paid.',
  payee_not_payable: 'The payee is blocked or not yet ready to be paid.',
  expired: 'It was not confirmed, or not paid by its buyer, in time, and was cancelled at the provider.',
  canceled: 'Cancelled on request, or with its checkout, before any money could move.',
  limit_exceeded: 'A balance would have grown past what the ledger can count.',
  resolved_by_operator: 'A person decided, after asking the provider; the reason is on record.',
};

export function statesPage(): string {
  const moves = STATUSES.flatMap((from) => MOVES[from].map((to) => ({ from, to, name: nameOf(from, to) })));
  const ends = STATUSES.filter(isFinal);
  return `# States of an operation
Made by \`node scripts/states.ts > docs/states.md\` from \`src/domain/state-machine.ts\`; change it there.

Every pay-in, payout, refund and transfer is in one of ${STATUSES.length} states.
${ends.map((status) => `\`${status}\``).join(' and ')} are final and never change.

\`\`\`mermaid
stateDiagram-v2
  [*] --> ${STATUSES[0]}
${moves.map(({ from, to }) => `  ${from} --> ${to}`).join('\n')}
${ends.map((status) => `  ${status} --> [*]`).join('\n')}
\`\`\`

| state | means |
|---|---|
${STATUSES.map((status) => `| \`${status}\` | ${STATE_WORDS[status]} |`).join('\n')}

| move | happens when |
|---|---|
${moves.map(({ name }) => `| \`${name}\` | ${MOVE_WORDS[name]} |`).join('\n')}

All other moves are refused by the code (\`move()\`) and reported by the audit (A10). Each move leaves a row in
\`status_change\`, which can only be added to. Of a transfer only that it failed is written there, because everything
else follows from what stays as well: when it was taken in from its row, and its success, which passes \`in_process\`
inside the one commit that ends it, from its posting. The timeline shows every move.

## Why an operation failed
| \`failure.code\` | means |
|---|---|
${FAILURE_CODES.map((code) => `| \`${code}\` | ${FAILURE_WORDS[code]} |`).join('\n')}

## What is not a state
- **Waiting for a person** is \`in_process\` with a \`review\` reason. It keeps its hold, is asked about every
  minute, and leaves review by itself when the provider gives a final answer. See [runbook.md](runbook.md).
- **Cancelled** is \`failed\` with the code \`canceled\`.
- **Returned** is \`succeeded\` with an entry under \`reversals\`: a payout or a refund came back, or a buyer's payment
  was taken back, and a posting of its own says where the money is now.
- **Waiting for the buyer** is a pay-in \`in_process\` with a \`next_action\`.
- **Waiting for our balance** is \`in_process\` with \`waiting: "provider_funds"\`: nothing was sent yet.
- **Open, paid, delivered** are read off a checkout and its orders; see [checkouts.md](checkouts.md).
- **Confirmed** is a time (\`confirmed_at\`). A confirmed operation stays \`initialized\` until a worker claims it,
  so that \`in_process\` always means: somebody may have talked to the provider.
`;
}

function nameOf(from: Status, to: Status): Move {
  const name = `${from} -> ${to}`;
  if (!isMove(name)) throw new Error(`No words for ${name}. Add them to MOVE_WORDS.`);
  return name;
}

function isMove(name: string): name is Move {
  return Object.hasOwn(MOVE_WORDS, name);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.stdout.write(statesPage());
