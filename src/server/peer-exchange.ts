import {
  decodeForwarded,
  decodeForwardedAnswer,
  encodeForwarded,
  encodeForwardedAnswer,
  encodeForwardedError,
} from '../api/index.ts';
import { type Cancellation, StrongroomError, unreachable } from '../lib/index.ts';
import type { NodeId } from '../raft/index.ts';
import type { ForwardClient } from '../replication/index.ts';
import type { Logger } from '../telemetry/index.ts';
import type { Vault, VaultAnswer, VaultRequest } from '../vault/index.ts';
import {
  decodeNodeReport,
  decodePeerRequest,
  encodeJson,
  FORWARDED_REQUEST,
  type NodeReport,
  PEER_REQUEST,
  type PeerRequest,
  tagged,
} from './cluster/peer-request.ts';
import type { Digests } from './integrity/integrity-watch.ts';

const ANSWER_MS = 30_000;

/** What a node does when another asks. `from` is proved by the asker's certificate. */
export interface PeerHandlers {
  readonly report: () => NodeReport;
  readonly digests: (request: PeerRequest & { kind: 'digests' }) => Promise<Digests>;
  readonly auditHead: (
    from: number,
    request: PeerRequest & { kind: 'audit-head' },
  ) => Promise<void>;
  readonly renewCertificate: (from: number, csr: string) => Promise<string>;
  readonly advertise: (from: number, request: PeerRequest & { kind: 'advertise' }) => Promise<void>;
  readonly sealRecords: (request: PeerRequest & { kind: 'seal-records' }) => Promise<void>;
}

/** Asks other nodes: clients' requests for the leader, and the nodes' own. */
export class PeerCaller {
  readonly #client: ForwardClient;

  constructor(client: ForwardClient) {
    this.#client = client;
  }

  async forward(node: number, request: VaultRequest): Promise<VaultAnswer> {
    const bytes = await this.#client.send(
      node as NodeId,
      tagged(FORWARDED_REQUEST, encodeForwarded(request)),
      {
        signal: request.signal,
      },
    );
    return decodeForwardedAnswer(request.operation, bytes);
  }

  async report(node: number, signal: Cancellation): Promise<NodeReport> {
    return decodeNodeReport(await this.#ask(node, { kind: 'report' }, signal));
  }

  /** @returns what the node answered, as JSON has it. */
  async ask(
    node: number,
    request: PeerRequest,
    signal: AbortSignal = AbortSignal.timeout(ANSWER_MS),
  ): Promise<Readonly<Record<string, unknown>>> {
    const bytes = await this.#ask(node, request, signal);
    return JSON.parse(new TextDecoder().decode(bytes)) as Readonly<Record<string, unknown>>;
  }

  async #ask(node: number, request: PeerRequest, signal: Cancellation): Promise<Uint8Array> {
    const answer = await this.#client.send(
      node as NodeId,
      tagged(PEER_REQUEST, encodeJson(request)),
      {
        signal,
      },
    );
    if (answer[0] === OK) return answer.subarray(1);
    const failure = JSON.parse(new TextDecoder().decode(answer.subarray(1))) as {
      readonly code: ConstructorParameters<typeof StrongroomError>[0];
      readonly message: string;
    };
    throw new StrongroomError(failure.code, failure.message);
  }
}

const OK = 1;
const FAILED = 2;

/** Answers what other nodes ask. */
export function answerPeers(parts: {
  readonly vault: () => Vault;
  readonly handlers: PeerHandlers;
  readonly log: Logger;
}): (
  bytes: Uint8Array,
  context: { readonly from: number; readonly signal: Cancellation },
) => Promise<Uint8Array> {
  return async (bytes, { from, signal }) => {
    const body = bytes.subarray(1);
    switch (bytes[0]) {
      case FORWARDED_REQUEST:
        return answerForwarded(parts.vault(), body, signal);
      case PEER_REQUEST:
        return answerPeer(parts, from, body);
      default:
        throw new StrongroomError('request.invalid', 'Another node asked for something unknown');
    }
  };
}

async function answerForwarded(
  vault: Vault,
  body: Uint8Array,
  signal: Cancellation,
): Promise<Uint8Array> {
  try {
    const request = decodeForwarded(body);
    const answer = await vault.handle({ ...request, signal });
    return encodeForwardedAnswer(request.operation, answer);
  } catch (error) {
    return encodeForwardedError(asFailure(error));
  }
}

async function answerPeer(
  parts: { readonly handlers: PeerHandlers; readonly log: Logger },
  from: number,
  body: Uint8Array,
): Promise<Uint8Array> {
  try {
    const request = decodePeerRequest(body);
    return tagged(OK, encodeJson(await handlePeer(parts.handlers, from, request)));
  } catch (error) {
    const { code, message } = asFailure(error);
    parts.log.info({ from, code }, 'Refused another node');
    return tagged(FAILED, encodeJson({ code, message }));
  }
}

/** Does what one node asks of this one. @returns what goes back, as JSON takes it. */
export async function handlePeer(
  handlers: PeerHandlers,
  from: number,
  request: PeerRequest,
): Promise<unknown> {
  switch (request.kind) {
    case 'report':
      return handlers.report();
    case 'digests':
      return handlers.digests(request);
    case 'audit-head':
      await handlers.auditHead(from, request);
      return {};
    case 'renew-certificate':
      return { certificate: await handlers.renewCertificate(from, request.csr) };
    case 'advertise':
      await handlers.advertise(from, request);
      return {};
    case 'seal-records':
      await handlers.sealRecords(request);
      return {};
    default:
      return unreachable(request);
  }
}

function asFailure(error: unknown): StrongroomError {
  if (error instanceof StrongroomError) return error;
  return new StrongroomError('node.internal', 'The other node failed in a way it did not expect');
}
