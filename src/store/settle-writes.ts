import { unreachable } from '../lib/index.ts';
import type { KeyRange } from './codec/records.ts';
import { keyText } from './disk/layer.ts';
import { inRange } from './history.ts';
import type { Write } from './transaction.ts';

export type Put = Extract<Write, { kind: 'put' }>;
export type Delete = Extract<Write, { kind: 'delete' }>;
export type Rewrap = Extract<Write, { kind: 'rewrap' }>;

/** A write, and its key as text. */
export interface Settled<Kind> {
  readonly text: string;
  readonly write: Kind;
}

/** Each key at most once, and the ranges, with the order of writes resolved. */
export interface SettledWrites {
  readonly puts: readonly Settled<Put>[];
  readonly deletes: readonly Settled<Delete>[];
  readonly rewraps: readonly Settled<Rewrap>[];
  readonly ranges: readonly KeyRange[];
}

/** So many are compared with one another faster than put into maps. */
const FEW = 4;

export function settleWrites(writes: readonly Write[]): SettledWrites {
  return (writes.length <= FEW ? settleFew(writes) : undefined) ?? settleAll(writes);
}

/** What most transactions are: puts and deletes of a few different keys. Undefined for all others. */
function settleFew(writes: readonly Write[]): SettledWrites | undefined {
  const puts: Settled<Put>[] = [];
  const deletes: Settled<Delete>[] = [];
  for (const write of writes) {
    if (write.kind !== 'put' && write.kind !== 'delete') return undefined;
    const text = keyText(write.key);
    for (const other of puts) if (other.text === text) return undefined;
    for (const other of deletes) if (other.text === text) return undefined;
    if (write.kind === 'put') puts.push({ text, write });
    else deletes.push({ text, write });
  }
  return { puts, deletes, rewraps: [], ranges: [] };
}

/** Any writes. Exported for its property test. */
export function settleAll(writes: readonly Write[]): SettledWrites {
  const puts = new Map<string, Put>();
  const deletes = new Map<string, Delete>();
  const rewraps = new Map<string, Rewrap>();
  const ranges: KeyRange[] = [];
  for (const write of writes) {
    switch (write.kind) {
      case 'put': {
        const text = keyText(write.key);
        deletes.delete(text);
        rewraps.delete(text);
        puts.set(text, write);
        break;
      }
      case 'rewrap': {
        const text = keyText(write.key);
        const put = puts.get(text);
        if (put !== undefined) puts.set(text, { ...put, value: write.value });
        else if (!deletes.has(text)) rewraps.set(text, write);
        break;
      }
      case 'delete': {
        const text = keyText(write.key);
        puts.delete(text);
        rewraps.delete(text);
        deletes.set(text, write);
        break;
      }
      case 'delete-range':
        for (const [text, put] of puts) {
          if (!inRange(put.key, write)) continue;
          puts.delete(text);
          deletes.set(text, { kind: 'delete', key: put.key });
        }
        if (Buffer.compare(write.start, write.end) < 0) {
          ranges.push({ start: write.start, end: write.end });
        }
        break;
      default:
        unreachable(write);
    }
  }
  return { puts: listed(puts), deletes: listed(deletes), rewraps: listed(rewraps), ranges };
}

function listed<Kind>(writes: ReadonlyMap<string, Kind>): readonly Settled<Kind>[] {
  return Array.from(writes, ([text, write]) => ({ text, write }));
}
