// A socket that sends what is written to it in one turn of the event loop in one piece: a system call, and a reader
// that is woken, for ten messages instead of for each.

import { Socket } from 'node:net';

export function gatheringSocket(): Socket {
  const socket = new Socket();
  const write = socket.write.bind(socket);
  let isGathering = false;
  const send = () => {
    isGathering = false;
    socket.uncork();
  };
  socket.write = (...written: [never]) => {
    if (!isGathering) {
      isGathering = true;
      socket.cork();
      // After the microtasks of this turn: they may ask for more.
      setImmediate(send);
    }
    return write(...written);
  };
  return socket;
}
