import { expect, test } from 'vitest';
import { HostNames } from '../../../src/server/names/host-names.ts';
import { ManualClock } from '../../harness/manual-clock.ts';

type Answer = (addresses: readonly string[] | Error) => void;

/** Names whose lookups are answered by hand. */
function names() {
  const clock = new ManualClock();
  const asked: { readonly host: string; readonly answer: Answer }[] = [];
  const hosts = new HostNames(
    clock,
    (host) =>
      new Promise((resolve, reject) => {
        const answer: Answer = (one) => (one instanceof Error ? reject(one) : resolve(one));
        asked.push({ host, answer });
      }),
  );
  return { clock, asked, hosts };
}

test('connections to one host ask for its name once, and not again while the answer is fresh', async () => {
  const { clock, asked, hosts } = names();
  const both = [hosts.addressesOf('a'), hosts.addressesOf('a')];
  asked[0]?.answer(['10.0.0.1']);
  expect(await Promise.all(both)).toEqual([['10.0.0.1'], ['10.0.0.1']]);
  clock.nowMs += 4_999;
  expect(await hosts.addressesOf('a')).toEqual(['10.0.0.1']);
  expect(asked).toHaveLength(1);
  clock.nowMs += 1;
  const later = hosts.addressesOf('a');
  asked[1]?.answer(['10.0.0.2']);
  expect(await later).toEqual(['10.0.0.2']);
});

test('a lookup that hangs or fails leaves the addresses that were known in use', async () => {
  const { clock, asked, hosts } = names();
  const first = hosts.addressesOf('a');
  asked[0]?.answer(['10.0.0.1']);
  await first;
  clock.nowMs += 60_000;
  expect(await hosts.addressesOf('a')).toEqual(['10.0.0.1']);
  expect(await hosts.addressesOf('a')).toEqual(['10.0.0.1']);
  expect(asked).toHaveLength(2);
  asked[1]?.answer(new Error('EAI_AGAIN'));
  expect(await hosts.addressesOf('a')).toEqual(['10.0.0.1']);
});

test('a name that was never found fails, is not asked for by every connection, and is found when it appears', async () => {
  const { clock, asked, hosts } = names();
  const first = hosts.addressesOf('a');
  asked[0]?.answer(new Error('ENOTFOUND'));
  await expect(first).rejects.toThrow('ENOTFOUND');
  await expect(hosts.addressesOf('a')).rejects.toThrow('ENOTFOUND');
  expect(asked).toHaveLength(1);
  clock.nowMs += 1_000;
  const later = hosts.addressesOf('a');
  asked[1]?.answer(['10.0.0.1']);
  expect(await later).toEqual(['10.0.0.1']);
});
