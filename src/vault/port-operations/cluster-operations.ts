import { defineOperation, type Operation } from '../define-operation.ts';
import type { ClusterPort } from '../ports.ts';
import * as messages from './cluster-messages.ts';

const always = () => true;

/** `cluster.*`: the vault authorises and audits, the server's cluster part decides. */
export function clusterOperations(cluster: ClusterPort): readonly Operation[] {
  return [
    defineOperation({
      name: 'cluster.status',
      summary: 'Every node, its role, its health and how far behind it is',
      pathTemplate: 'sys/cluster/status',
      capability: 'read',
      rootNamespaceOnly: true,
      request: messages.clusterStatusRequest,
      response: messages.clusterStatusResponse,
      run: { kind: 'port', at: 'here', handle: (context) => cluster.status(context) },
    }),
    ...joinOperations(cluster),
    ...memberOperations(cluster),
    ...snapshotOperations(),
  ];
}

function joinOperations(cluster: ClusterPort): readonly Operation[] {
  return [
    defineOperation({
      name: 'cluster.createJoinToken',
      summary: 'Makes a token with which one new node may join',
      pathTemplate: 'sys/cluster/join-tokens',
      capability: 'update',
      needsSudo: always,
      rootNamespaceOnly: true,
      request: messages.createJoinTokenRequest,
      response: messages.createJoinTokenResponse,
      run: {
        kind: 'port',
        at: 'leader',
        handle: (context, request) => cluster.createJoinToken(context, request),
      },
    }),
    defineOperation({
      name: 'cluster.join',
      summary: 'Joins a new node; the join token is its right to',
      pathTemplate: 'sys/cluster/join',
      capability: 'update',
      access: 'anonymous',
      request: messages.joinRequest,
      response: messages.joinResponse,
      run: {
        kind: 'port',
        at: 'leader',
        handle: (context, request) => cluster.join(context, request),
      },
    }),
  ];
}

const memberChanges = [
  ['promote', 'Makes a learner a voter'],
  ['demote', 'Makes a voter a learner'],
  ['remove', 'Takes a node out of the cluster'],
  ['stepDown', 'Hands leadership over; node 0: to the best follower'],
] as const;

function memberOperations(cluster: ClusterPort): readonly Operation[] {
  return memberChanges.map(([change, summary]) =>
    defineOperation({
      name: `cluster.${change}`,
      summary,
      pathTemplate:
        change === 'stepDown' ? 'sys/step-down' : `sys/cluster/members/{node}/${change}`,
      capability: 'update',
      needsSudo: always,
      rootNamespaceOnly: true,
      request: messages.memberRequest,
      response: messages.changeResponse,
      run: {
        kind: 'port',
        at: 'leader',
        handle: (context, request) => cluster[change](context, request),
      },
    }),
  );
}

/**
 * The face streams the chunks through `Vault.saveSnapshot` and `restoreSnapshot`; these entries say
 * how that is authorised, and audit it.
 */
function snapshotOperations(): readonly Operation[] {
  return [
    defineOperation({
      name: 'cluster.saveSnapshot',
      summary: 'Streams the whole state, as ciphertext',
      pathTemplate: 'sys/storage/raft/snapshot',
      capability: 'read',
      needsSudo: always,
      rootNamespaceOnly: true,
      request: messages.saveSnapshotRequest,
      response: messages.snapshotChunk,
      run: { kind: 'port', at: 'here', handle: () => ({}) },
    }),
    defineOperation({
      name: 'cluster.restoreSnapshot',
      summary: 'Replaces the whole state by that of a snapshot',
      pathTemplate: 'sys/storage/raft/snapshot',
      capability: 'update',
      needsSudo: always,
      rootNamespaceOnly: true,
      request: messages.restoreSnapshotRequest,
      response: messages.changeResponse,
      run: { kind: 'port', at: 'leader', handle: () => ({}) },
    }),
  ];
}
