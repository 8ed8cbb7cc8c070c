// Every endpoint that takes a key, in the order of the document.

import type { Endpoint } from '../endpoint.ts';
import { transferRoutes } from './transfers.ts';
import { walletRoutes } from './wallets.ts';

export const endpoints: readonly Endpoint[] = [...walletRoutes, ...transferRoutes];
