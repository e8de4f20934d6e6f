import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { buildEmulator } from '../../../../chaos/grounds/containers/emulator.ts';
import { emptyTable, tableRow, wholeOf } from '../../../../chaos/grounds/containers/link-plan.ts';
import type { LinkShape } from '../../../../chaos/grounds/levers.ts';
import { compiler } from '../../../../chaos/grounds/processes/compile.ts';

const probe =
  'ip link set lo up && iptables -t mangle -A INPUT -s 127.0.0.1 -p udp -j NFQUEUE --queue-num 0';
const canRun =
  compiler() !== undefined && spawnSync('unshare', ['-n', 'sh', '-c', probe]).status === 0;

/** Numbers that went over loopback, in the order of their arrival, and when each came. */
interface Arrivals {
  readonly numbers: readonly number[];
  readonly atMs: readonly number[];
}

// Sends so many numbered datagrams to itself, and prints which came and when.
const sender = `
const { createSocket } = require('node:dgram');
const [count, size] = process.argv.slice(1).map(Number);
const socket = createSocket('udp4');
const numbers = [], atMs = [];
socket.bind(9, '127.0.0.1', () => {
  const start = performance.now();
  socket.on('message', (data) => { numbers.push(data.readUInt32LE(0)); atMs.push(performance.now() - start); });
  for (let n = 0; n < count; n++) { const data = Buffer.alloc(size); data.writeUInt32LE(n); socket.send(data, 9, '127.0.0.1'); }
  setTimeout(() => { process.stdout.write(JSON.stringify({ numbers, atMs })); process.exit(); }, 800);
});`;

describe.skipIf(!canRun)('the link emulator (needs root, iptables and a C compiler)', () => {
  let folder = '';
  let emulator = '';
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'strongroom-emulator-'));
    emulator = buildEmulator(folder) ?? '';
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  /** In a network namespace of its own, of which nothing is left. */
  async function arrivals(shape: LinkShape, count: number, size = 100): Promise<Arrivals> {
    const table = emptyTable();
    const row = tableRow(0, { address: '127.0.0.1', shape: wholeOf([shape]) });
    row.bytes.copy(table, row.at);
    writeFileSync(join(folder, 'table'), table);
    const script = `${probe}; '${emulator}' '${folder}/table' 7 & until grep -q . /proc/net/netfilter/nfnetlink_queue; do sleep 0.02; done; "$@"; kill $!`;
    const node = [process.execPath, '-e', sender, String(count), String(size)];
    const child = spawn('unshare', ['-n', 'sh', '-c', script, 'sh', ...node], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let text = '';
    for await (const chunk of child.stdout) text += String(chunk);
    return JSON.parse(text) as Arrivals;
  }

  const inOrder = (numbers: readonly number[]) =>
    numbers.every((n, at) => n >= (numbers[at - 1] ?? 0));

  test('holds packets for the delay, and none for less', async () => {
    const { numbers, atMs } = await arrivals({ delayMs: 80, jitterMs: 10 }, 50);
    expect(numbers.length).toBe(50);
    expect(inOrder(numbers)).toBe(true);
    expect(Math.min(...atMs)).toBeGreaterThan(69);
  });

  test('loses the share that it was told to lose', async () => {
    const { numbers } = await arrivals({ lossRatio: 0.3 }, 300);
    expect(numbers.length).toBeGreaterThan(150);
    expect(numbers.length).toBeLessThan(270);
  });

  test('lets packets be overtaken, and loses none of them', async () => {
    const { numbers } = await arrivals({ reorderRatio: 0.2 }, 100);
    expect([...numbers].sort((a, b) => a - b)).toEqual(Array.from({ length: 100 }, (_, n) => n));
    expect(inOrder(numbers)).toBe(false);
  });

  test('damages packets, which their checksums notice', async () => {
    const { numbers } = await arrivals({ corruptRatio: 0.5 }, 100);
    expect(numbers.length).toBeGreaterThan(10);
    expect(numbers.length).toBeLessThan(90);
  });

  test('bounds the bytes a second', async () => {
    const { numbers, atMs } = await arrivals({ bytesPerSecond: 100_000 }, 40, 1_000);
    expect(numbers.length).toBe(40);
    // 41 kB with their headers.
    expect(Math.max(...atMs)).toBeGreaterThan(400);
  });

  test('refuses a table that is not there', () => {
    expect(() => execFileSync(emulator, [`${folder}/none`, '1'], { stdio: 'pipe' })).toThrow(
      'No such file',
    );
  });
});
