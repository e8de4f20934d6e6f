import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { text } from 'node:stream/consumers';
import { describe, expect, test } from 'vitest';
import { freePortRow, freePorts } from '../../../chaos/grounds/processes/free-ports.ts';

const script = `
  import { freePortRow, freePorts } from './chaos/grounds/processes/free-ports.ts';
  process.stdout.write(JSON.stringify(await freePorts(120)));
  process.stdin.once('data', () => process.exit());
`;

describe('free ports', () => {
  test('are given to one process only, though nobody listens on them yet', async () => {
    const others = Array.from({ length: 4 }, () =>
      spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script]),
    );
    const own = await freePorts(120);
    await Promise.all(others.map(({ stdout }) => once(stdout, 'readable')));
    for (const { stdin } of others) stdin.write('end\n');
    const theirs = await Promise.all(others.map(({ stdout }) => text(stdout)));
    const all = [own, ...theirs.map((said) => JSON.parse(said) as number[])].flat();
    expect(all).toHaveLength(600);
    expect(new Set(all).size).toBe(600);
  });

  test('can be had in a row', async () => {
    const others = await freePorts(60);
    const first = await freePortRow(30);
    const row = Array.from({ length: 30 }, (_, at) => first + at);
    expect(row.filter((port) => others.includes(port))).toEqual([]);
    expect((await freePorts(60)).filter((port) => row.includes(port))).toEqual([]);
    await expect(freePortRow(1_000)).rejects.toThrow('1000 free ports in a row');
  });

  test('are passed over when somebody else listens on them', async () => {
    const [first = 0] = await freePorts(1);
    // The next one of the block.
    const server = createServer();
    server.listen(first - 1, '127.0.0.1');
    await once(server, 'listening');
    expect(await freePorts(40)).not.toContain(first - 1);
    server.close();
  });
});
