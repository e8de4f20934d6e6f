import { expect, test } from 'vitest';
import {
  addressNumber,
  firewallRules,
  isHeld,
  netemChange,
  netemClass,
  tableRow,
  wholeOf,
} from '../../../../chaos/grounds/containers/link-plan.ts';

const farAway = wholeOf([{ delayMs: 80, jitterMs: 4, lossRatio: 0.001 }]);

test('layers over one link add up: delays, the narrowest bandwidth, chances that are independent', () => {
  const whole = wholeOf([
    { delayMs: 80, lossRatio: 0.5, bytesPerSecond: 1_000 },
    { delayMs: 20, jitterMs: 5, lossRatio: 0.5, bytesPerSecond: 500 },
  ]);
  expect(whole).toMatchObject({ delayMs: 100, jitterMs: 5, lossRatio: 0.75, bytesPerSecond: 500 });
});

test('a link that refuses and is cut off silently refuses', () => {
  expect(wholeOf([{ blocked: 'drop' }, { blocked: 'refuse' }]).blocked).toBe('refuse');
});

test('a link without layers is let alone', () => {
  expect(isHeld(wholeOf([]))).toBe(false);
  expect(isHeld(wholeOf([{ blocked: 'drop', duplicateRatio: 0.5 }]))).toBe(false);
  for (const shape of [{ delayMs: 1 }, { lossRatio: 0.1 }, { bytesPerSecond: 9 }])
    expect(isHeld(wholeOf([shape]))).toBe(true);
});

test('the firewall says all that a host may not send, whatever it said before', () => {
  const rules = firewallRules(
    [
      { address: '10.0.0.2', shape: wholeOf([{ blocked: 'drop' }]) },
      { address: '10.0.0.3', shape: wholeOf([{ blocked: 'refuse' }]) },
      { address: '10.0.0.4', shape: wholeOf([{ duplicateRatio: 0.25 }]) },
      { address: '10.0.0.5', shape: wholeOf([]) },
    ],
    ['10.0.0.6'],
  );
  expect(rules.split('\n')).toEqual([
    '*mangle',
    ':CHAOS-IN -',
    ':CHAOS-TWICE -',
    '-A CHAOS-IN -s 10.0.0.6 -j NFQUEUE --queue-num 0 --queue-bypass',
    '-A CHAOS-TWICE -d 10.0.0.4 -m statistic --mode random --probability 0.250000 -j TEE --gateway 10.0.0.4',
    'COMMIT',
    '*filter',
    ':CHAOS-OUT -',
    '-A CHAOS-OUT -d 10.0.0.2 -j DROP',
    '-A CHAOS-OUT -d 10.0.0.3 -p tcp -j REJECT --reject-with tcp-reset',
    '-A CHAOS-OUT -d 10.0.0.3 -j DROP',
    'COMMIT',
    '',
  ]);
});

test('80 ms between regions is a netem delay of packets for that peer alone', () => {
  expect(netemClass(1, '10.0.0.2').at(-1)).toBe(
    'filter add dev eth0 parent 1: protocol ip prio 2 u32 match ip dst 10.0.0.2/32 flowid 1:11',
  );
  expect(netemChange(1, farAway)).toBe(
    'qdisc change dev eth0 parent 1:11 handle 11: netem limit 50000 delay 80ms 4ms loss 0.1% corrupt 0% reorder 0% rate 0bit',
  );
});

test('netem is told that a fault is over: it keeps what it is not told', () => {
  expect(netemChange(0, wholeOf([]))).toContain(
    'delay 0ms 0ms loss 0% corrupt 0% reorder 0% rate 0bit',
  );
});

test('without a delay, netem holds the share that is to be overtaken; with one, a share overtakes', () => {
  expect(netemChange(0, wholeOf([{ reorderRatio: 0.2 }]))).toContain('delay 20ms 0ms');
  expect(netemChange(0, wholeOf([{ reorderRatio: 0.2 }]))).toContain('reorder 80%');
  expect(netemChange(0, wholeOf([{ reorderRatio: 0.2, delayMs: 80 }]))).toContain('delay 80ms 0ms');
  expect(netemChange(0, wholeOf([{ reorderRatio: 0.2, delayMs: 80 }]))).toContain('reorder 20%');
});

test("a row of the emulator's table holds the peer's address and its shape, and not the count", () => {
  const { at, bytes } = tableRow(3, { address: '172.18.0.3', shape: farAway });
  expect(at).toBe(3 * 64);
  const words = Array.from({ length: bytes.length / 8 }, (_, word) =>
    Number(bytes.readBigInt64LE(word * 8)),
  );
  expect(words).toEqual([172 * 2 ** 24 + 18 * 2 ** 16 + 3, 80_000, 4_000, 1_000, 0, 0, 0]);
});

test('what is no IPv4 address, or more peers than the table has rows, is refused', () => {
  for (const wrong of ['', '1.2.3', '1.2.3.256', 'fd00::1'])
    expect(() => addressNumber(wrong)).toThrow(`"${wrong}" is no IPv4 address`);
  expect(() => tableRow(64, { address: '10.0.0.1', shape: farAway })).toThrow('64 rows');
});
