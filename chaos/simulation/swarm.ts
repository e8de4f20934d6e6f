import type { SeededRandom } from '../../src/lib/index.ts';

/**
 * What one seed is like. Each draws its own mixture, with many faults switched off: a fault that
 * always happens hides what happens without it (swarm testing, Groce et al. 2012).
 */
export interface SwarmConfig {
  readonly nodes: number;
  readonly activeMs: number;
  readonly delayMsMean: number;
  readonly lossPerMille: number;
  readonly duplicatePerMille: number;
  readonly encodes: boolean;
  readonly diskMsMean: number;
  /** A write fails for good, once in so many. 0 is never. */
  readonly diskErrorOnceIn: number;
  /** A write hangs for a second or more, once in so many. */
  readonly diskStallOnceIn: number;
  /** Mean time between faults of a kind; 0 is never. */
  readonly crashEveryMs: number;
  readonly partitionEveryMs: number;
  readonly pauseEveryMs: number;
  readonly membershipEveryMs: number;
  readonly transferEveryMs: number;
  /** Of the crashes: how many in a hundred come with a damaged, lost or rolled back log. */
  readonly damagePercent: number;
  /** The worst moment for a disk to go: the others that know what was committed are cut off. */
  readonly amnesiaEveryMs: number;
  /** Of the crashes: how many in a hundred are power cuts, and not only the process's end. */
  readonly powerCutPercent: number;
  readonly proposeEveryMs: number;
  readonly readEveryMs: number;
  readonly clockSkewPercent: number;
  /** Reads are answered from leases, with just the drift allowed for that clocks have. */
  readonly leaseReads: boolean;
  /** Small segments and windows: compaction and snapshots happen all the time. */
  readonly compacts: boolean;
}

export function drawSwarm(seed: number, random: SeededRandom): SwarmConfig {
  const oneIn = (bound: number) => random.below(bound) === 0;
  const maybe = (value: number) => (oneIn(2) ? value : 0);
  return {
    nodes: [1, 3, 3, 3, 3, 5, 5, 2, 4][random.below(9)] ?? 3,
    activeMs: 4_000 + random.below(6_000),
    delayMsMean: 0.5 + random.below(random.below(3) === 0 ? 60 : 8),
    lossPerMille: maybe(random.below(150)),
    duplicatePerMille: maybe(random.below(100)),
    encodes: oneIn(5),
    diskMsMean: oneIn(4) ? 5 + random.below(40) : 0.2 + random.float() * 2,
    diskErrorOnceIn: oneIn(4) ? 200 + random.below(800) : 0,
    diskStallOnceIn: oneIn(5) ? 100 + random.below(400) : 0,
    crashEveryMs: maybe(400 + random.below(3_000)),
    partitionEveryMs: maybe(500 + random.below(2_500)),
    pauseEveryMs: oneIn(3) ? 500 + random.below(3_000) : 0,
    membershipEveryMs: oneIn(3) ? 300 + random.below(2_000) : 0,
    transferEveryMs: oneIn(4) ? 500 + random.below(2_000) : 0,
    damagePercent: oneIn(3) ? random.below(60) : 0,
    amnesiaEveryMs: oneIn(6) ? 1_500 + random.below(2_000) : 0,
    powerCutPercent: random.below(100),
    proposeEveryMs: 5 + random.below(80),
    readEveryMs: maybe(30 + random.below(200)),
    clockSkewPercent: maybe(random.below(12)),
    compacts: oneIn(2),
    // Not drawn: seeds stay what they were before there were leases.
    leaseReads: seed % 3 === 2,
  };
}
