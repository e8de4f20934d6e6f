import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { seededFaults } from '../../../chaos/seeded/catalogue.ts';
import { caughtBy } from '../../../chaos/seeded/caught-by.ts';
import { resultTable } from '../../../chaos/seeded/result-table.ts';
import { PROMISES, type SeededFault, type Trial } from '../../../chaos/seeded/seeded-fault.ts';
import { chosenFrom, type SeededReport, tryFaults } from '../../../chaos/seeded/try-faults.ts';

const project = new URL('../../../', import.meta.url).pathname;
const simulated: Trial = {
  scenario: 'crashes-in-elections',
  ground: 'simulation',
  by: [PROMISES, 'linearizable'],
};

const options = {
  project,
  seeds: [1],
  isFaultsOnly: true,
  signal: new AbortController().signal,
  say: () => {},
};

test('seeded faults of consensus are caught in the simulation, which passes without them', {
  timeout: 120_000,
}, () => {
  const names = ['vote-not-persisted', 'reads-without-quorum-round'];
  const command = ['--import', 'tsx', 'chaos/seeded/main.ts', '--on', 'simulation'];
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [...command, '--format', 'json', '--only', names.join(',')],
    { cwd: project, encoding: 'utf8' },
  );
  expect(stderr).toContain('caught vote-not-persisted');
  expect(status).toBe(0);
  const { isGood, results } = JSON.parse(stdout) as SeededReport;
  expect(isGood).toBe(true);
  expect(results.flatMap(({ fault }) => fault ?? [])).toEqual(names);
  expect(results.filter(({ fault }) => fault === undefined).length).toBe(2);
  expect(results.map(({ fault, by }) => by.length > 0 === (fault !== undefined))).not.toContain(
    false,
  );
});

test('a fault that changes nothing that clients see is missed, and the run is not good', {
  timeout: 60_000,
}, async () => {
  const harmless: SeededFault = {
    name: 'harmless',
    what: 'nothing',
    patches: [
      {
        file: 'raft/core/quorum',
        search: 'return Math.floor(voters / 2) + 1;',
        replacement: 'return 1 + Math.floor(voters / 2);',
      },
    ],
    trials: [simulated],
  };
  const chosen = [{ fault: harmless, trials: harmless.trials }];
  const report = await tryFaults(chosen, options);
  expect(report.isGood).toBe(false);
  expect(report.results).toMatchObject([{ fault: 'harmless', isGood: false, because: 'passed' }]);
  expect(resultTable(report)).toMatch(/harmless +crashes-in-elections +simulation .* MISSED/);
});

test('only a violation of what must catch it catches a fault', () => {
  const verdict = {
    kind: 'failed',
    because: ['a promise was broken: two leaders', 'objective missed: write-rate'],
  } as const;
  const found = { kind: 'violation', summary: '', because: 'lost', history: [] } as const;
  const unsure = { kind: 'undecided', summary: '', because: 'nobody answered' } as const;
  const caught = (by: readonly string[], checks = [{ name: 'linearizable', ...found }]) =>
    caughtBy({ checks, verdict }, { ...simulated, by }).map((one) => one.by);
  expect(caught(['linearizable'])).toEqual(['linearizable']);
  expect(caught([PROMISES, 'linearizable'])).toEqual([PROMISES, 'linearizable']);
  expect(caught(['exactly-once'])).toEqual([]);
  const checks = [{ name: 'linearizable', ...unsure }];
  expect(caughtBy({ checks, verdict }, { ...simulated, by: ['linearizable'] })).toEqual([]);
});

test('faults are chosen by their names, by those of scenarios, and by grounds', () => {
  const names = (wanted: Parameters<typeof chosenFrom>[1]) =>
    chosenFrom(seededFaults, wanted).map(({ fault }) => fault.name);
  expect(names({})).toEqual(seededFaults.map((fault) => fault.name));
  expect(names({ names: ['watch-repeats'] })).toEqual(['watch-repeats']);
  expect(names({ names: ['restarts'] })).toContain('request-ids-lost-at-restart');
  const [both] = chosenFrom(seededFaults, {
    names: ['reads-without-quorum-round'],
    ground: 'simulation',
  });
  expect(both?.trials.map((trial) => trial.ground)).toEqual(['simulation']);
  expect(() => names({ names: ['watch-repeat'] })).toThrow('is called "watch-repeat"');
  expect(() => names({ ground: 'moon' })).toThrow('"moon"');
});
