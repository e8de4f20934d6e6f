import type { LinkShape } from '../levers.ts';

/** A shape with every field, for what several layers come to. */
export interface WholeShape {
  readonly blocked: 'drop' | 'refuse' | undefined;
  readonly delayMs: number;
  readonly jitterMs: number;
  readonly lossRatio: number;
  readonly duplicateRatio: number;
  readonly reorderRatio: number;
  readonly corruptRatio: number;
  /** Infinite without a bound. */
  readonly bytesPerSecond: number;
}

/** What all layers over one direction come to. */
export function wholeOf(shapes: readonly LinkShape[]): WholeShape {
  const sum = (pick: (shape: LinkShape) => number | undefined) =>
    shapes.reduce((total, shape) => total + (pick(shape) ?? 0), 0);
  /** Of chances that do not depend on each other. */
  const either = (pick: (shape: LinkShape) => number | undefined) =>
    1 - shapes.reduce((kept, shape) => kept * (1 - (pick(shape) ?? 0)), 1);
  const blocks = shapes.map((shape) => shape.blocked);
  return {
    blocked: blocks.includes('refuse') ? 'refuse' : blocks.includes('drop') ? 'drop' : undefined,
    delayMs: sum((shape) => shape.delayMs),
    jitterMs: sum((shape) => shape.jitterMs),
    lossRatio: either((shape) => shape.lossRatio),
    duplicateRatio: either((shape) => shape.duplicateRatio),
    reorderRatio: either((shape) => shape.reorderRatio),
    corruptRatio: either((shape) => shape.corruptRatio),
    bytesPerSecond: Math.min(
      ...shapes.map((one) => one.bytesPerSecond ?? Number.POSITIVE_INFINITY),
    ),
  };
}

/** Whether packets have to be held or touched, beyond being let through, cut off or doubled. */
export function isHeld(shape: WholeShape): boolean {
  return (
    shape.delayMs + shape.jitterMs + shape.lossRatio + shape.reorderRatio + shape.corruptRatio >
      0 || Number.isFinite(shape.bytesPerSecond)
  );
}

/** One host at the other end of a cable, as it is known on this one. */
export interface Peer {
  readonly address: string;
  readonly shape: WholeShape;
}

const PERCENT = 100;
const inPercent = (ratio: number) => `${Number((ratio * PERCENT).toFixed(4))}%`;

/**
 * Chains of the firewall that say what one host sends to whom, and with the emulator which packets
 * it hands over when they come in. For `iptables-restore --noflush`, which changes all at once.
 */
export function firewallRules(outgoing: readonly Peer[], held: readonly string[]): string {
  const cuts = outgoing.flatMap(({ address, shape }) => cut(address, shape.blocked));
  const doubles = outgoing.flatMap(({ address, shape }) => double(address, shape.duplicateRatio));
  const holds = held.map(
    (from) => `-A CHAOS-IN -s ${from} -j NFQUEUE --queue-num 0 --queue-bypass`,
  );
  return [
    '*mangle',
    ':CHAOS-IN -',
    ':CHAOS-TWICE -',
    ...holds,
    ...doubles,
    'COMMIT',
    '*filter',
    ':CHAOS-OUT -',
    ...cuts,
    'COMMIT',
    '',
  ].join('\n');
}

function cut(to: string, how: WholeShape['blocked']): readonly string[] {
  if (how === undefined) return [];
  const drop = `-A CHAOS-OUT -d ${to} -j DROP`;
  return how === 'refuse'
    ? [`-A CHAOS-OUT -d ${to} -p tcp -j REJECT --reject-with tcp-reset`, drop]
    : [drop];
}

function double(to: string, ratio: number): readonly string[] {
  if (ratio === 0) return [];
  const chance = `-m statistic --mode random --probability ${ratio.toFixed(6)}`;
  return [`-A CHAOS-TWICE -d ${to} ${chance} -j TEE --gateway ${to}`];
}

/** Once for each cable: the chains above are asked for every packet. */
export const firewallSetup: readonly string[] = [
  '-t mangle -N CHAOS-IN',
  '-t mangle -I INPUT -j CHAOS-IN',
  '-t mangle -N CHAOS-TWICE',
  '-t mangle -I OUTPUT -j CHAOS-TWICE',
  '-N CHAOS-OUT',
  '-I OUTPUT -j CHAOS-OUT',
];

/** The only one that a cable has. */
const device = 'dev eth0';

/** For `tc`: a class for each peer, whose packets netem holds; others go at once. */
export const netemSetup: readonly string[] = [
  `qdisc replace ${device} root handle 1: htb default 1`,
];

/** The class of one peer, by its number from 0 on, and that its packets go there. */
export function netemClass(number: number, address: string): readonly string[] {
  const minor = minorOf(number);
  return [
    `class replace ${device} parent 1: classid 1:${minor} htb rate 100gbit quantum 60000`,
    `qdisc replace ${device} parent 1:${minor} handle ${minor}: netem`,
    `filter add ${device} parent 1: protocol ip prio ${number + 1} u32 match ip dst ${address}/32 flowid 1:${minor}`,
  ];
}

/** So that those behind overtake a packet on a link without a delay. */
const REORDER_MS = 20;
/** Packets that wait on a long and fast link; netem's own bound would lose them. */
const WAITING_MAX = 50_000;

/** What netem does to packets of that class from now on: all is said, for it keeps what is not. */
export function netemChange(number: number, shape: WholeShape): string {
  const { delayMs, jitterMs, lossRatio, reorderRatio, corruptRatio, bytesPerSecond } = shape;
  // Netem lets a share go at once and holds the others: on a link with a delay the share overtakes
  // them, and on one without all but the share overtake it.
  const isHolding = reorderRatio > 0 && delayMs === 0;
  const atOnce = isHolding ? 1 - reorderRatio : reorderRatio;
  const words = [
    `limit ${WAITING_MAX}`,
    `delay ${isHolding ? REORDER_MS : delayMs}ms ${jitterMs}ms`,
    `loss ${inPercent(lossRatio)}`,
    `corrupt ${inPercent(corruptRatio)}`,
    `reorder ${inPercent(atOnce)}`,
    `rate ${Number.isFinite(bytesPerSecond) ? Math.round(bytesPerSecond * 8) : 0}bit`,
  ];
  const minor = minorOf(number);
  return `qdisc change ${device} parent 1:${minor} handle ${minor}: netem ${words.join(' ')}`;
}

/** Numbers of classes are hexadecimal, and those below are taken. */
const minorOf = (number: number) => (number + 0x10).toString(16);

const ROWS = 64;
const WORDS = 8;
const WORD_BYTES = 8;
const MILLION = 1e6;

/** The last word of a row is the emulator's own count. */
const WRITTEN_BYTES = (WORDS - 1) * WORD_BYTES;

/** An empty table of `emulator/link-emulator.c`. */
export const emptyTable = (): Buffer => Buffer.alloc(ROWS * WORDS * WORD_BYTES);

/** What to write into that table for one peer, and where. */
export function tableRow(
  row: number,
  { address, shape }: Peer,
): { readonly at: number; readonly bytes: Buffer } {
  if (row >= ROWS) throw new RangeError(`The link emulator has ${ROWS} rows`);
  const bytes = Buffer.alloc(WRITTEN_BYTES);
  const words = [
    addressNumber(address),
    shape.delayMs * 1_000,
    shape.jitterMs * 1_000,
    shape.lossRatio * MILLION,
    shape.reorderRatio * MILLION,
    shape.corruptRatio * MILLION,
    Number.isFinite(shape.bytesPerSecond) ? shape.bytesPerSecond : 0,
  ];
  for (const [at, word] of words.entries())
    bytes.writeBigInt64LE(BigInt(Math.round(word)), at * WORD_BYTES);
  return { at: row * WORDS * WORD_BYTES, bytes };
}

/** @throws RangeError for what is no IPv4 address. */
export function addressNumber(address: string): number {
  const parts = address.split('.').map(Number);
  if (
    parts.length !== 4 ||
    !parts.every((part) => Number.isInteger(part) && part >= 0 && part < 256)
  )
    throw new RangeError(`"${address}" is no IPv4 address`);
  return parts.reduce((number, part) => number * 256 + part, 0);
}
