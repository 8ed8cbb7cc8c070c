// A name server on loopback, for tests of what happens when a name changes its address.

import { createSocket } from 'node:dgram';
import { once } from 'node:events';

/** What a name has: the bytes of its addresses. An empty list is a name without an address of that kind. */
export type Names = Record<string, { a: readonly number[]; aaaa: readonly number[] }>;

/** It knows these names and no other; they may be changed while it serves. */
export async function serveNames(names: Names) {
  const socket = createSocket('udp4');
  const asked: string[] = [];
  socket.on('message', (query, { port, address }) => {
    const end = query.indexOf(0, QUESTION_AT);
    const question = query.subarray(QUESTION_AT, end + 1 + TYPE_AND_CLASS_BYTES);
    const labels: string[] = [];
    for (let at = QUESTION_AT; at < end; at += 1 + query.readUInt8(at)) {
      labels.push(query.toString('latin1', at + 1, at + 1 + query.readUInt8(at)));
    }
    const known = names[labels.join('.')];
    const type = query.readUInt16BE(end + 1);
    const data = known === undefined ? null : Buffer.from(type === TYPE_A ? known.a : known.aaaa);
    const hasRecord = data !== null && data.length > 0;
    asked.push(labels.join('.'));
    const head = Buffer.alloc(QUESTION_AT);
    query.copy(head, 0, 0, 2);
    head.writeUInt16BE(data === null ? NO_SUCH_NAME : NO_ERROR, 2);
    head.writeUInt16BE(1, 4);
    head.writeUInt16BE(hasRecord ? 1 : 0, 6);
    const record = Buffer.from([0xc0, QUESTION_AT, 0, type, 0, 1, 0, 0, 0, 1, 0, data?.length ?? 0]);
    const answer = data === null || !hasRecord ? [head, question] : [head, question, record, data];
    socket.send(Buffer.concat(answer), port, address);
  });
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  return {
    /** The names that were asked about, once for each kind of address. */
    asked,
    address: `127.0.0.1:${socket.address().port}`,
    async close() {
      socket.close();
      await once(socket, 'close');
    },
  };
}

const QUESTION_AT = 12;
const TYPE_AND_CLASS_BYTES = 4;
const TYPE_A = 1;
/** A response, recursion wanted and offered. */
const NO_ERROR = 0x8180;
const NO_SUCH_NAME = 0x8183;
