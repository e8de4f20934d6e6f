// Import rules and cycles. The cruiser says OK when it could read nothing at all, so a small count
// is a failure here.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

const result = spawnSync(
  process.execPath,
  [
    '--require',
    './scripts/read-using.cjs',
    join('node_modules', '.bin', 'depcruise'),
    '--config',
    '.dependency-cruiser.cjs',
    '--output-type',
    'json',
    'src',
    'chaos',
  ],
  { encoding: 'utf8', maxBuffer: 256 * 1024 * 1024 },
);
let report;
try {
  report = JSON.parse(result.stdout);
} catch {
  process.stdout.write(`${result.stdout}${result.stderr}`);
  process.exit(1);
}
const { totalCruised, violations } = report.summary;
const errors = violations.filter((violation) => violation.rule.severity === 'error');
for (const { rule, from, to, cycle } of errors) {
  const path = cycle ? ` (${cycle.map((step) => step.name).join(' -> ')})` : '';
  process.stdout.write(`${rule.name}: ${from} -> ${to}${path}\n`);
}
const MODULES_MIN = 40;
if (totalCruised < MODULES_MIN) {
  process.stdout.write(
    `Only ${totalCruised} modules were read: the TypeScript reader is missing\n`,
  );
}
process.exit(errors.length > 0 || totalCruised < MODULES_MIN ? 1 : 0);
