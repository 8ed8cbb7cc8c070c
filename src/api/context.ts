// What handlers work with: the options of the API and the lives and readers that are made from them.

import type { Checkout } from '../entities/checkout.ts';
import type { Payee } from '../entities/payee.ts';
import type { Wallet } from '../entities/wallet.ts';
import { type AdjustmentLife, createAdjustmentLife } from '../jobs/adjustment.ts';
import { createPayeeLife, type PayeeLife } from '../jobs/payee.ts';
import { createTreasuryLife, type TreasuryLife } from '../jobs/treasury.ts';
import { createWalletLife, type WalletLife } from '../jobs/wallet.ts';
import { createWebhookEndpoints, type WebhookEndpoints } from '../jobs/webhook-endpoint.ts';
import { type Table, tableOf } from '../ledger/table.ts';
import type { ApiOptions } from './options.ts';

export interface Api extends ApiOptions {
  readonly walletLife: WalletLife;
  readonly payeeLife: PayeeLife;
  readonly adjustmentLife: AdjustmentLife;
  readonly treasuryLife: TreasuryLife;
  readonly webhookEndpoints: WebhookEndpoints;
  readonly walletTable: Table<Wallet>;
  readonly payeeTable: Table<Payee>;
  readonly checkoutTable: Table<Checkout>;
}

export function createContext(options: ApiOptions): Api {
  return {
    ...options,
    walletLife: createWalletLife(options),
    payeeLife: createPayeeLife(options),
    adjustmentLife: createAdjustmentLife(options),
    treasuryLife: createTreasuryLife(options),
    webhookEndpoints:
      options.webhookEndpoints ??
      createWebhookEndpoints({ db: options.db, allowHosts: [], enqueue: async () => undefined }),
    walletTable: tableOf<Wallet>(options.db, 'Wallet'),
    payeeTable: tableOf<Payee>(options.db, 'Payee'),
    checkoutTable: tableOf<Checkout>(options.db, 'Checkout'),
  };
}
