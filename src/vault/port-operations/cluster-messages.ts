import type { MessageSpec } from '../operation.ts';
import { revision } from '../revision-field.ts';

const member = {
  node: { type: 'uint64', about: 'Node id' },
  name: { type: 'string', about: 'Its name' },
  region: { type: 'string', about: 'Its region' },
  kind: { type: 'string', about: 'voter, learner or replica' },
  role: { type: 'string', about: 'leader, follower, candidate, replica or unreachable' },
  apiAddress: { type: 'string', about: 'Where clients reach it' },
  peerAddress: { type: 'string', about: 'Where other nodes reach it' },
  metricsAddress: { type: 'string', about: 'Where its metrics are' },
  applied: { type: 'uint64', about: 'Revision applied' },
  commit: { type: 'uint64', about: 'Revision known to be committed' },
  term: { type: 'uint64', about: 'Its Raft term' },
  lagEntries: { type: 'uint64', about: 'Entries behind the leader' },
  lagMs: { type: 'uint64', about: 'Milliseconds behind the leader' },
  sealState: { type: 'string', about: 'uninitialized, sealed, waiting or unsealed' },
  healthy: { type: 'bool', about: 'Whether it serves' },
  reason: { type: 'string', about: 'Why not' },
  version: { type: 'string', about: 'Of its program' },
} as const satisfies MessageSpec;

export const clusterStatusRequest = {} as const satisfies MessageSpec;

export const clusterStatusResponse = {
  revision,
  clusterId: { type: 'string', about: 'The cluster' },
  leader: { type: 'uint64', about: 'The leader; 0: none known' },
  term: { type: 'uint64', about: 'Raft term' },
  commit: { type: 'uint64', about: 'Revision known to be committed' },
  node: { type: 'uint64', about: 'The node that answers' },
  members: { type: { list: { message: member } }, about: 'Every node' },
} as const satisfies MessageSpec;

export const createJoinTokenRequest = {
  kind: { type: 'string', max: 32, about: '"voter" or "replica"' },
  region: { type: 'string', max: 128, about: 'Region of the new node' },
  ttlMs: { type: 'uint64', about: 'How long the token may be used' },
  name: { type: 'string', max: 128, about: 'Name of the new node' },
} as const satisfies MessageSpec;

export const createJoinTokenResponse = {
  revision,
  joinToken: { type: 'string', sensitive: true, about: 'To be given to the new node' },
  expiresAtMs: { type: 'uint64', about: 'When it ends' },
} as const satisfies MessageSpec;

export const joinRequest = {
  joinToken: { type: 'string', sensitive: true, about: 'As made by createJoinToken' },
  certificateRequest: { type: 'string', max: 16_384, about: 'PEM' },
  name: { type: 'string', max: 128, about: 'Name of the new node' },
  apiAddress: { type: 'string', max: 512, about: 'Where clients reach it' },
  peerAddress: { type: 'string', max: 512, about: 'Where other nodes reach it' },
  metricsAddress: { type: 'string', max: 512, about: 'Where its metrics are' },
  version: { type: 'string', max: 64, about: 'Of its program' },
} as const satisfies MessageSpec;

export const joinResponse = {
  node: { type: 'uint64', about: 'Its node id' },
  clusterId: { type: 'string', about: 'The cluster' },
  certificate: { type: 'string', about: 'PEM' },
  caCertificate: { type: 'string', about: 'PEM' },
  kind: { type: 'string', about: 'voter or replica' },
  region: { type: 'string', about: 'Its region' },
  members: { type: { list: { message: member } }, about: 'Every node' },
} as const satisfies MessageSpec;

export const memberRequest = {
  node: { type: 'uint64', about: 'Node id' },
} as const satisfies MessageSpec;

export const changeResponse = { revision } as const satisfies MessageSpec;

export const saveSnapshotRequest = {} as const satisfies MessageSpec;

/** Both directions stream these; see `Vault.saveSnapshot` and `Vault.restoreSnapshot`. */
export const snapshotChunk = {
  data: { type: 'bytes', sensitive: true, about: 'A piece of the snapshot' },
} as const satisfies MessageSpec;

export const restoreSnapshotRequest = {
  ...snapshotChunk,
  foreign: { type: 'bool', about: 'It may be of another cluster, whose seal opens on the leader' },
  shares: {
    type: { list: 'string' },
    sensitive: true,
    about: "Of that cluster's shamir slot",
  },
  reviveTokens: {
    type: 'bool',
    about: 'Tokens that ended since the snapshot was taken come to life again',
  },
} as const satisfies MessageSpec;
