// Of all who ask for the same thing at one time in this process, one does it, and the others wait for that one.

export type SingleFlight = (key: string, run: () => Promise<void>) => Promise<void>;

export function createSingleFlight(): SingleFlight {
  const underway = new Map<string, Promise<void>>();
  return (key, run) => {
    const known = underway.get(key);
    if (known !== undefined) return known;
    const flight = run().finally(() => underway.delete(key));
    underway.set(key, flight);
    return flight;
  };
}
