import { expect, test } from 'vitest';
import { onceOnly } from '../../src/client/operations.ts';
import { anyMethods } from '../../src/wire/index.ts';

test('what is asked only once are unary operations that exist', () => {
  for (const operation of onceOnly) expect(anyMethods.get(operation)?.kind).toBe('unary');
});

test('every change of keys and slots is asked only once: its answer may hold what is shown once', () => {
  const changes = [...anyMethods.keys()].filter((name) =>
    /^seal\.(init|unseal|add|rem|rot)/.test(name),
  );
  expect(changes).toHaveLength(7);
  expect(changes.filter((name) => !onceOnly.has(name))).toEqual([]);
});
