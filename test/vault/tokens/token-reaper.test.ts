import { describe, expect, test } from 'vitest';
import { StrongroomError } from '../../../src/lib/index.ts';
import { quietLogger, quietMetrics } from '../../../src/telemetry/index.ts';
import { TokenReaper } from '../../../src/vault/tokens/token-reaper.ts';

type Options = ConstructorParameters<typeof TokenReaper>[0];

describe('what works off ended tokens', () => {
  // Thrown out of its timer it would end the process, in the midst of the restore.
  test('passes over a node whose state is being restored, and comes round again', async () => {
    const timers: (() => void)[] = [];
    let looks = 0;
    const options: unknown = {
      backend: {
        isLeader: () => true,
        barrier() {
          looks += 1;
          throw new StrongroomError('cluster.restoring', 'Cannot serve: a restore is under way');
        },
      },
      clock: {
        after(_ms: number, action: () => void) {
          timers.push(action);
          return { cancel() {} };
        },
        wallMs: () => 0,
      },
      log: quietLogger,
      metrics: quietMetrics,
    };
    const reaper = new TokenReaper(options as Options);
    reaper.start();
    for (const round of [1, 2, 3]) {
      timers.shift()?.();
      await new Promise((resolve) => setImmediate(resolve));
      expect(looks).toBe(round);
    }
  });
});
