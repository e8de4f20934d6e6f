import { Server } from '@grpc/grpc-js';
import { StrongroomError } from '../../lib/index.ts';
import type { SelfIdentity } from '../../raft/index.ts';
import { ForwardServer } from '../../replication/index.ts';
import type { Logger } from '../../telemetry/index.ts';
import type { Members } from '../cluster/members.ts';
import type { NodeReport } from '../cluster/peer-request.ts';
import { answerPeers } from '../peer-exchange.ts';

/**
 * Says to whoever asks that this node makes its state anew, and does nothing else, until it is
 * disposed: the list of members shows why the node does not answer clients.
 */
export async function openRebuildDesk(options: {
  readonly self: SelfIdentity;
  readonly because: string;
  readonly version: string;
  readonly members: Members;
  readonly applied: () => number;
  readonly listen: (server: Server) => Promise<Disposable>;
  readonly log: Logger;
}): Promise<Disposable> {
  const { self, members, log } = options;
  const refuse = () => {
    throw new StrongroomError('node.stopping', 'The node makes its state anew; ask another node');
  };
  const server = new Server();
  new ForwardServer({
    self,
    requirePeerCertificate: true,
    isMember: (node) => members.get(node) !== undefined,
    log,
    handle: (bytes, signal, peer) => answer(bytes, { from: peer.node, signal }),
  }).register(server);
  const answer = answerPeers({
    vault: refuse,
    handlers: {
      report: () => rebuildReport(options),
      digests: refuse,
      auditHead: refuse,
      renewCertificate: refuse,
      advertise: refuse,
      sealRecords: refuse,
    },
    log,
  });
  const port = await options.listen(server);
  return {
    [Symbol.dispose]() {
      server.forceShutdown();
      port[Symbol.dispose]();
    },
  };
}

function rebuildReport(options: Parameters<typeof openRebuildDesk>[0]): NodeReport {
  return {
    node: options.self.node,
    leader: 0,
    role: 'rebuilding',
    term: 0,
    commit: 0,
    applied: options.applied(),
    lagMs: 0,
    healthy: false,
    reason: `it makes its state anew: ${options.because}`,
    version: options.version,
    seal: { state: 'sealed', restartReady: false, reason: '', lastProofAtMs: 0, slots: [] },
  };
}
