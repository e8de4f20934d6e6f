import { expect, test } from 'vitest';
import { Admission } from '../../src/api/grpc/admission.ts';
import { defaultApiBounds } from '../../src/api/index.ts';
import { ManualClock } from '../harness/manual-clock.ts';

function admission(bounds: Partial<typeof defaultApiBounds>) {
  const clock = new ManualClock();
  return { clock, gate: new Admission({ ...defaultApiBounds, ...bounds }, clock) };
}

test('a connection earns its calls back with time, and saves up a second at most', () => {
  const { clock, gate } = admission({ connectionCallsPerSecond: 10 });
  const burst = () => {
    let passed = 0;
    for (; passed < 100; passed++) {
      try {
        gate.enter('a:1')();
      } catch {
        break;
      }
    }
    return passed;
  };
  expect(burst()).toBe(10);
  clock.nowMs += 500;
  expect(burst()).toBe(5);
  clock.nowMs += 3_600_000;
  expect(burst()).toBe(10);
});

test('one connection at its rate does not slow another, but the node has a rate too', () => {
  const { gate } = admission({ connectionCallsPerSecond: 2, nodeCallsPerSecond: 3 });
  gate.enter('a:1');
  gate.enter('a:1');
  expect(() => gate.enter('a:1')).toThrow(/This connection/);
  gate.enter('b:1');
  expect(() => gate.enter('c:1')).toThrow(/This node/);
});

test('places in flight are given back', () => {
  const { gate } = admission({ connectionInFlightMax: 2, nodeInFlightMax: 3 });
  const leave = gate.enter('a:1');
  gate.enter('a:1');
  expect(() => gate.enter('a:1')).toThrow(/in flight/);
  leave();
  gate.enter('a:1');
  gate.enter('b:1');
  expect(() => gate.enter('b:1')).toThrow(/This node/);
  expect(gate.inFlight).toBe(3);
});

test('connections that went away are forgotten, those at work are not', () => {
  const { clock, gate } = admission({ nodeInFlightMax: 100_000, nodeCallsPerSecond: 1e9 });
  gate.enter('busy:1');
  for (let i = 1; i < 16_384; i++) gate.enter(`idle:${i}`)();
  expect(() => gate.enter('one:1')).toThrow(/connections/);
  clock.nowMs += 1_000;
  gate.enter('one:1')();
  expect(gate.inFlight).toBe(1);
});
