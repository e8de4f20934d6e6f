import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SecretBytes, StrongroomError } from '../../src/lib/index.ts';
import { type LogLevel, pinoLogger } from '../../src/telemetry/index.ts';
import { temporaryFolder } from '../harness/temporary-folder.ts';

function logging(level: LogLevel = 'debug') {
  const lines: string[] = [];
  const log = pinoLogger({ level, name: 'n1', destination: { write: (line) => lines.push(line) } });
  return { log, lines, last: () => JSON.parse(lines.at(-1) ?? '{}') as Record<string, unknown> };
}

describe('pinoLogger', () => {
  it('writes one JSON line with time, level, name, message and fields', () => {
    const { log, last } = logging();
    log.info({ term: 3 }, 'became leader');
    expect(last()).toMatchObject({ level: 'info', name: 'n1', message: 'became leader', term: 3 });
    expect(last()['time']).toMatch(/^\d{4}-\d\d-\d\dT/);
  });

  it('carries the correlation id of a child on every line, and not on the parent', () => {
    const { log, last } = logging();
    const child = log.child({ correlationId: 'c-1' }).child({ operation: 'kv.put' });
    child.warn({}, 'slow');
    expect(last()).toMatchObject({ correlationId: 'c-1', operation: 'kv.put' });
    log.warn({}, 'other');
    expect(last()).not.toHaveProperty('correlationId');
  });

  it('writes no key twice in a line, as node was written by its name, its id and the event', () => {
    const { log, lines, last } = logging();
    const child = log.child({ node: 1 }).child({ node: 'again', part: 'raft' });
    child.info({ node: 2, part: 'other', pid: 7, term: 3 }, 'admitted');
    expect(last()).toMatchObject({ node: 1, part: 'raft', pid: process.pid, term: 3 });
    expect(last()).toMatchObject({ 'line.line.node': 2, 'line.part': 'other', 'line.pid': 7 });
    const keys = [...(lines.at(-1) ?? '').matchAll(/"([^"]+)":/g)].map((match) => match[1]);
    expect(keys).toHaveLength(new Set(keys).size);
  });

  it('leaves out what is below its level', () => {
    const { log, lines } = logging('warn');
    log.info({}, 'quiet');
    log.debug({}, 'quieter');
    expect(lines).toEqual([]);
  });

  it('never shows a field named like a secret, at any depth, in any spelling', () => {
    const names = [
      'token',
      'rootToken',
      'join_token',
      'PIN',
      'userPin',
      'x-strongroom-token',
      'share',
      'shares',
      'clientSecret',
      'password',
      'privateKey',
      'Authorization',
    ];
    fc.assert(
      fc.property(fc.constantFrom(...names), fc.integer({ min: 0, max: 4 }), (name, depth) => {
        const { log, lines } = logging();
        let fields: Record<string, unknown> = { [name]: 'marked-value' };
        for (let i = 0; i < depth; i++) fields = { inner: i % 2 === 0 ? fields : [fields] };
        log.info(fields, 'x');
        log.child(fields).error({}, 'y');
        expect(lines).toHaveLength(2);
        expect(lines.join('')).not.toContain('marked-value');
      }),
    );
  });

  it('keeps harmless fields whose names only begin like a secret', () => {
    const { log, last } = logging();
    log.info({ tokenLabel: 'root-2026', sharesNeeded: 2 }, 'x');
    expect(last()).toMatchObject({ tokenLabel: 'root-2026', sharesNeeded: 2 });
  });

  it('hides tokens and private keys inside texts', () => {
    const { log, lines } = logging();
    log.info(
      { note: 'got hvs.AAAAAAAAAAAAAAAAAAAAAAAA' },
      '-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----',
    );
    expect(lines[0]).not.toMatch(/AAAA|MIIB/);
  });

  it('shows the length of bytes and nothing of SecretBytes', () => {
    const { log, last } = logging();
    log.info({ nonce: new Uint8Array(24), key: SecretBytes.take(new Uint8Array([1, 2])) }, 'x');
    expect(last()).toMatchObject({ nonce: '[24 bytes]', key: '[secret]' });
  });

  it('writes an error with its code, details and cause', () => {
    const { log, last } = logging();
    const cause = new Error('disk');
    log.error(
      { error: new StrongroomError('node.internal', 'Cannot', { details: { at: 1 }, cause }) },
      'x',
    );
    expect(last()['error']).toMatchObject({
      code: 'node.internal',
      message: 'Cannot',
      details: { at: 1 },
      cause: { message: 'disk' },
    });
  });

  it('survives circular and very deep fields', () => {
    const { log, lines } = logging();
    const loop: Record<string, unknown> = {};
    loop['self'] = loop;
    log.info({ loop }, 'x');
    expect(lines[0]).toContain('[deeper]');
  });

  it('writes to a file that only its owner may read', async () => {
    const file = join(temporaryFolder(), 'logs', 'node.log');
    const log = pinoLogger({ level: 'info', destination: file });
    log.info({}, 'kept');
    await log.flush();
    expect(readFileSync(file, 'utf8')).toContain('kept');
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });
});
