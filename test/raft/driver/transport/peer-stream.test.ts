import { connect, createServer, type Socket, type Server as TcpServer } from 'node:net';
import { credentials, Server, ServerCredentials, type ServerDuplexStream } from '@grpc/grpc-js';
import { expect, test } from 'vitest';
import { type Clock, deferred, SystemRandom, systemClock } from '../../../../src/lib/index.ts';
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

/** A way to a peer whose first connections are taken and never answered. */
async function startFront(peerPort: number, silentCount: number) {
  const sockets: Socket[] = [];
  const front = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => undefined);
    if (sockets.length <= silentCount) return;
    const far = connect(peerPort, '127.0.0.1');
    far.on('error', () => socket.destroy());
    socket.pipe(far).pipe(socket);
  });
  const port = await listen(front);
  const stop = () => {
    for (const socket of sockets) socket.destroy();
    front.close();
  };
  return { port, sockets, stop };
}

const streamTo = (port: number, clock: Clock) =>
  new PeerStream({
    self: { clusterId: 'c1'.repeat(16), node: 1 as NodeId, incarnation: 1 },
    peer: 2 as NodeId,
    addressOf: () => `127.0.0.1:${port}`,
    credentials: () => credentials.createInsecure(),
    requirePeerCertificate: false,
    clock,
    random: new SystemRandom(),
    log: quietLogger,
    queueBytesMax: 1_024,
    onLoss: () => undefined,
  });

// As after a partition: what was asked of the network while it was cut is answered late or never.
test('a connection that is never made is given up for a new one, and not waited for', async () => {
  let heard: () => void = () => undefined;
  const arrived = new Promise<void>((resolve) => {
    heard = resolve;
  });
  const peer = await startPeer(() => heard());
  const front = await startFront(peer.port, 1);
  const stream = streamTo(front.port, hurried);
  const beating = setInterval(() => stream.send(1, heartbeat), 20);
  try {
    await arrived;
    expect(front.sockets.length).toBeGreaterThan(1);
  } finally {
    clearInterval(beating);
    stream.close();
    front.stop();
    peer.stop();
  }
}, 10_000);

test('an attempt that met nobody is left as soon as the peer is heard by another way', async () => {
  const { promise: arrived, resolve: heard } = deferred<void>();
  const peer = await startPeer(() => heard());
  const front = await startFront(peer.port, 1);
  // Its own bounds never come: only what it is told moves it on.
  let nowMs = 0;
  const stopped: Clock = {
    ...systemClock,
    monotonicMs: () => nowMs,
    after: () => ({ cancel: () => undefined }),
  };
  const stream = streamTo(front.port, stopped);
  try {
    stream.send(1, heartbeat);
    await expect.poll(() => front.sockets.length).toBe(1);
    // It may be that its answer is only on its way.
    stream.hurry();
    nowMs = 1_000;
    stream.hurry();
    await expect.poll(() => front.sockets.length).toBe(2);
    stream.send(1, heartbeat);
    await arrived;
    expect(front.sockets).toHaveLength(2);
  } finally {
    stream.close();
    front.stop();
    peer.stop();
  }
}, 10_000);
