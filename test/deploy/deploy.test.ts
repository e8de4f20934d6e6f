import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { createProgram } from '../../src/cli/index.ts';
import { processIo } from '../../src/cli/process-io.ts';
import { parseNodeConfig } from '../../src/server/index.ts';
import { startMetricsServer } from '../../src/server/metrics-server.ts';

const files = readdirSync('deploy', { recursive: true, encoding: 'utf8' })
  .map((name) => join('deploy', name))
  .filter((name) => /\.[a-z]+$|Dockerfile$/.test(name));
const text = (name: string) => readFileSync(name, 'utf8');
const ending = (...endings: string[]) =>
  files.filter((name) => endings.some((one) => name.endsWith(one)));
const documents = (name: string): unknown[] =>
  parseAllDocuments(text(name)).map((document) => {
    expect(document.errors.map(String), `${name}`).toEqual([]);
    return document.toJS() as unknown;
  });

describe('what is deployed', () => {
  it('has a page in each folder, and YAML that reads without an error', () => {
    for (const folder of ['docker', 'kubernetes', 'prometheus', 'systemd']) {
      expect(existsSync(`deploy/${folder}/README.md`), `${folder}`).toBe(true);
    }
    expect(ending('.yaml').length).toBeGreaterThan(10);
    for (const name of ending('.yaml')) expect(documents(name).length).toBeGreaterThan(0);
  });

  it('has node configurations that a node takes', () => {
    for (const name of [...ending('systemd/node.yaml'), ...configsOfDocker()]) {
      expect(parseNodeConfig(text(name), name).dataDir).toBe('/var/lib/strongroom');
    }
    const [map] = documents('deploy/kubernetes/config.yaml') as { data: Record<string, string> }[];
    const fill = (name: string) =>
      (map?.data[name] ?? '').replaceAll('@POD@', 'pod-0').replaceAll('@DOMAIN@', 'peers.ns.svc');
    const founder = parseNodeConfig(`${fill('voter.yaml')}bootstrap: true\n`, 'founder');
    expect(founder.api.advertise).toBe('pod-0.peers.ns.svc:8200');
    for (const kind of ['voter', 'replica'] as const) {
      const joined = parseNodeConfig(`${fill(`${kind}.yaml`)}${fill('join.yaml')}`, kind);
      expect(joined.kind).toBe(kind);
      expect(joined.join?.addresses).toEqual(['strongroom-0.peers.ns.svc:8200']);
    }
  });

  it('has a container for each configuration that it mounts, under the name that is in it', () => {
    const [compose] = documents('deploy/docker/docker-compose.yaml') as {
      services: Record<string, { volumes: string[]; hostname?: string }>;
      volumes: Record<string, unknown>;
    }[];
    const mounted = Object.entries(compose?.services ?? {}).flatMap(([name, service]) =>
      service.volumes
        .filter((volume) => volume.startsWith('./'))
        .map((volume) => ({
          name,
          service,
          source: join('deploy/docker', volume.split(':')[0] ?? ''),
        })),
    );
    expect(new Set(mounted.map(({ source }) => source))).toEqual(new Set(configsOfDocker()));
    for (const { name, service, source } of mounted) {
      const config = parseNodeConfig(text(source), source);
      expect([config.name, service.hostname]).toEqual([name, name]);
      expect(config.api.advertise).toBe(`${name}:8200`);
    }
    for (const { volumes } of Object.values(compose?.services ?? {})) {
      for (const volume of volumes.filter((one) => !one.startsWith('./'))) {
        expect(Object.keys(compose?.volumes ?? {})).toContain(volume.split(':')[0]);
      }
    }
  });

  it('copies into its image only what is there', () => {
    const copied = [...text('deploy/docker/Dockerfile').matchAll(/^COPY (?!--from)(.+) \S+$/gm)];
    const sources = copied.flatMap((match) => (match[1] ?? '').split(' '));
    expect(sources).toContain('src');
    for (const source of sources) expect(existsSync(source), `${source}`).toBe(true);
  });

  it('asks only paths that the metrics port has', async () => {
    await using server = await startMetricsServer({
      listen: '127.0.0.1:0',
      text: () => Promise.resolve(''),
      contentType: 'text/plain',
      ready: () => true,
      healthy: () => false,
    });
    const all = files.map(text).join('\n');
    const paths = new Set(
      [...all.matchAll(/(?:httpGet: \{ path: |8202)(\/[a-z]+)/g)].map((found) => found[1]),
    );
    expect(paths).toEqual(new Set(['/livez', '/readyz']));
    for (const path of paths) {
      expect((await fetch(`http://${server.address}${path}`)).status, `${path}`).toBe(200);
    }
    expect((await fetch(`http://${server.address}/healthz`)).status).toBe(503);
  });

  it('calls only commands and flags that the command line has', () => {
    const program = createProgram(processIo(new AbortController().signal), { status: 0 });
    let checked = 0;
    for (const name of ending('.md', '.service', 'Dockerfile')) {
      for (const line of commandLines(text(name))) {
        checked++;
        expect(unknownIn(program, line), `${name}: strongroom ${line}`).toEqual([]);
      }
    }
    expect(checked).toBeGreaterThan(6);
  });

  it('alerts on metrics that there are', () => {
    const known = knownMetrics();
    const named = new Set(
      text('deploy/prometheus/strongroom.rules.yaml').match(/\bstrongroom_\w+/g),
    );
    expect(named.size).toBeGreaterThan(12);
    for (const name of named) expect(known).toContain(name.replace(/_(?:bucket|sum|count)$/, ''));
  });

  it('locks the service in, and leaves out what Node cannot do without', () => {
    const unit = text('deploy/systemd/strongroom.service');
    for (const line of ['NoNewPrivileges=yes', 'LimitCORE=0', 'ProtectSystem=strict']) {
      expect(unit.split('\n')).toContain(line);
    }
    expect(unit).not.toMatch(/^MemoryDenyWriteExecute/m);
  });

  const hasPromtool = spawnSync('promtool', ['--version']).status === 0;
  it.skipIf(!hasPromtool)('has rules that promtool takes, and whose own tests pass', () => {
    for (const [what, file] of [
      ['check config', 'prometheus.yaml'],
      ['check rules', 'strongroom.rules.yaml'],
      ['test rules', 'strongroom.rules.test.yaml'],
    ] as const) {
      const done = spawnSync('promtool', [...what.split(' '), `deploy/prometheus/${file}`]);
      expect(`${done.status} ${String(done.stdout)}${String(done.stderr)}`).toMatch(/^0 /);
    }
  });
});

function configsOfDocker(): string[] {
  return files.filter((name) => name.startsWith('deploy/docker/config/'));
}

/** What follows `strongroom` where it is called, without what only shells understand. */
function commandLines(content: string): string[] {
  const calls = content.matchAll(
    /(?:^|[\s`"(])(?:strongroom|dist\/cli\/main\.js|\/opt\/strongroom\/dist\/cli\/main\.js) ((?:server|status|operator|audit|kv)\b[^`|>&\n)#]*)/gm,
  );
  return [...calls].map((found) => (found[1] ?? '').trim());
}

/** Words that are no command where one must be, and flags that it does not have. */
function unknownIn(program: Command, line: string): string[] {
  let command = program;
  const unknown: string[] = [];
  for (const word of line.split(/\s+/)) {
    const flag = /^-{1,2}[a-z][a-z-]*/.exec(word)?.[0];
    const child = command.commands.find((one) => one.name() === word);
    if (flag !== undefined) {
      const options = [...program.options, ...command.options];
      if (!options.some(({ long, short }) => long === flag || short === flag)) unknown.push(flag);
    } else if (child !== undefined) command = child;
    else if (command.commands.length > 0) unknown.push(word);
  }
  return unknown;
}

function knownMetrics(): Set<string> {
  const sources = readdirSync('src', { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => text(join('src', name)));
  const whole = sources.flatMap((source) => source.match(/(?<=name: ')strongroom_\w+/g) ?? []);
  const driver = text('src/raft/driver/driver-metrics.ts').match(/(?<=gauge\(')\w+/g) ?? [];
  return new Set([...whole, ...driver.map((name) => `strongroom_raft_${name}`)]);
}
