// What waits in a group commit, for its tests.

export interface Item {
  readonly pkid: string;
  readonly alsoLocks: readonly string[];
  readonly isIntake: boolean;
  readonly walletIds: readonly string[];
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
  readonly done: Promise<void>;
}

export function itemOf(
  pkid: string,
  walletIds: readonly string[] = [],
  options: { isIntake?: boolean; alsoLocks?: string[] } = {},
): Item {
  const { isIntake = false, alsoLocks = [] } = options;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  promise.catch(() => undefined);
  return { pkid, alsoLocks, isIntake, walletIds, resolve, reject, done: promise };
}

/** Everything that the last step set off has run. */
export const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
