// Generates src/wire/generated from proto/: static protobufjs modules, the descriptor set that server
// reflection serves, and the table of all methods with their types. One module for the public API,
// one for what nodes say to one another, one for the gRPC standards.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeMethodTable } from './method-table.mjs';

const out = 'src/wire/generated';
const protosIn = (folder) =>
  readdirSync(folder)
    .filter((name) => name.endsWith('.proto'))
    .sort()
    .map((name) => join(folder, name));

const bundles = {
  api: protosIn('proto/strongroom/v1'),
  internal: protosIn('proto/strongroom/internal/v1'),
  standard: [...protosIn('proto/google/rpc'), ...protosIn('proto/grpc/health/v1')],
};

const fingerprint = createHash('sha256');
for (const file of Object.values(bundles).flat())
  fingerprint.update(file).update(readFileSync(file));
fingerprint.update(readFileSync(new URL(import.meta.url)));
fingerprint.update(readFileSync(new URL('method-table.mjs', import.meta.url)));
const stamp = fingerprint.digest('hex');
const stampFile = join(out, 'stamp');
mkdirSync(out, { recursive: true });
try {
  if (readFileSync(stampFile, 'utf8') === stamp) process.exit(0);
} catch {
  // Never generated.
}

const bin = (name) => join('node_modules', '.bin', name);
for (const [name, files] of Object.entries(bundles)) {
  if (files.length === 0) continue;
  const js = join(out, `${name}.js`);
  // prettier-ignore
  execFileSync(
    bin('pbjs'),
    [
      '-t',
      'static-module',
      '-w',
      'es6',
      '--force-number',
      '--no-verify',
      '--no-delimited',
      '--no-service',
      '--root',
      `strongroom-${name}`,
      '-p',
      'proto',
      '-o',
      js,
      ...files,
    ],
    { stdio: ['ignore', 'ignore', 'inherit'] },
  );
  execFileSync(bin('pbts'), ['-o', join(out, `${name}.d.ts`), js], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
}
execFileSync(bin('buf'), ['build', '-o', join(out, 'descriptors.binpb')], { stdio: 'inherit' });
writeMethodTable(out);
writeFileSync(stampFile, stamp);
