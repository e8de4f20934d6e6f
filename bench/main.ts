// Measures a local 3-voter cluster beside a 3-node etcd on this machine, turn by turn, and prints
// ratios: the machine's own speed and noise fall out of them.
//
//   npm run bench                       everything, about 25 minutes
//   npm run bench -- --quick            64 in flight only, one round
//   npm run bench -- --only put         cases whose name holds "put"
//   npm run bench -- --json FILE        also writes the figures (default bench/results.json)
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { parseArgs } from 'node:util';
import { renderCells } from './report.ts';
import { measureThroughput } from './throughput.ts';

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string' },
    rounds: { type: 'string' },
    seconds: { type: 'string' },
    json: { type: 'string', default: 'bench/results.json' },
  },
});

const say = (text: string) => process.stderr.write(`${text}\n`);
const cells = await measureThroughput({
  inFlight: values.quick ? [64] : [1, 16, 64, 256],
  rounds: Number(values.rounds ?? (values.quick ? 1 : 3)),
  seconds: Number(values.seconds ?? 5),
  only: values.only,
  say,
});
process.stdout.write(renderCells(cells));
const report = {
  node: process.versions.node,
  when: new Date().toISOString(),
  throughput: cells,
};
mkdirSync(dirname(values.json), { recursive: true });
writeFileSync(values.json, `${JSON.stringify(report, undefined, 2)}\n`);
say(`Figures are in ${values.json}`);
if (cells.some((cell) => cell.goal !== undefined && cell.ratio < cell.goal)) process.exitCode = 1;
