import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Write } from '../../src/store/index.ts';
import { settleAll, settleWrites } from '../../src/store/settle-writes.ts';

const bytes = fc.uint8Array({ minLength: 1, maxLength: 2, max: 3 });
const write: fc.Arbitrary<Write> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('put' as const), key: bytes, value: bytes }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('delete' as const), key: bytes }) },
  fc.record({ kind: fc.constant('rewrap' as const), key: bytes, value: bytes }),
  fc.record({ kind: fc.constant('delete-range' as const), start: bytes, end: bytes }),
);

describe('settling writes', () => {
  it('gives the same for a few writes as the way that takes any', () => {
    fc.assert(
      fc.property(fc.array(write, { maxLength: 6 }), (writes) => {
        expect(settleWrites(writes)).toEqual(settleAll(writes));
      }),
      { numRuns: 2000 },
    );
  });

  it('lets the last write of a key win', () => {
    const key = Uint8Array.of(1);
    const [first, last] = [Uint8Array.of(2), Uint8Array.of(3)];
    const settled = settleWrites([
      { kind: 'put', key, value: first },
      { kind: 'delete', key },
      { kind: 'put', key, value: last },
    ]);
    expect(settled.puts.map(({ write }) => write.value)).toEqual([last]);
    expect(settled.deletes).toEqual([]);
  });
});
