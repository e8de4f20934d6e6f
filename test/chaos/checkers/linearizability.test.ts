import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { checkLinearizability } from '../../../chaos/checkers/linearizability/checker.ts';
import type { Operation } from '../../../chaos/checkers/linearizability/operation.ts';
import {
  type SecretInput,
  type SecretOutput,
  secretModel,
} from '../../../chaos/checkers/linearizability/secret-model.ts';

type Step = Operation<SecretInput, SecretOutput>;

const put = (value: string, from: number, to: number, version: number, revision: number): Step => ({
  client: 0,
  input: { kind: 'put', key: 'k', value },
  calledAt: from,
  returnedAt: to,
  output: { kind: 'put', version, revision },
});
const lostPut = (value: string, from: number): Step => ({
  client: 0,
  input: { kind: 'put', key: 'k', value },
  calledAt: from,
  returnedAt: Number.POSITIVE_INFINITY,
  output: undefined,
});
const got = (value: string, from: number, to: number, version: number, revision: number): Step => ({
  client: 1,
  input: { kind: 'get', key: 'k' },
  calledAt: from,
  returnedAt: to,
  output: { kind: 'got', value, version, revision },
});
const absent = (from: number, to: number, revision = 0): Step => ({
  client: 1,
  input: { kind: 'get', key: 'k' },
  calledAt: from,
  returnedAt: to,
  output: { kind: 'absent', revision },
});
const verdict = (...history: Step[]) => checkLinearizability(secretModel, history).kind;

describe('the linearizability checker', () => {
  test('accepts a read that overlaps a write, whichever it saw', () => {
    expect(verdict(put('a', 0, 10, 1, 5), absent(2, 4))).toBe('linearizable');
    expect(verdict(put('a', 0, 10, 1, 5), got('a', 2, 4, 1, 5))).toBe('linearizable');
  });

  test('refuses a read that misses a write acknowledged before it began', () => {
    expect(verdict(put('a', 0, 1, 1, 5), absent(2, 3))).toBe('violation');
  });

  test('refuses a read that goes back after another read saw the newer value', () => {
    const history = [
      put('a', 0, 1, 1, 5),
      put('b', 2, 20, 2, 6),
      got('b', 3, 4, 2, 6),
      got('a', 5, 6, 1, 5),
    ];
    expect(verdict(...history)).toBe('violation');
  });

  test('refuses a lost acknowledged write', () => {
    expect(verdict(put('a', 0, 1, 1, 5), put('b', 2, 3, 1, 7))).toBe('violation');
  });

  test('lets a write of unknown outcome have happened, not happened, or happen late', () => {
    expect(verdict(lostPut('a', 0), absent(5, 6))).toBe('linearizable');
    expect(verdict(lostPut('a', 0), got('a', 5, 6, 1, 9))).toBe('linearizable');
    expect(verdict(lostPut('a', 0), absent(5, 6), got('a', 8, 9, 1, 9))).toBe('linearizable');
    expect(verdict(lostPut('a', 0), got('a', 5, 6, 1, 9), absent(8, 9, 9))).toBe('violation');
  });

  test('refuses one write applied twice', () => {
    expect(verdict(lostPut('a', 0), got('a', 5, 6, 2, 9))).toBe('violation');
  });

  test('refuses revisions that go back', () => {
    expect(verdict(put('a', 0, 1, 1, 5), got('a', 2, 3, 1, 4))).toBe('violation');
  });

  test('says undecided when its budget ends, never linearizable', () => {
    const many = Array.from({ length: 14 }, (_, i) => lostPut(`v${i}`, 0));
    const history = [...many, got('never', 1, 2, 3, 3)];
    expect(checkLinearizability(secretModel, history, 1000).kind).toBe('undecided');
  });

  test('accepts every history that one register really made, and refuses it with one value changed', () => {
    const plan = fc.array(fc.record({ write: fc.boolean(), lead: fc.nat(5), tail: fc.nat(5) }), {
      minLength: 2,
      maxLength: 12,
    });
    fc.assert(
      fc.property(plan, fc.nat(), (steps, pick) => {
        let version = 0;
        const history = steps.map(({ write, lead, tail }, i) => {
          // The effect happens at time 10 i; call and return lie around it.
          const at = 10 * i;
          if (write) return put(`v${++version}`, at - lead, at + tail, version, version);
          return version === 0
            ? absent(at - lead, at + tail)
            : got(`v${version}`, at - lead, at + tail, version, version);
        });
        if (verdict(...history) !== 'linearizable') return false;
        const reads = history.filter((step) => step.output?.kind === 'got');
        const victim = reads[pick % Math.max(1, reads.length)];
        if (victim === undefined) return true;
        const changed = history.map((step) =>
          step === victim ? got('never written', step.calledAt, step.returnedAt, 1, 99) : step,
        );
        return verdict(...changed) === 'violation';
      }),
    );
  });
});
