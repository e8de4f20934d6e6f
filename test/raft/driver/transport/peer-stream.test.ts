import { connect, createServer, type Socket, type Server as TcpServer } from 'node:net';
import { credentials, Server, ServerCredentials, type ServerDuplexStream } from '@grpc/grpc-js';
import { expect, test } from 'vitest';
import { type Clock, SystemRandom, systemClock } from '../../../../src/lib/index.ts';
import type { Message } from '../../../../src/raft/core/index.ts';
import { decodeMessages } from '../../../../src/raft/driver/transport/codec.ts';
import { PeerStream } from '../../../../src/raft/driver/transport/peer-stream.ts';
import {
  type ExchangeRequest,
  type ExchangeResponse,
  raftService,
} from '../../../../src/raft/driver/transport/raft-service.ts';
import type { NodeId, Term } from '../../../../src/raft/index.ts';
import { quietLogger } from '../../../../src/telemetry/index.ts';

const HURRY = 10;
/** Waits a tenth of the time. */
const hurried: Clock = {
  ...systemClock,
  monotonicMs: () => systemClock.monotonicMs(),
  wallMs: () => systemClock.wallMs(),
  after: (ms, callback) => systemClock.after(ms / HURRY, callback),
};

const heartbeat: Message = {
  kind: 'heartbeat',
  from: 1 as NodeId,
  to: 2 as NodeId,
  term: 1 as Term,
  commit: 0,
  context: 0,
} as unknown as Message;

function listen(server: TcpServer): Promise<number> {
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve((server.address() as { port: number }).port));
  });
}

/** A peer that takes every stream and tells of each message. */
async function startPeer(onMessage: (message: Message) => void) {
  const server = new Server();
  server.addService(raftService, {
    exchange: (call: ServerDuplexStream<ExchangeRequest, ExchangeResponse>) => {
      call.on('data', (request: ExchangeRequest) => {
        if (request.hello) call.write({ accepted: true });
        else for (const message of decodeMessages(request.messages)) onMessage(message);
      });
      call.on('error', () => undefined);
    },
    installSnapshot: () => undefined,
  });
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) => {
      if (error === null) resolve(bound);
      else reject(error);
    });
  });
  return { port, stop: () => server.forceShutdown() };
}

// As after a partition: what was asked of the network while it was cut is answered late or never.
test('a connection that is never made is given up for a new one, and not waited for', async () => {
  let heard: () => void = () => undefined;
  const arrived = new Promise<void>((resolve) => {
    heard = resolve;
  });
  const peer = await startPeer(() => heard());
  const sockets: Socket[] = [];
  const front = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => undefined);
    // The first is taken, and nothing is ever said on it.
    if (sockets.length === 1) return;
    const far = connect(peer.port, '127.0.0.1');
    far.on('error', () => socket.destroy());
    socket.pipe(far).pipe(socket);
  });
  const port = await listen(front);
  const stream = new PeerStream({
    self: { clusterId: 'c1'.repeat(16), node: 1 as NodeId, incarnation: 1 },
    peer: 2 as NodeId,
    addressOf: () => `127.0.0.1:${port}`,
    credentials: () => credentials.createInsecure(),
    requirePeerCertificate: false,
    clock: hurried,
    random: new SystemRandom(),
    log: quietLogger,
    queueBytesMax: 1_024,
    onLoss: () => undefined,
  });
  const beating = setInterval(() => stream.send(1, heartbeat), 20);
  try {
    await arrived;
    expect(sockets.length).toBeGreaterThan(1);
  } finally {
    clearInterval(beating);
    stream.close();
    for (const socket of sockets) socket.destroy();
    front.close();
    peer.stop();
  }
}, 10_000);
