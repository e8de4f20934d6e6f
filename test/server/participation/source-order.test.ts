import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { sourceOrder } from '../../../src/server/participation/source-order.ts';

type Place = Parameters<typeof sourceOrder>[1][number];
const place = (node: number, region: string, kind: Place['kind']): Place => ({
  node,
  region,
  kind,
  peerAddress: `node-${node}:8201`,
});
const nodesOf = (places: readonly Place[]) => places.map(({ node }) => node);

const members = [
  place(1, 'east', 'voter'),
  place(2, 'east', 'voter'),
  place(3, 'north', 'voter'),
  place(4, 'west', 'replica'),
  place(5, 'west', 'replica'),
  place(6, 'west', 'replica'),
  place(7, 'north', 'replica'),
];

describe('whom a replica follows', () => {
  it('the first of a region draws from voters, the others from the first', () => {
    expect(new Set(nodesOf(sourceOrder(place(4, 'west', 'replica'), members, [])))).toEqual(
      new Set([1, 2, 3]),
    );
    expect(nodesOf(sourceOrder(place(5, 'west', 'replica'), members, []))[0]).toBe(4);
    expect(nodesOf(sourceOrder(place(6, 'west', 'replica'), members, [])).slice(0, 2)).toEqual([
      4, 5,
    ]);
  });

  it('a voter of the same region comes before those of others', () => {
    expect(nodesOf(sourceOrder(place(7, 'north', 'replica'), members, []))[0]).toBe(3);
  });

  it('relays of several regions do not all draw from the same voter', () => {
    const firsts = [10, 11, 12].map(
      (node) => sourceOrder(place(node, `far-${node}`, 'replica'), members, [])[0]?.node,
    );
    expect(new Set(firsts).size).toBe(3);
  });

  it('what is configured comes first, in its order, also from another region', () => {
    const upstreams = ['node-7:8201', 'node-2:8201', 'nowhere:1'];
    const self = place(8, 'west', 'replica');
    expect(nodesOf(sourceOrder(self, members, upstreams)).slice(0, 3)).toEqual([7, 2, 4]);
  });

  it('never goes in a circle, and always ends with voters, whatever is configured', () => {
    const kind = fc.constantFrom<Place['kind']>('replica', 'voter');
    const region = fc.constantFrom('east', 'west', 'north');
    const cluster = fc.array(fc.record({ kind, region }), { minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(cluster, fc.array(fc.nat(12)), (made, named) => {
        const all = [place(1, 'east', 'voter')].concat(
          made.map((one, at) => place(at + 2, one.region, one.kind)),
        );
        const upstreams = named.map((node) => `node-${node}:8201`);
        for (const self of all.filter((one) => one.kind === 'replica')) {
          const order = sourceOrder(self, all, upstreams);
          for (const source of order) {
            expect(source.kind === 'voter' || source.node < self.node).toBe(true);
          }
          const voters = all.filter((one) => one.kind === 'voter').length;
          expect(order.filter((one) => one.kind === 'voter').length).toBe(voters);
        }
      }),
    );
  });
});
