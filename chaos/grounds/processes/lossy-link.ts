import type { Random } from '../../../src/lib/index.ts';
import type { LinkState } from './link-state.ts';

/** Linux retransmits a lost segment after at least this long, and doubles it each time. */
const RETRANSMIT_MS = 200;
/** Linux gives a connection up later than this; no run would wait so long. */
const RETRANSMITS_MAX = 6;
const SEGMENT_BYTES = 1_448;
const DRAWS = 2 ** 32;

type Shaped = Extract<LinkState, { kind: 'shaped' }>;

/**
 * When bytes that are sent now come out of a shaped link, on which those before come out at
 * `lastDueAt`; undefined when they are lost so often that TCP gives the connection up.
 *
 * A proxy between two sockets cannot lose, repeat or reorder a packet: the system makes all that
 * good before it is seen. What remains of a loss is the wait for its retransmission, for all that
 * comes behind it too.
 */
export function arrival(
  state: Shaped,
  now: number,
  lastDueAt: number,
  bytes: number,
  random: Random,
): number | undefined {
  const jitter = state.jitterMs * (2 * chance(random) - 1);
  const sent = Math.max(now + Math.max(0, state.delayMs + jitter), lastDueAt);
  const waited = retransmits(state.lossRatio, bytes, random);
  if (waited === undefined) return undefined;
  return sent + (bytes / state.bytesPerSecond) * 1_000 + waited;
}

function retransmits(lossRatio: number, bytes: number, random: Random): number | undefined {
  if (lossRatio === 0) return 0;
  const isLost = () => chance(random) < ofAnySegment(lossRatio, bytes);
  let waited = 0;
  for (let count = 0; isLost(); count++) {
    if (count === RETRANSMITS_MAX) return undefined;
    waited += RETRANSMIT_MS * 2 ** count;
  }
  return waited;
}

/** The same bytes, or a copy with one bit flipped: an error that TCP's checksum did not notice. */
export function corrupted(chunk: Buffer, ratio: number, random: Random): Buffer {
  if (ratio === 0 || chunk.length === 0) return chunk;
  if (chance(random) >= ofAnySegment(ratio, chunk.length)) return chunk;
  const copy = Buffer.from(chunk);
  const at = random.below(copy.length);
  copy.writeUInt8(copy.readUInt8(at) ^ (1 << random.below(8)), at);
  return copy;
}

const ofAnySegment = (ratio: number, bytes: number) =>
  1 - (1 - ratio) ** Math.max(1, Math.ceil(bytes / SEGMENT_BYTES));

const chance = (random: Random) => random.below(DRAWS) / DRAWS;
