import { describe, expect, test } from 'vitest';
import { compare, sameState } from '../../../chaos/checkers/same-state.ts';
import type { Cluster } from '../../../chaos/grounds/ground.ts';
import { observationOf } from '../../../chaos/grounds/observation.ts';
import { StrongroomError } from '../../../src/lib/index.ts';

type Secrets = Readonly<Record<string, string>>;

/** A cluster whose nodes tell what they are made to tell; each is its own address. */
function clusterOf(nodes: Readonly<Record<string, Secrets>>): Cluster {
  const names = Object.keys(nodes);
  const call = (
    operation: string,
    { path = '', after = '' }: { path?: string; after?: string },
    { address = names[0] ?? '' }: { address?: string } = {},
  ): object => {
    const secrets = nodes[address] ?? {};
    switch (operation) {
      case 'cluster.status':
        return { members: names.map((name) => ({ name, apiAddress: name })) };
      case 'kv.list': {
        const below = Object.keys(secrets).filter((name) => name.startsWith(path));
        const children = below.map((name) => name.slice(path.length).replace(/\/.*/, '/'));
        const all = [...new Set(children)].sort().filter((name) => name > after);
        // One a page: paging is walked through.
        return { revision: 5, names: all.slice(0, 1), more: all.length > 1 };
      }
      case 'policy.list':
        return { names: ['default'], revision: 5 };
      case 'policy.get':
      case 'namespace.listMounts':
        // Each node answers at another revision, which is no difference.
        return { text: 'the same', revision: names.indexOf(address) };
      default:
        if (secrets[path] === 'deleted') throw new StrongroomError('kv.not-found', 'Not there');
        return { data: secrets[path], revision: names.indexOf(address) };
    }
  };
  const client = {
    call: async (...asked: Parameters<typeof call>) => call(...asked),
    close: () => Promise.resolve(),
  };
  return {
    nodes: names.map((name) => ({ name })),
    client: () => Promise.resolve(client),
  } as unknown as Cluster;
}

async function judged(nodes: Readonly<Record<string, Secrets>>): Promise<string> {
  const judgement = await sameState.check({
    histories: [],
    cluster: clusterOf(nodes),
    faults: [],
    final: observationOf([]),
    signal: new AbortController().signal,
  });
  return judgement.kind === 'violation' ? judgement.because : judgement.kind;
}

describe('the check that all nodes tell the same', () => {
  const secrets = { 'a/b': '1', 'a/c': '2', d: '3', e: 'deleted' };

  test('accepts nodes that tell the same at different revisions, folders and pages and all', async () => {
    expect(await judged({ n1: secrets, n2: { ...secrets }, n3: { ...secrets } })).toBe('ok');
  });

  test('rejects a node that lacks, has more, or tells another value of a secret', async () => {
    const { d: _, ...fewer } = secrets;
    expect(await judged({ n1: secrets, n2: fewer })).toContain('different things of');
    expect(await judged({ n1: secrets, n2: { ...secrets, 'a/x': '9' } })).toContain('a/x');
    expect(await judged({ n1: secrets, n2: secrets, n3: { ...secrets, 'a/c': '7' } })).toMatch(
      /^n1 and n3 tell different things of .* a\/c$/,
    );
    expect(await judged({ n1: secrets, n2: { ...secrets, e: 'alive' } })).toContain('of e');
  });

  test('proves nothing of a cluster without nodes or records', () => {
    expect(compare(new Map()).kind).toBe('undecided');
    expect(compare(new Map([['n1', new Map()]])).kind).toBe('undecided');
  });
});
