import { describe, expect, it } from 'vitest';
import { createPinGuard, type TokenFacts } from '../../../src/hsm/index.ts';
import { SecretBytes, SystemRandom, systemClock, utf8Bytes } from '../../../src/lib/index.ts';
import { ClusterPinGuard } from '../../../src/seal/cluster-pin-guard.ts';
import { fromBase64, ReplicatedSealRecords } from '../../../src/server/cluster/seal-records.ts';
import { CLUSTER_ID } from '../../harness/seal.ts';
import { MemorySealRecords } from '../../harness/seal-records.ts';

const PIN_RECORD = 'seal/pin/hsm-a';
const token: TokenFacts = {
  label: 'alpha',
  serial: '0123',
  manufacturer: 'm',
  model: 'm',
  pinCountLow: false,
  pinFinalTry: false,
  pinLocked: false,
};

/** A follower whose own copy shows a write of the leader only once it has caught up. */
function follower() {
  const leader = new MemorySealRecords();
  let copy = new Map(leader.contents);
  const records = new ReplicatedSealRecords(
    {
      get: (name) => {
        const value = copy.get(name);
        return value === undefined ? undefined : { value, revision: 1 as never };
      },
      write: () => Promise.reject(new Error('a follower writes nothing by itself')),
      onChange: () => () => {},
    },
    {
      isLeader: () => false,
      askLeader: ({ changes, expected }) => leader.write(fromBase64(changes), fromBase64(expected)),
      async catchUp() {
        await new Promise((resolve) => setImmediate(resolve));
        copy = new Map(leader.contents);
      },
    },
  );
  return { leader, records };
}

describe('the records of the seal on a follower', () => {
  it("show a write that has resolved, though the follower's copy lags behind the leader's", async () => {
    const { records } = follower();
    await records.write(new Map([['seal/a', utf8Bytes('1')]]));
    expect(records.read('seal/a')).toEqual(utf8Bytes('1'));
  });

  it('show what was in the way of a write that conflicts', async () => {
    const { leader, records } = follower();
    await leader.write(new Map([['seal/a', utf8Bytes('of another node')]]));
    const write = records.write(
      new Map([['seal/a', utf8Bytes('1')]]),
      new Map([['seal/a', undefined]]),
    );
    await expect(write).rejects.toMatchObject({ code: 'store.conflict' });
    expect(records.read('seal/a')).toEqual(utf8Bytes('of another node'));
  });

  it('keep no claim of a login that was quicker than the copy, as kept other nodes sealed for 60 s', async () => {
    const { leader, records } = follower();
    const random = new SystemRandom();
    const guard = new ClusterPinGuard({
      slot: 'hsm-a',
      clusterId: CLUSTER_ID,
      nodeId: 2,
      records,
      clock: systemClock,
      random,
      local: createPinGuard(random),
      loginMs: 10_000,
      signal: new AbortController().signal,
    });
    let claimWas: Uint8Array | undefined;
    await guard.present(token, SecretBytes.take(utf8Bytes('1234')), async () => {
      claimWas = leader.read(PIN_RECORD);
    });
    expect(claimWas).toBeDefined();
    await expect.poll(() => leader.read(PIN_RECORD)).toBeUndefined();
  });
});
