// Every endpoint that takes a key, in the order of the document.

import type { Endpoint } from '../endpoint.ts';
import { adjustmentRoutes } from './adjustments.ts';
import { checkoutRoutes } from './checkouts.ts';
import { discrepancyRoutes } from './discrepancies.ts';
import { disputeRoutes } from './disputes.ts';
import { ledgerRoutes } from './ledger.ts';
import { operationRoutes } from './operations.ts';
import { orderRoutes } from './orders.ts';
import { payeeRoutes } from './payees.ts';
import { payinRoutes } from './payins.ts';
import { payoutRoutes } from './payouts.ts';
import { refundRoutes } from './refunds.ts';
import { transferRoutes } from './transfers.ts';
import { treasuryRoutes } from './treasury.ts';
import { unappliedRoutes } from './unapplied.ts';
import { walletRoutes } from './wallets.ts';
import { webhookEndpointRoutes } from './webhook-endpoints.ts';

export const endpoints: readonly Endpoint[] = [
  ...walletRoutes,
  ...checkoutRoutes,
  ...orderRoutes,
  ...payinRoutes,
  ...refundRoutes,
  ...disputeRoutes,
  ...transferRoutes,
  ...payeeRoutes,
  ...payoutRoutes,
  ...ledgerRoutes,
  ...adjustmentRoutes,
  ...treasuryRoutes,
  ...operationRoutes,
  ...unappliedRoutes,
  ...discrepancyRoutes,
  ...webhookEndpointRoutes,
];
