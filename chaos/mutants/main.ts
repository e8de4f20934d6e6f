/**
 * Seeds one bug after the other into a copy of the sources and asks the tests whether they notice.
 * `npm run chaos:mutants`, or with part of a name: `npm run chaos:mutants -- stickiness`.
 */
import { MUTANTS } from './mutants.ts';
import { MutantWorkshop } from './run-mutants.ts';

async function main(): Promise<void> {
  const [part] = process.argv.slice(2);
  const chosen = MUTANTS.filter((mutant) => part === undefined || mutant.name.includes(part));
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
