import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { capabilities } from '../../../../chaos/grounds/capabilities.ts';
import {
  containerCapabilities,
  containerGround,
} from '../../../../chaos/grounds/containers/container-ground.ts';
import { answeringSocket, openEngine } from '../../../../chaos/grounds/containers/engine.ts';
import { hasImage } from '../../../../chaos/grounds/containers/image.ts';
import { nodeAddresses } from '../../../../chaos/grounds/node-addresses.ts';
import { eventually } from '../../../../chaos/grounds/processes/eventually.ts';
import { HealPlan } from '../../../../chaos/heal/heal-plan.ts';
import type { ClusterShape } from '../../../../chaos/scenario/scenario.ts';
import { vocabulary } from '../../../../chaos/vocabulary.ts';

test('containers can do whatever a fault may ask of a ground, but for cutting the power', () => {
  const lacking = Object.keys(capabilities).filter(
    (one) => !containerCapabilities.has(one as keyof typeof capabilities),
  );
  expect(lacking).toEqual(['process.power']);
});

test('a power cut in containers is refused by name', () => {
  expect(vocabulary.impossible('power-cut', {}, 'containers')).toContain(
    '"containers" cannot do power-cut: it lacks process.power',
  );
  expect(vocabulary.impossible('kill', {}, 'containers')).toBeUndefined();
});

test('a cluster whose faults need an HSM that it does not have is refused before an engine is asked', async () => {
  const shape: ClusterShape = { nodes: [], seal: 'dev', betweenRegions: undefined };
  expect(await containerGround.unavailable(shape, new Set(['hsm.link']))).toContain(
    'need "seal: pkcs11"',
  );
});

/** Only in an engine that is there, with an image that is made: `npm run chaos:containers` makes both. */
async function whyNot(): Promise<string | undefined> {
  const shape: ClusterShape = { nodes: [], seal: 'dev', betweenRegions: undefined };
  const why = await containerGround.unavailable(shape, new Set());
  if (why !== undefined) return why;
  if ((await answeringSocket()) === undefined) return 'no container engine is running';
  await using engine = await openEngine(() => undefined);
  return (await hasImage(engine))
    ? undefined
    : 'its image is not made yet: npm run chaos:containers';
}

const why = await whyNot();

describe.skipIf(why !== undefined)(
  `a cluster in containers${why === undefined ? '' : `: skipped, ${why}`}`,
  () => {
    const shape: ClusterShape = {
      nodes: [
        { name: 'voter-1', kind: 'voter', region: 'east' },
        { name: 'west-1', kind: 'replica', region: 'west' },
      ],
      seal: 'dev',
      betweenRegions: { delayMs: 80, jitterMs: 0, lossRatio: 0 },
    };

    test('has its regions as far apart as was asked for, can be cut, and leaves nothing', async () => {
      const folder = mkdtempSync(join(tmpdir(), 'strongroom-containers-test-'));
      const healPlan = new HealPlan(folder, {
        scenario: 's',
        ground: 'containers',
        startedAt: 'now',
      });
      try {
        const cluster = await containerGround.start(shape, {
          healPlan,
          seed: 1,
          needs: new Set(['network.cut']),
          signal: new AbortController().signal,
        });
        try {
          const client = await cluster.client();
          const address = (await nodeAddresses(client)).get('west-1');
          const far = { mount: 'secret', path: 'far' };
          const data = new TextEncoder().encode('{"a":"b"}');
          await client.call('kv.put', { ...far, data });
          // Asked of the replica, which asks the leader: there and back again.
          const askThere = async (timeoutMs: number) => {
            const startMs = performance.now();
            const options = { consistency: { kind: 'linearizable' as const }, timeoutMs };
            await client.call('kv.get', far, { ...options, ...(address && { address }) });
            return performance.now() - startMs;
          };
          expect(await askThere(10_000)).toBeGreaterThan(155);
          const cut = { shape: { blocked: 'drop' } } as const;
          await cluster.levers.network?.lay('cut', [
            { from: 'voter-1', to: 'west-1', ...cut },
            { from: 'west-1', to: 'voter-1', ...cut },
          ]);
          await expect(askThere(1_500)).rejects.toThrow('in time');
          await cluster.heal();
          await eventually(
            () => askThere(2_000).then(() => true),
            'the replica reaches the leader',
          );
        } finally {
          await cluster[Symbol.asyncDispose]();
        }
        expect(healPlan.steps).toEqual([]);
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    }, 120_000);
  },
);
