// Every endpoint that takes a key, in the order of the document.

import type { Endpoint } from '../endpoint.ts';
import { adjustmentRoutes } from './adjustments.ts';
import { discrepancyRoutes } from './discrepancies.ts';
import { ledgerRoutes } from './ledger.ts';
import { operationRoutes } from './operations.ts';
import { payeeRoutes } from './payees.ts';
import { payoutRoutes } from './payouts.ts';
import { transferRoutes } from './transfers.ts';
import { treasuryRoutes } from './treasury.ts';
import { walletRoutes } from './wallets.ts';
import { webhookEndpointRoutes } from './webhook-endpoints.ts';

export const endpoints: readonly Endpoint[] = [
  ...walletRoutes,
  ...transferRoutes,
  ...payeeRoutes,
  ...payoutRoutes,
  ...ledgerRoutes,
  ...adjustmentRoutes,
  ...treasuryRoutes,
  ...operationRoutes,
  ...discrepancyRoutes,
  ...webhookEndpointRoutes,
];
