import { expect, test } from 'vitest';
import { judgeSeals, type SealFacts } from '../../../chaos/checkers/seal-sound.ts';

const slot = (name: string, health: string, kind = 'pkcs11') => ({ name, health, kind });
const well = (name: string): SealFacts => ({
  name,
  state: 'unsealed',
  rootId: 'r1',
  epoch: 2,
  restartReady: true,
  slots: [slot('hsm', 'ok'), slot('glass', 'stale', 'shamir')],
});
const nodes = (changed: Partial<SealFacts>) => [well('a'), { ...well('b'), ...changed }];

test('nodes that are open, ready and of one mind are sound, whatever people do with their shares', () => {
  expect(judgeSeals(nodes({}))).toMatchObject({
    kind: 'ok',
    about: '2 nodes under one root in epoch 2, each could open itself',
  });
});

test.each([
  [{ state: 'sealed' }, 'b is sealed'],
  [{ restartReady: false }, 'b could not open itself after a restart'],
  [{ rootId: 'r0' }, 'a and b are under different roots'],
  [{ epoch: 1 }, 'a and b are in epochs 2 and 1'],
  [{ slots: [slot('hsm', 'stale')] }, 'slot hsm is stale at b'],
])('a seal with %j is none', (changed, because) => {
  expect(judgeSeals(nodes(changed))).toMatchObject({ kind: 'violation', because });
});

test('of no nodes nothing is known', () => {
  expect(judgeSeals([]).kind).toBe('undecided');
});
