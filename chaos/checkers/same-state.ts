import { createHash } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import type { VaultClient } from '../grounds/ground.ts';
import { nodeAddresses } from '../grounds/node-addresses.ts';
import type { Checker, Judgement } from './checker.ts';
import { violation } from './entries.ts';

/** Read from each node: more than this and nothing is proved. */
const SECRETS_MAX = 20_000;
const AT_ONCE = 16;
const TIMEOUT_MS = 15_000;

/** Secrets, policies and mounts by name, with what a reader is told of each. */
type Contents = ReadonlyMap<string, string>;

/**
 * Reads everything through every node. The nodes compare digests of their states among themselves
 * and refuse to serve when they differ; this sees it from outside, and what they would not.
 */
export const sameState: Checker = {
  name: 'same-state',
  summary: 'at the end, full reads through every node tell the same',
  judges: [],
  async check({ cluster, signal }): Promise<Judgement> {
    const client = await cluster.client();
    try {
      const { revision } = await client.call('kv.list', { mount: 'secret', path: '', limit: 1 });
      const addresses = await nodeAddresses(client);
      const contents = new Map<string, Contents>();
      for (const { name } of cluster.nodes) {
        const address = addresses.get(name);
        if (address === undefined)
          return { kind: 'undecided', because: `the cluster does not tell where ${name} is` };
        const read = await contentsOf(reader(client, address, revision, signal));
        if (read === undefined)
          return { kind: 'undecided', because: `more than ${SECRETS_MAX} secrets to compare` };
        contents.set(name, read);
      }
      return compare(contents);
    } finally {
      await client.close();
    }
  },
};

export function compare(contents: ReadonlyMap<string, Contents>): Judgement {
  const [first, ...others] = contents;
  if (first === undefined) return { kind: 'undecided', because: 'there are no nodes' };
  const [firstName, one] = first;
  if (one.size === 0) return { kind: 'undecided', because: 'there is nothing to compare' };
  for (const [name, other] of others)
    for (const place of new Set([...one.keys(), ...other.keys()]))
      if (one.get(place) !== other.get(place))
        return violation(`${firstName} and ${name} tell different things of ${place}`);
  return { kind: 'ok', about: `${one.size} records, the same through ${contents.size} nodes` };
}

type Read = (operation: string, request: object) => Promise<Readonly<Record<string, unknown>>>;

/** Reads through one node that is so far, or, without an address, through whoever leads. */
export function reader(
  client: VaultClient,
  address: string | undefined,
  revision: number,
  signal: AbortSignal,
): Read {
  // Many calls at once listen to it.
  setMaxListeners(0, signal);
  const options = {
    address,
    signal,
    timeoutMs: TIMEOUT_MS,
    consistency:
      address === undefined
        ? ({ kind: 'linearizable' } as const)
        : ({ kind: 'at-least', revision } as const),
  };
  return (operation, request) => client.call(operation, { ...request }, options);
}

/** @returns undefined when there is more than can be compared. */
export async function contentsOf(read: Read): Promise<Contents | undefined> {
  const contents = new Map<string, string>();
  const secrets = await pathsBelow(read, '');
  if (secrets === undefined) return undefined;
  const keep = async (name: string, operation: string, request: object) =>
    void contents.set(name, fingerprint(await read(operation, request).catch(codeOf)));
  const policies = (await read('policy.list', {}))['names'] as readonly string[];
  await keep('mounts', 'namespace.listMounts', {});
  const tasks = [
    ...policies.map((name) => () => keep(`policy ${name}`, 'policy.get', { name })),
    ...secrets.flatMap((path) => [
      () => keep(`secret ${path}`, 'kv.get', { mount: 'secret', path }),
      () => keep(`metadata of ${path}`, 'kv.getMetadata', { mount: 'secret', path }),
    ]),
  ];
  const work = async () => {
    for (let task = tasks.pop(); task !== undefined; task = tasks.pop()) await task();
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return contents;
}

async function pathsBelow(read: Read, folder: string): Promise<readonly string[] | undefined> {
  const paths: string[] = [];
  const folders = [folder];
  for (let path = folders.pop(); path !== undefined; path = folders.pop()) {
    let after = '';
    for (let more = true; more; ) {
      const page = await read('kv.list', { mount: 'secret', path, after });
      const names = page['names'] as readonly string[];
      for (const name of names) (name.endsWith('/') ? folders : paths).push(`${path}${name}`);
      if (paths.length > SECRETS_MAX) return undefined;
      after = names.at(-1) ?? '';
      more = page['more'] === true && after !== '';
    }
  }
  return paths;
}

/** A deleted secret is refused everywhere alike; a node that does not answer is no answer. */
function codeOf(error: unknown): Readonly<Record<string, unknown>> {
  const { code, traits } = error as { readonly code?: string; readonly traits?: { grpc?: string } };
  // So is the policy that cannot be read.
  if (traits?.grpc === 'NOT_FOUND' || traits?.grpc === 'FAILED_PRECONDITION') return { code };
  throw error;
}

/** Not the revision: it is that of the reading. */
function fingerprint(answer: Readonly<Record<string, unknown>>): string {
  const text = JSON.stringify({ ...answer, revision: 0 }, (_key, value: unknown) =>
    value instanceof Uint8Array ? Buffer.from(value).toString('base64') : value,
  );
  return createHash('sha256').update(text).digest('hex');
}
