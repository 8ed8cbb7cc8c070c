// A socket that sends what is written to it in one turn of the event loop in one piece: a system call, and a reader
// that is woken, for a hundred messages instead of for each.

import { Socket } from 'node:net';

/** Also on a socket that is in use already. */
export function gatherWrites<Gathered extends Socket>(socket: Gathered): Gathered {
  const cork = socket.cork.bind(socket);
  const uncork = socket.uncork.bind(socket);
  const write = socket.write.bind(socket);
  let isGathering = false;
  const send = () => {
    isGathering = false;
    uncork();
  };
  const gather = () => {
    if (isGathering) return;
    isGathering = true;
    cork();
    // After the microtasks of this turn: they may ask for more.
    setImmediate(send);
  };
  // Its user may gather smaller pieces, and would send each of them at once.
  socket.cork = gather;
  socket.uncork = () => undefined;
  socket.write = (...written: [never]) => {
    gather();
    return write(...written);
  };
  return socket;
}

export function gatheringSocket(): Socket {
  return gatherWrites(new Socket());
}
