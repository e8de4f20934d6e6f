import { describe, expect, it } from 'vitest';
import { mergeOptions } from '../../../src/cli/local-cluster/asked.ts';
import type { LocalOptions } from '../../../src/cli/local-cluster/layout.ts';

const before: LocalOptions = {
  voters: 3,
  replicas: ['eu-west', 'us-east'],
  basePort: 8200,
  data: '/data',
  seal: 'pkcs11',
  insecurePlaintext: false,
  tickMs: undefined,
};

describe('flags of "up" on a cluster that exists', () => {
  it('change nothing when none is given, or the same again', () => {
    expect(mergeOptions(before, {})).toEqual(before);
    const same = { voters: 3, replicas: ['us-east', 'eu-west'], basePort: 8200 };
    expect(mergeOptions(before, { ...same, seal: 'pkcs11', insecurePlaintext: false })).toEqual({
      ...before,
      replicas: ['us-east', 'eu-west'],
    });
  });

  it('add voters and replicas', () => {
    const more = { voters: 5, replicas: ['eu-west', 'eu-west', 'us-east', 'ap'] };
    expect(mergeOptions(before, more)).toEqual({ ...before, ...more });
  });

  it('are refused all at once when they would change what is laid out', () => {
    const asked = {
      seal: 'shamir',
      basePort: 9000,
      insecurePlaintext: true,
      tickMs: 50,
      voters: 1,
      replicas: ['eu-west', 'eu-west'],
    } as const;
    const named = ['--seal', '--base-port', '--insecure-plaintext', '--tick-ms', '--voters'];
    for (const flag of [...named, '--replica (it has one in us-east)']) {
      expect(() => mergeOptions(before, asked)).toThrow(
        expect.objectContaining({ code: 'cli.usage', message: expect.stringContaining(flag) }),
      );
    }
  });
});
