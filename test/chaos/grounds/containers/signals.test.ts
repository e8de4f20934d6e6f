import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, test } from 'vitest';

const signals = new URL('../../../../chaos/grounds/containers/signals.ts', import.meta.url);

// As the command line does: it listens once, and then heals.
const runner = `
process.once('SIGINT', () => { setTimeout(() => { console.log('healed'); process.exit(0); }, 300); });
await import('testcontainers');
const { holdSignals } = await import(${JSON.stringify(signals.href)});
const held = holdSignals();
setInterval(() => {}, 1000);
console.log('up');
`;

test('Ctrl-C leaves the runner the time to heal, whatever libraries do with it', async () => {
  const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', runner], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let said = '';
  child.stdout.on('data', (chunk: Buffer) => {
    said += chunk.toString('utf8');
    if (said === 'up\n') child.kill('SIGINT');
  });
  const [code] = (await once(child, 'exit')) as [number | null];
  expect({ code, said }).toEqual({ code: 0, said: 'up\nhealed\n' });
});
