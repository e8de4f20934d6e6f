import { z } from 'zod';
import { sleep } from '../grounds/sleep.ts';
import { duration } from '../scenario/units.ts';
import { defineFault, type Injection, lever } from './fault.ts';

const clocks = { danger: 'disruptive', targets: 'nodes', lasting: true } as const;
const needs = () => ['clock.offset'] as const;

const signed = z.enum(['ahead', 'back']).default('ahead');

function liftLater({ cluster, id, undo }: Injection): void {
  undo('set the clocks right', () => lever(cluster, 'clock').lift(id));
}

export const clockJump = defineFault({
  ...clocks,
  name: 'clock-jump',
  summary: 'moves the wall clock of nodes, ahead or back',
  parameters: z.strictObject({ by: duration(), to: signed }),
  needs,
  async inject(injection) {
    const { cluster, id, nodes, parameters } = injection;
    liftLater(injection);
    const offsetMs = parameters.to === 'ahead' ? parameters.by : -parameters.by;
    await lever(cluster, 'clock').lay(id, nodes, { offsetMs });
  },
});

/** A clock below half its pace would only make a node slow; one above three times starts elections. */
const DRIFT_MIN = -0.5;
const DRIFT_MAX = 2;

export const clockSkew = defineFault({
  ...clocks,
  name: 'clock-skew',
  summary: 'lets the clocks of nodes run fast or slow, the wall clock and the monotonic one',
  parameters: z.strictObject({ drift: z.number().min(DRIFT_MIN).max(DRIFT_MAX) }),
  needs,
  async inject(injection) {
    const { cluster, id, nodes, parameters } = injection;
    liftLater(injection);
    await lever(cluster, 'clock').lay(id, nodes, { drift: parameters.drift });
  },
});

const STROBE_MS_MIN = 10;

export const clockStrobe = defineFault({
  ...clocks,
  name: 'clock-strobe',
  summary: 'moves the wall clock of nodes to and fro, again and again',
  parameters: z.strictObject({
    by: duration(),
    every: duration().refine((ms) => ms >= STROBE_MS_MIN, `must be ${STROBE_MS_MIN}ms or more`),
  }),
  needs,
  async inject(injection) {
    const { cluster, id, nodes, parameters, undo } = injection;
    const over = new AbortController();
    const clock = lever(cluster, 'clock');
    let strobing = Promise.resolve();
    undo('set the clocks right', async () => {
      over.abort();
      await strobing;
      await clock.lift(id);
    });
    await clock.lay(id, nodes, { offsetMs: parameters.by });
    const strobe = async () => {
      for (let isAhead = true; !over.signal.aborted; isAhead = !isAhead) {
        await sleep(cluster.clock, parameters.every, over.signal);
        await clock.lay(id, nodes, { offsetMs: isAhead ? -parameters.by : parameters.by });
      }
    };
    strobing = strobe().catch(() => undefined);
  },
});

/** Longer than any certificate that a cluster gives to its nodes. */
const YEAR_MS = 366 * 24 * 3_600_000;

/** By the clock: to a node that lives next year, every certificate of this year has ended. */
export const certificateExpiry = defineFault({
  ...clocks,
  name: 'certificate-expiry',
  summary: 'takes nodes to a time at which the certificates of all have ended',
  parameters: z.strictObject({ after: duration().default(YEAR_MS) }),
  needs,
  async inject(injection) {
    const { cluster, id, nodes, parameters } = injection;
    liftLater(injection);
    await lever(cluster, 'clock').lay(id, nodes, { offsetMs: parameters.after });
  },
});
