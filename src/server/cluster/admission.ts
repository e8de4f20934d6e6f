import type { Barrier, Place } from '../../barrier/index.ts';
import { type Clock, type Random, StrongroomError, utf8Bytes, utf8Text } from '../../lib/index.ts';
import type { Revision } from '../../store/index.ts';
import type { Logger } from '../../telemetry/index.ts';
import {
  type ClusterCa,
  checkJoinToken,
  checkRequest,
  createJoinToken,
  describeCertificate,
  hostNamesOf,
  issueNodeCertificate,
  type JoinTokenRecord,
  parseJoinToken,
} from '../certificates/index.ts';
import type { Member } from './member.ts';
import { encodeMember, type Members, memberRecord } from './members.ts';
import { encodeJson } from './peer-request.ts';
import type { SystemRecord, SystemRecords } from './system-records.ts';

export const CA_KEY_RECORD = 'cluster/ca-key';
const NEXT_NODE_RECORD = 'cluster/next-node';
const CONFLICTS_MAX = 20;
const WRITE_MS = 30_000;
const TOKEN_TTL_MS = 10 * 60_000;
const NO_REVISION = 0 as Revision;

export interface JoinRequest {
  readonly joinToken: string;
  readonly certificateRequest: string;
  readonly name: string;
  readonly apiAddress: string;
  readonly peerAddress: string;
  readonly metricsAddress: string;
  readonly version: string;
}

export interface Admitted {
  readonly member: Member;
  readonly certificate: string;
}

/** What is kept of a join token, and whom it let in. */
interface KeptToken {
  readonly record: JoinTokenRecord;
  readonly node?: number;
}

const tokenRecord = (id: string) => `join-tokens/${id}`;

/**
 * The door of the cluster, on the leader: makes join tokens, gives ids and certificates to nodes
 * that bring one, renews certificates. The CA's key is kept behind the barrier, so a sealed cluster
 * admits nobody.
 */
export class Admission {
  readonly #records: SystemRecords;
  readonly #members: Members;
  readonly #barrier: () => Barrier | undefined;
  readonly #caPem: string;
  readonly #clusterId: string;
  readonly #caKeyPlace: Place;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #log: Logger;

  constructor(options: {
    readonly records: SystemRecords;
    readonly members: Members;
    readonly barrier: () => Barrier | undefined;
    readonly caPem: string;
    readonly clusterId: string;
    /** Where the CA's key belongs: bound into its ciphertext. */
    readonly caKeyPlace: Place;
    readonly clock: Clock;
    readonly random: Random;
    readonly log: Logger;
  }) {
    this.#records = options.records;
    this.#members = options.members;
    this.#barrier = options.barrier;
    this.#caPem = options.caPem;
    this.#clusterId = options.clusterId;
    this.#caKeyPlace = options.caKeyPlace;
    this.#clock = options.clock;
    this.#random = options.random;
    this.#log = options.log;
  }

  /** Takes the CA's key into the barrier, once: from then on no node keeps it on its own disk. */
  async keepCaKey(privateKeyPem: string): Promise<void> {
    const sealed = this.#openBarrier().sealValue(this.#caKeyPlace, utf8Bytes(privateKeyPem));
    await this.#write(new Map([[CA_KEY_RECORD, sealed]]), new Map());
  }

  /** The CA's key in clear. @throws StrongroomError `seal.sealed`, `seal.uninitialized` */
  caKey(): Uint8Array {
    return utf8Bytes(this.#ca().privateKeyPem);
  }

  /** @returns the token's text, to be shown once. */
  async createJoinToken(request: {
    readonly kind: string;
    readonly region: string;
    readonly ttlMs: number;
    readonly name: string;
  }): Promise<{ readonly joinToken: string; readonly expiresAtMs: number }> {
    const kind = request.kind === '' ? 'voter' : request.kind;
    if (kind !== 'voter' && kind !== 'replica') {
      throw new StrongroomError(
        'request.invalid',
        `Cannot make a join token for a node of kind "${kind}": choose voter or replica`,
      );
    }
    const { text, record } = createJoinToken({
      caFingerprint: describeCertificate(this.#caPem).fingerprint,
      kind,
      region: request.region === '' ? 'local' : request.region,
      name: request.name,
      ttlMs: request.ttlMs === 0 ? TOKEN_TTL_MS : request.ttlMs,
      nowMs: this.#clock.wallMs(),
      random: this.#random,
    });
    await this.#write(new Map([[tokenRecord(record.id), encodeJson({ record })]]), new Map());
    return { joinToken: text, expiresAtMs: record.expiresAtMs };
  }

  /** @throws StrongroomError `cluster.join-refused`, `cluster.certificate-invalid` */
  async join(request: JoinRequest): Promise<Admitted> {
    const token = parseJoinToken(request.joinToken);
    const { keyFingerprint } = await checkRequest(request.certificateRequest);
    for (let attempt = 0; attempt < CONFLICTS_MAX; attempt++) {
      const found = this.#records.get(tokenRecord(token.id));
      const kept = found === undefined ? undefined : (parse(found) as KeptToken);
      const asker = { keyFingerprint, name: request.name };
      const verdict = checkJoinToken(kept?.record, token, asker, this.#clock.wallMs());
      if (kept === undefined || found === undefined) break;
      const again = kept.node === undefined ? undefined : this.#members.get(kept.node);
      if (verdict === 'again' && again !== undefined) return this.#issue(again, request);

      const next = this.#records.get(NEXT_NODE_RECORD);
      // The founder is 1, and writes no counter.
      const node = next === undefined ? 2 : Number(utf8Text(next.value));
      const member: Member = {
        node,
        name: request.name,
        region: kept.record.region,
        kind: kept.record.kind,
        apiAddress: request.apiAddress,
        peerAddress: request.peerAddress,
        metricsAddress: request.metricsAddress,
        version: request.version,
      };
      this.#refuseTwins(member);
      // Issued before it is written: a request that cannot be signed uses up no token.
      const admitted = await this.#issue(member, request);
      const used: KeptToken = { record: { ...kept.record, usedBy: keyFingerprint }, node };
      const written = await this.#write(
        new Map([
          [memberRecord(node), encodeMember(member)],
          [NEXT_NODE_RECORD, utf8Bytes(String(node + 1))],
          [tokenRecord(token.id), encodeJson(used)],
        ]),
        new Map([
          [tokenRecord(token.id), found.revision],
          [NEXT_NODE_RECORD, next?.revision ?? NO_REVISION],
        ]),
      );
      if (written) {
        this.#log.info(
          { member: node, kind: member.kind, region: member.region },
          'Admitted a node',
        );
        return admitted;
      }
    }
    throw new StrongroomError(
      'store.conflict',
      'Cannot admit the node: others joined at the same time, over and over; try again',
    );
  }

  /** Signs a new key for a member, under its recorded addresses. */
  async renew(node: number, csrPem: string): Promise<string> {
    const member = this.#members.get(node);
    if (member === undefined) {
      throw new StrongroomError(
        'cluster.unknown-member',
        `Cannot renew the certificate of node ${node}: it is no member of this cluster`,
      );
    }
    const { certificate } = await this.#issue(member, { certificateRequest: csrPem });
    return certificate;
  }

  async #issue(
    member: Member,
    request: { readonly certificateRequest: string },
  ): Promise<Admitted> {
    const certificate = await issueNodeCertificate(this.#ca(), {
      clusterId: this.#clusterId,
      node: member.node,
      ...hostNamesOf([member.apiAddress, member.peerAddress]),
      csrPem: request.certificateRequest,
      clock: this.#clock,
      random: this.#random,
    });
    return { member, certificate };
  }

  #refuseTwins(member: Member): void {
    const twin = this.#members
      .all()
      .find((one) => one.name === member.name || one.peerAddress === member.peerAddress);
    if (twin === undefined) return;
    throw new StrongroomError(
      'cluster.join-refused',
      `Cannot admit a node named "${member.name}" at ${member.peerAddress}: node ${twin.node} has this name or address; remove that one first, or choose another`,
    );
  }

  #ca(): ClusterCa {
    const record = this.#records.get(CA_KEY_RECORD);
    if (record === undefined) {
      throw new StrongroomError(
        'seal.uninitialized',
        'Cannot sign a certificate: the cluster is not initialised; run strongroom operator init',
      );
    }
    const key = this.#openBarrier().openValue(this.#caKeyPlace, record.value);
    return { certificatePem: this.#caPem, privateKeyPem: utf8Text(key) };
  }

  #openBarrier(): Barrier {
    const barrier = this.#barrier();
    if (barrier !== undefined) return barrier;
    throw new StrongroomError('seal.sealed', 'Cannot use the CA: the leader is sealed');
  }

  #write(
    changes: ReadonlyMap<string, Uint8Array | undefined>,
    expected: ReadonlyMap<string, Revision>,
  ): Promise<boolean> {
    return this.#records.write(changes, expected, AbortSignal.timeout(WRITE_MS));
  }
}

function parse(record: SystemRecord): unknown {
  return JSON.parse(utf8Text(record.value));
}
