/**
 * Seeds one bug after the other into a copy of the sources and asks the tests whether they notice.
 * `npm run chaos:mutants`, or with part of a file or name: `npm run chaos:mutants -- driver`.
 */
import { CORE_MUTANTS } from './core-mutants.ts';
import { DRIVER_MUTANTS } from './driver-mutants.ts';
import { MutantWorkshop } from './run-mutants.ts';

async function main(): Promise<void> {
  const [part] = process.argv.slice(2);
  const chosen = [...CORE_MUTANTS, ...DRIVER_MUTANTS].filter(
    (mutant) => part === undefined || `${mutant.file} ${mutant.name}`.includes(part),
  );
  using workshop = new MutantWorkshop(process.cwd());
  if (!(await workshop.baseline())) {
    console.log('The tests fail on the unchanged sources: no mutant was tried');
    process.exitCode = 1;
    return;
  }
  let survivors = 0;
  for (const mutant of chosen) {
    const verdict = await workshop.judge(mutant);
    if (!verdict.caught) survivors += 1;
    const mark = verdict.caught ? 'caught  ' : 'SURVIVED';
    console.log(`${mark} ${mutant.name} (${mutant.file}): ${verdict.by || mutant.why}`);
  }
  console.log(`${chosen.length - survivors} of ${chosen.length} mutants caught`);
  if (survivors > 0 || chosen.length === 0) process.exitCode = 1;
}

await main();
