// An endpoint that hangs must not take the places of the others: after some failures in a row it gets few at once,
// until it takes something again. Kept per process; the rows themselves decide when each delivery is due.

export interface Strikes {
  /** False when the endpoint has as many attempts under way as it may have now. */
  enter(endpointId: string): boolean;
  /** Nothing was sent: it says nothing about the endpoint. */
  leave(endpointId: string, attempt: 'delivered' | 'refused' | 'nothing'): void;
}

/** One bad answer may be about its message; this many in a row are about the endpoint. */
const STRIKES_MAX = 5;
/** Enough to notice that it is back. */
const PLACES_WHEN_OUT = 2;

export function createStrikes(): Strikes {
  const endpoints = new Map<string, { strikes: number; underWay: number }>();
  return {
    enter(endpointId) {
      const endpoint = endpoints.get(endpointId) ?? { strikes: 0, underWay: 0 };
      if (endpoint.strikes >= STRIKES_MAX && endpoint.underWay >= PLACES_WHEN_OUT) return false;
      endpoint.underWay += 1;
      endpoints.set(endpointId, endpoint);
      return true;
    },
    leave(endpointId, attempt) {
      const endpoint = endpoints.get(endpointId);
      if (endpoint === undefined) return;
      endpoint.underWay -= 1;
      if (attempt === 'delivered') endpoint.strikes = 0;
      if (attempt === 'refused') endpoint.strikes += 1;
      // Healthy and idle ones need not be remembered.
      if (endpoint.underWay === 0 && endpoint.strikes === 0) endpoints.delete(endpointId);
    },
  };
}
