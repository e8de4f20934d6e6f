import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  growCluster,
  type LocalOptions,
  layOutCluster,
  readLocalCluster,
  removeCluster,
  rootTokenFile,
} from '../../../src/cli/local-cluster/layout.ts';

let data = '';
beforeEach(() => {
  data = mkdtempSync(join(tmpdir(), 'strongroom-layout-'));
});
afterEach(() => rmSync(data, { recursive: true, force: true }));

const options = (over: Partial<LocalOptions> = {}): LocalOptions => ({
  voters: 1,
  replicas: ['eu-west'],
  basePort: 20_000,
  data,
  seal: 'dev',
  insecurePlaintext: false,
  tickMs: undefined,
  ...over,
});

describe('the layout of a local cluster', () => {
  it('gives nodes that are added names and ports of their own, and leaves the others alone', async () => {
    const before = await layOutCluster(options());
    const grown = growCluster(
      before,
      options({ voters: 2, replicas: ['eu-west', 'ap', 'eu-west'] }),
    );
    const names = ['voter-1', 'eu-west-1', 'voter-2', 'ap-1', 'eu-west-2'];
    expect(grown.nodes.map((node) => node.name)).toEqual(names);
    expect(new Set(grown.nodes.map((node) => node.apiAddress)).size).toBe(names.length);
    expect(grown.nodes.slice(0, 2)).toEqual(before.nodes);
    expect(readLocalCluster(data)).toEqual(JSON.parse(JSON.stringify(grown)));
    const added = JSON.parse(readFileSync(grown.nodes[4]?.configFile ?? '', 'utf8'));
    expect(added.join.addresses).toEqual(['127.0.0.1:20000']);
  });

  it('is taken away with all secrets, and without what others put into the folder', async () => {
    const cluster = await layOutCluster(options());
    writeFileSync(rootTokenFile(data), 'x');
    writeFileSync(join(data, 'notes.txt'), 'mine');
    removeCluster(cluster);
    expect(readdirSync(data)).toEqual(['notes.txt']);
    expect(existsSync(data)).toBe(true);
  });
});
