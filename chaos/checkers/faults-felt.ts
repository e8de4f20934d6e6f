import type { Checker } from './checker.ts';

/** A fault that missed proves nothing, however well the cluster did. */
export const faultsFelt: Checker = {
  name: 'faults-felt',
  summary: 'nodes said themselves that they felt each fault that leaves a trace in their logs',
  judges: [],
  check({ faults }) {
    const judged = faults.filter((one) => one.felt !== undefined);
    const missed = judged.filter((one) => one.felt === false);
    if (judged.length === 0)
      return Promise.resolve({
        kind: 'undecided',
        because: 'no fault was done that leaves a trace, or this ground shows no logs',
      });
    if (missed.length === 0)
      return Promise.resolve({ kind: 'ok', about: `${judged.length} faults left their trace` });
    const names = missed.map(({ id, nodes }) => [id, ...nodes].join(' '));
    return Promise.resolve({
      kind: 'undecided',
      because: `no node felt ${names.join(', ')}: it left no trace in their logs`,
    });
  },
};
