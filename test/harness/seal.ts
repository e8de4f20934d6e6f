import { createPinGuard } from '../../src/hsm/index.ts';
import { SystemRandom, systemClock } from '../../src/lib/index.ts';
import { createSeal, type Seal, type SealOptions } from '../../src/seal/index.ts';
import { type Logger, quietLogger, quietMetrics } from '../../src/telemetry/index.ts';
import { MemorySealRecords } from './seal-records.ts';

export const CLUSTER_ID = '00112233445566778899aabbccddeeff';

/** One node's seal, as if in a process of its own. */
export function nodeSeal(
  records: MemorySealRecords,
  slots: SealOptions['slots'],
  overrides: Partial<SealOptions> = {},
): Seal {
  const random = new SystemRandom();
  return createSeal({
    clusterId: CLUSTER_ID,
    nodeId: 1,
    slots,
    records,
    clock: systemClock,
    random,
    log: quietLogger,
    metrics: quietMetrics,
    pinGuard: createPinGuard(random),
    ...overrides,
  });
}

/** Keeps lines, to see what a log would have held. */
export function recordingLogger(): { readonly log: Logger; readonly lines: string[] } {
  const lines: string[] = [];
  const keep = (fields: unknown, message: string): void => {
    lines.push(`${message} ${JSON.stringify(fields)}`);
  };
  const log: Logger = { debug: keep, info: keep, warn: keep, error: keep, child: () => log };
  return { log, lines };
}
