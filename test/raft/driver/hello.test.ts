import { describe, expect, it } from 'vitest';
import {
  acceptHello,
  Incarnations,
  type NodeId,
  type PeerCall,
  peerUri,
  sayHello,
} from '../../../src/raft/index.ts';

const clusterId = 'a1'.repeat(16);
const self = { clusterId, node: 1 as NodeId, incarnation: 4 };
const peer = { clusterId, node: 2 as NodeId, incarnation: 7 };

const callFrom = (subjectaltname?: string): PeerCall =>
  ({
    getPeer: () => '127.0.0.1:9',
    getAuthContext: () =>
      subjectaltname === undefined ? {} : { sslPeerCertificate: { subjectaltname } },
  }) as unknown as PeerCall;

const certified = callFrom(`DNS:vault-2, URI:${peerUri(clusterId, 2 as NodeId)}`);
const strict = { requirePeerCertificate: true };

describe('the greeting between nodes', () => {
  it('is accepted from a node of the cluster whose certificate names it', () => {
    expect(acceptHello(certified, sayHello(peer, self.node), self, strict)).toEqual({
      node: 2,
      incarnation: 7,
    });
  });

  it.each([
    ['another cluster', { ...sayHello(peer, self.node), clusterId: 'b2'.repeat(16) }],
    ['another addressee', sayHello(peer, 3 as NodeId)],
    ['another protocol version', { ...sayHello(peer, self.node), protocolVersion: 99 }],
    ['itself', sayHello(self, self.node)],
    ['node 0', { ...sayHello(peer, self.node), from: 0 }],
    ['nobody', undefined],
    ['an empty greeting', {}],
  ])('is refused from %s', (_who, hello) => {
    expect(() => acceptHello(certified, hello, self, strict)).toThrow(
      expect.objectContaining({ code: 'raft.wrong-cluster' }),
    );
  });

  it.each([
    ['no certificate', undefined],
    ['the certificate of another node', `URI:${peerUri(clusterId, 3 as NodeId)}`],
    ['the certificate of another cluster', `URI:${peerUri('b2'.repeat(16), 2 as NodeId)}`],
    ['a longer name that begins alike', `URI:${peerUri(clusterId, 2 as NodeId)}1`],
    [
      'a name that only quotes the right one',
      `DNS:"x, URI:${peerUri(clusterId, 2 as NodeId)}, y", IP Address:127.0.0.1`,
    ],
  ])('is refused with %s', (_what, names) => {
    expect(() => acceptHello(callFrom(names), sayHello(peer, self.node), self, strict)).toThrow(
      expect.objectContaining({ code: 'raft.wrong-cluster' }),
    );
  });

  it('is refused from an older incarnation than was seen before', () => {
    const incarnations = new Incarnations();
    const options = { ...strict, incarnations };
    acceptHello(certified, sayHello(peer, self.node), self, options);
    acceptHello(certified, sayHello(peer, self.node), self, options);
    const older = sayHello({ ...peer, incarnation: 6 }, self.node);
    expect(() => acceptHello(certified, older, self, options)).toThrow(/wiped or rolled back/);
    acceptHello(certified, sayHello({ ...peer, incarnation: 8 }, self.node), self, options);
    expect(incarnations.highestOf(peer.node)).toBe(8);
  });
});
