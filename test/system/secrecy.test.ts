import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { TestCluster } from '../harness/cluster.ts';
import { bytesHold, filesThatHold } from '../harness/search-files.ts';

const exec = promisify(execFile);
const CAPTURE_BYTES_MAX = 64 * 1024 * 1024;

const marks = {
  folder: 'marked-folder-Zq7vKx',
  name: 'marked-name-Wm3pTd',
  value: 'marked-value-Hn8sLb',
  metadata: 'marked-metadata-Rc5yGf',
  policy: 'marked-policy-Jt2wQe',
};

test('marked names and values are nowhere on disk, in logs, metrics, snapshots, process lists or on the wire', {
  timeout: 60_000,
}, async () => {
  await using cluster = await TestCluster.start({ voters: 3, replicas: ['west'], proxied: true });
  const captured: Buffer[] = [];
  let capturedBytes = 0;
  for (const [from, to] of [
    [1, 2],
    [1, 3],
    [2, 1],
    [3, 1],
    [4, 1],
  ] as const) {
    cluster.link(from, to).onBytes = (chunk) => {
      if (capturedBytes > CAPTURE_BYTES_MAX) return;
      capturedBytes += chunk.length;
      captured.push(Buffer.from(chunk));
    };
  }
  const client = await cluster.client();
  const place = { mount: 'secret', path: `${marks.folder}/${marks.name}` };
  const data = new TextEncoder().encode(JSON.stringify({ [marks.name]: marks.value }));
  // Through a follower too, so that forwarding is seen on the wire.
  for (const node of cluster.nodes) {
    const through = await cluster.client({ addresses: [node.ready.apiAddress] });
    await through.call('kv.put', { ...place, data });
  }
  await client.call('kv.putMetadata', {
    ...place,
    customMetadata: { entries: { owner: marks.metadata }, remove: [] },
  });
  await client.call('policy.put', {
    name: 'reader',
    policy: `path "secret/data/${marks.policy}" { capabilities = ["read"] }`,
  });
  // A refused request must not tell either.
  await expect(client.call('kv.put', { ...place, data, cas: 77 })).rejects.toMatchObject({
    code: 'kv.check-and-set-mismatch',
  });

  const snapshot: Uint8Array[] = [];
  for await (const chunk of client.saveSnapshot()) snapshot.push(chunk);
  await writeFile(join(cluster.folder, 'saved.snapshot'), Buffer.concat(snapshot));
  for (const node of cluster.nodes) {
    const metrics = await fetch(`http://${node.ready.metricsAddress}/metrics`);
    await writeFile(join(cluster.folder, `${node.name}.metrics`), await metrics.text());
    const commandLine = await readFile(`/proc/${node.pid}/cmdline`);
    await writeFile(join(cluster.folder, `${node.name}.cmdline`), commandLine);
    const { stdout } = await exec('cat', [`/proc/${node.pid}/limits`]);
    expect(stdout).toMatch(/Max core file size\s+0\s/);
  }
  // The LevelDB log is written without sync: what is in the page cache is what a thief would find.
  const everything = [...Object.values(marks), cluster.rootToken];
  expect(Buffer.concat(snapshot).length).toBeGreaterThan(1000);
  expect(capturedBytes).toBeGreaterThan(1000);
  expect(await filesThatHold(cluster.folder, everything)).toEqual([]);
  expect(bytesHold(Buffer.concat(captured), everything)).toEqual([]);
  // The search itself finds what is there.
  await writeFile(join(cluster.folder, 'planted'), Buffer.from(marks.value).toString('base64'));
  expect(await filesThatHold(cluster.folder, everything)).toHaveLength(1);
});
