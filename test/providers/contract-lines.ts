// What the contract runs on: each provider with each kind of payment it has, and how an operation of it is made.

import { type Pkid, pkidOf } from '../../src/domain/id.ts';
import { type Money, parseCurrency } from '../../src/domain/money.ts';
import type { Answer, CallLimits, PaymentKind, Payments, Provider, Reference } from '../../src/domain/provider.ts';
import type { Made, Moved } from './rig.ts';

export interface Line {
  readonly name: Made;
  readonly kind: PaymentKind;
  /** The account or token that carries a behaviour word; of a refund, the token of its pay-in. */
  readonly targetOf: (word: string, label: string) => string;
  /** Whether the first of two calls moves nothing. */
  readonly stages: 1 | 2;
  /** Whether a payment whose answer was lost is found without the provider's id. */
  readonly isFindable: boolean;
  /** Whether the first of two calls may move the money all the same, on an account that is not the sandbox. */
  readonly mayMoveAtSend?: boolean;
  /** Whether the sandbox has words for its first step, after `reserve_`. */
  readonly reserves?: boolean;
  /** Of USD, JPY, KWD and HUF. */
  readonly currencies: readonly string[];
}

/** Some providers' names have nothing but letters, digits and few signs in them. */
const plain = (prefix: string) => (word: string, label: string) =>
  `${prefix}_${word}_${label.replaceAll(/[^A-Za-z0-9]/g, '-')}`;
const ALL = ['USD', 'JPY', 'KWD', 'HUF'];
const NO_DINARS = ['USD', 'JPY', 'HUF'];

export const LINES: readonly Line[] = [
  { name: 'stripe', kind: 'payin', targetOf: plain('pm'), stages: 1, isFindable: true, currencies: ALL },
  { name: 'stripe', kind: 'refund', targetOf: plain('pm_refund'), stages: 1, isFindable: true, currencies: ALL },
  { name: 'stripe', kind: 'payout', targetOf: plain('acct'), stages: 1, isFindable: true, currencies: ALL },
  {
    name: 'paypal',
    kind: 'payin',
    targetOf: plain('tok'),
    stages: 2,
    isFindable: false,
    currencies: NO_DINARS,
    mayMoveAtSend: true,
  },
  {
    name: 'paypal',
    kind: 'refund',
    targetOf: plain('tok_refund'),
    stages: 1,
    isFindable: true,
    currencies: NO_DINARS,
  },
  {
    name: 'paypal',
    kind: 'payout',
    targetOf: (word, label) => `${plain('seller')(word, label)}@example.com`,
    stages: 1,
    isFindable: false,
    currencies: NO_DINARS,
  },
  {
    name: 'square',
    kind: 'payin',
    targetOf: plain('tok'),
    stages: 2,
    isFindable: false,
    currencies: ALL,
    reserves: true,
  },
  { name: 'square', kind: 'refund', targetOf: plain('tok_refund'), stages: 1, isFindable: false, currencies: ALL },
  { name: 'tipalti', kind: 'payout', targetOf: plain('payee'), stages: 1, isFindable: true, currencies: ALL },
  { name: 'demobank', kind: 'payout', targetOf: plain('acct'), stages: 2, isFindable: true, currencies: ALL },
];

export interface Operation {
  readonly name: Made;
  readonly kind: PaymentKind;
  readonly pkid: Pkid;
  readonly semanticKey: string;
  readonly money: Money;
  /** A payout's account or a pay-in's token. */
  readonly target: string;
  /** Of a refund. */
  readonly payinExternId: string | null;
}

/** Above what any provider takes at least. */
export const FIFTEEN = { amountMinor: 1500n, currency: parseCurrency('USD') };

export interface Asked {
  readonly word: string;
  readonly label: string;
  readonly money?: Money;
}

/** An operation of its own for each label; a refund gets its pay-in from the caller. */
export function operationOf(line: Line, { word, label, money = FIFTEEN }: Asked): Operation {
  const semanticKey = `${line.name}.${line.kind}:${word}:${label}`;
  return {
    name: line.name,
    kind: line.kind,
    pkid: pkidOf(line.kind, semanticKey),
    semanticKey,
    money,
    target: line.targetOf(word, label),
    payinExternId: null,
  };
}

/** How the book shows that it moved its money. */
export function bookOf({ name, kind, money }: Operation): Moved {
  const direction = ({ payin: 'in', payout: 'out', refund: 'refund' } as const)[kind];
  return { provider: name, direction, amount: String(money.amountMinor), currency: money.currency };
}

export function nameOf({ name, kind }: Line): string {
  return `${name} ${kind}`;
}

/** For a table of tests. */
export function namedLines(lines: readonly Line[]) {
  return lines.map((line) => [nameOf(line), line] as const);
}

/** The port of one kind, with the order's particulars filled in. */
export interface OperationPayments {
  readonly facts: Omit<Payments<never>, 'send' | 'confirm' | 'cancel' | 'find'>;
  send(call: { key: string; money: Money }, limits: CallLimits): Promise<Answer>;
  confirm(reference: Reference, limits: CallLimits): Promise<Answer>;
  cancel(reference: Reference, limits: CallLimits): Promise<Answer>;
  find(reference: Reference, limits: CallLimits): Promise<Answer>;
}

export function paymentsOf(provider: Provider, operation: Operation): OperationPayments {
  const { pkid, semanticKey, target, payinExternId } = operation;
  const bind = <Order>(payments: Payments<Order> | null, orderOf: (call: { key: string; money: Money }) => Order) => {
    if (payments === null) throw new Error(`${provider.name} has no payments of the kind ${operation.kind}.`);
    return {
      facts: payments,
      send: (call: { key: string; money: Money }, limits: CallLimits) => payments.send(orderOf(call), limits),
      confirm: payments.confirm,
      cancel: payments.cancel,
      find: payments.find,
    };
  };
  switch (operation.kind) {
    case 'payout':
      return bind(provider.payout, (call) => ({ ...call, pkid, semanticKey, beneficiary: target }));
    case 'payin':
      return bind(provider.payin, (call) => ({ ...call, ...BUYER, pkid, semanticKey, token: target }));
    case 'refund':
      return bind(provider.refund, (call) => {
        if (payinExternId === null) throw new Error('A refund needs its pay-in.');
        return { ...call, pkid, semanticKey, payinExternId };
      });
  }
}

const BUYER = {
  returnUrl: 'https://shop.example/back',
  cancelUrl: 'https://shop.example/cancelled',
  statementDescriptor: null,
  buyer: { email: 'buyer@example.com', ip: null },
};

export function referenceOf({ pkid, payinExternId }: Operation, externId: string | null = null): Reference {
  return { pkid, externId, key: pkid, payinExternId };
}
