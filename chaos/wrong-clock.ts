// Loaded before a worker (`--import`): its Date is wrong by CLOCK_SHIFT_MS from its first moment. Only Date: timers
// and performance.now() count on, as on a machine whose clock is set wrong.

const shiftMs = Number(process.env.CLOCK_SHIFT_MS ?? '0');
const RealDate = Date;

globalThis.Date = new Proxy(RealDate, {
  construct: (target, args: [], newTarget) =>
    Reflect.construct(target, args.length === 0 ? [RealDate.now() + shiftMs] : args, newTarget),
  apply: () => new RealDate(RealDate.now() + shiftMs).toString(),
  get: (target, name, receiver) =>
    name === 'now' ? () => RealDate.now() + shiftMs : Reflect.get(target, name, receiver),
});
