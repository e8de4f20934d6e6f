import { expect, test } from 'vitest';
import { utf8Bytes } from '../../../../src/lib/index.ts';
import type { LogIndex } from '../../../../src/raft/core/index.ts';
import { encodeFrame, scanSegment } from '../../../../src/raft/driver/log/frames.ts';
import { term } from '../../../harness/core-node.ts';

function oneFrame(): Buffer {
  const data = utf8Bytes('x'.repeat(2_000));
  const entry = { index: 1 as LogIndex, term: term(1), kind: 'command' as const, data };
  return Buffer.from(encodeFrame([{ kind: 'entry', entry }], { segment: 1, offset: 0 }, 0).frame);
}

const endOf = (bytes: Buffer) => scanSegment(bytes, 1, 0, () => undefined).end;

test('a last write that is whole but altered is damage, and not taken for a torn one', () => {
  const bytes = oneFrame();
  expect(endOf(bytes)).toEqual({ kind: 'clean' });
  bytes[1_000] = (bytes[1_000] ?? 0) ^ 1;
  expect(endOf(bytes)).toMatchObject({ kind: 'damaged', offset: 0 });
});

test('a last write that was cut short, or lost a sector, is torn', () => {
  expect(endOf(oneFrame().subarray(0, 1_500))).toEqual({ kind: 'torn', offset: 0 });
  const bytes = oneFrame();
  bytes.fill(0, 512, 1_024);
  expect(endOf(bytes)).toEqual({ kind: 'torn', offset: 0 });
});
