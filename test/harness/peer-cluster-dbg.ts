import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { credentials, Server, ServerCredentials } from '@grpc/grpc-js';
import { DigestMachine } from '../../chaos/simulation/digest-machine.ts';
import { SystemRandom, systemClock } from '../../src/lib/index.ts';
import {
  GrpcTransport,
  type NodeId,
  nextIncarnation,
  nodeDisk,
  type RaftNode,
  type RaftStatus,
  type RaftTuning,
  startRaftNode,
} from '../../src/raft/index.ts';
import {
  type ClusterCa,
  createClusterCa,
  issueNodeCertificate,
} from '../../src/server/certificates/authority.ts';
import { createCertificateRequest } from '../../src/server/certificates/request.ts';
import { quietLogger, quietMetrics } from '../../src/telemetry/index.ts';

const random = new SystemRandom();

export interface NodeTls {
  readonly certificatePem: string;
  readonly privateKeyPem: string;
}

export interface PeerNode {
  readonly node: RaftNode;
  readonly machine: DigestMachine;
  readonly transport: GrpcTransport;
  readonly port: number;
  stop(): Promise<void>;
  /** As SIGKILL would: no hand-over, no last write. */
  kill(): void;
}

/** A cluster of real drivers with real disks, talking over mutual TLS on loopback. */
export class PeerCluster implements AsyncDisposable {
  readonly clusterId = 'c1'.repeat(16);
  readonly nodes = new Map<number, PeerNode>();
  readonly #addresses = new Map<number, string>();
  readonly #ca: ClusterCa;
  readonly #directory: string;
  readonly #tuning: Partial<RaftTuning>;

  private constructor(ca: ClusterCa, directory: string, tuning: Partial<RaftTuning>) {
    this.#ca = ca;
    this.#directory = directory;
    this.#tuning = tuning;
  }

  static async create(tuning: Partial<RaftTuning> = {}): Promise<PeerCluster> {
    const ca = await createClusterCa({ clusterId: 'c1'.repeat(16), clock: systemClock, random });
    const directory = await mkdtemp(join(tmpdir(), 'raft-cluster-'));
    return new PeerCluster(ca, directory, tuning);
  }

  async tlsOf(node: number, clusterId = this.clusterId): Promise<NodeTls> {
    const request = await createCertificateRequest({ name: `node-${node}` });
    const certificatePem = await issueNodeCertificate(this.#ca, {
      clusterId,
      node,
      dnsNames: ['localhost'],
      ips: ['127.0.0.1'],
      csrPem: request.csrPem,
      clock: systemClock,
      random,
    });
    return { certificatePem, privateKeyPem: request.privateKeyPem };
  }

  clientCredentials(tls: NodeTls) {
    return credentials.createSsl(
      Buffer.from(this.#ca.certificatePem),
      Buffer.from(tls.privateKeyPem),
      Buffer.from(tls.certificatePem),
    );
  }

  async start(id: number, options: { voters?: readonly number[] } = {}): Promise<PeerNode> {
    const tls = await this.tlsOf(id);
    const disk = await nodeDisk(join(this.#directory, `node-${id}`));
    const identity = { clusterId: this.clusterId, groupId: 1, node: id as NodeId };
    const incarnation = await nextIncarnation(disk, identity);
    const transport = new GrpcTransport({ 
      self: { clusterId: this.clusterId, node: id as NodeId, incarnation },
      credentials: () => this.clientCredentials(tls),
      addressOf: (node) => this.#addresses.get(node),
      log: process.env['DBG'] ? {...quietLogger, warn:(f,m)=>console.log(id,f,m), error:(f,m)=>console.log(id,f,m)} : quietLogger,
      metrics: quietMetrics,
      requirePeerCertificate: true,
    });
    const server = new Server();
    transport.register(server);
    const port = await new Promise<number>((resolve, reject) => {
      const secure = ServerCredentials.createSsl(
        Buffer.from(this.#ca.certificatePem),
        [
          {
            cert_chain: Buffer.from(tls.certificatePem),
            private_key: Buffer.from(tls.privateKeyPem),
          },
        ],
        true,
      );
      server.bindAsync('127.0.0.1:0', secure, (error, bound) =>
        error === null ? resolve(bound) : reject(error),
      );
    });
    this.#addresses.set(id, `127.0.0.1:${port}`);
    const machine = new DigestMachine();
    const voters = options.voters as readonly NodeId[] | undefined;
    const node = await startRaftNode({
      id: id as NodeId,
      clusterId: this.clusterId,
      groupId: 1,
      incarnation,
      disk,
      random,
      transport,
      stateMachine: machine,
      log: process.env['DBG'] ? {...quietLogger, warn:(f,m)=>console.log(id,f,m), error:(f,m)=>console.log(id,f,m)} : quietLogger,
      metrics: quietMetrics,
      tuning: this.#tuning,
      ...(voters === undefined ? {} : { bootstrap: { voters, learners: [], removed: [] } }),
    });
    const close = () => {
      transport.close();
      server.forceShutdown();
      this.nodes.delete(id);
    };
    const peer: PeerNode = {
      node,
      machine,
      transport,
      port,
      kill: close,
      stop: async () => {
        await node.stop();
        close();
      },
    };
    this.nodes.set(id, peer);
    return peer;
  }

  async wipe(id: number): Promise<void> {
    await rm(join(this.#directory, `node-${id}`), { recursive: true });
  }

  async leader(): Promise<PeerNode> {
    const running = [...this.nodes.values()];
    const waits = running.map((peer) => reached(peer.node, (status) => status.role === 'leader'));
    const status = await Promise.race(waits);
    const leader = running.find((peer) => peer.node.status().node === status.node);
    if (leader === undefined) throw new Error('The leader is gone already');
    return leader;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.nodes.values()].map((peer) => peer.stop()));
    await rm(this.#directory, { recursive: true, force: true });
  }
}

/** Resolves with the first status for which `condition` holds. */
export function reached(
  node: RaftNode,
  condition: (status: RaftStatus) => boolean,
): Promise<RaftStatus> {
  return new Promise((resolve) => {
    if (condition(node.status())) {
      resolve(node.status());
      return;
    }
    const off = node.onStatusChange((status) => {
      if (!condition(status)) return;
      off();
      resolve(status);
    });
  });
}

/** Resolves when `node` has applied `index`. */
export async function appliedUpTo(node: RaftNode, index: number): Promise<void> {
  const end = new AbortController();
  let at = node.status().applied;
  if (at >= index) return;
  for await (const entries of node.committedEntries((at + 1) as never, end.signal)) {
    at = entries.at(-1)?.index ?? at;
    if (at >= index) end.abort();
  }
}
