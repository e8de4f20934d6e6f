import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { CORE_MUTANTS } from '../../chaos/mutants/core-mutants.ts';
import { DRIVER_MUTANTS } from '../../chaos/mutants/driver-mutants.ts';

it.each([...CORE_MUTANTS, ...DRIVER_MUTANTS].map((mutant) => [mutant.name, mutant] as const))(
  'the line that "%s" changes is there, once',
  (_name, { file, search }) => {
    const source = readFileSync(new URL(`../../src/${file}`, import.meta.url), 'utf8');
    expect(source.split(search)).toHaveLength(2);
  },
);
