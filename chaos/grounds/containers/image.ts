import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
} from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type AptSource, aptSourceIn } from './apt-sources.ts';
import { programOf } from './dockerd.ts';
import type { Engine } from './engine.ts';

const name = 'strongroom-chaos';
/** What nodes, their network and the HSM need, beside what every Debian has. */
const packages = [
  'iproute2',
  'iptables',
  'p11-kit',
  'p11-kit-modules',
  'procps',
  'socat',
  'softhsm2',
] as const;
const nodeInImage = '/usr/local/bin/node';
const notInImage = ['var/cache/apt', 'var/lib/apt/lists', 'usr/share/doc', 'usr/share/locale'];
const BUILD_MS = 15 * 60_000;
const SAID_CHARS = 800;

/**
 * The image that every container of this ground runs, with this Node in it. Made of the packages of
 * the system's own mirror when it is not there, for no registry is asked; the engine keeps it.
 *
 * @returns its name.
 * @throws Error with what went wrong.
 */
export async function ensureImage(
  engine: Engine,
  say: (line: string) => void,
  signal: AbortSignal,
): Promise<string> {
  const tag = tagOfImage();
  if (await hasImage(engine)) return tag;
  const missing = missingForImage();
  if (missing !== undefined) throw new Error(missing);
  say('making the image of the containers (a minute or two, once)');
  const root = mkdtempSync(join(tmpdir(), 'strongroom-image-'));
  try {
    await bootstrap(root, signal);
    copyFileSync(process.execPath, join(root, nodeInImage));
    chmodSync(join(root, nodeInImage), 0o755);
    await importRoot(engine, root, tag);
  } finally {
    await rm(root, { recursive: true, force: true });
  }
  return tag;
}

/** Whether the engine has it already. */
export function hasImage(engine: Engine): Promise<boolean> {
  return engine.runtime.container.dockerode
    .getImage(tagOfImage())
    .inspect()
    .then(
      () => true,
      () => false,
    );
}

/** Why no image can be made here; undefined when it can be tried. */
export function missingForImage(): string | undefined {
  if (programOf('debootstrap') === undefined)
    return 'the image of the containers is made by debootstrap: apt-get install debootstrap';
  return aptSource() === undefined ? 'the image needs a Debian mirror in /etc/apt' : undefined;
}

/** Changes with everything that the image is made of. */
function tagOfImage(): string {
  const about = [process.version, process.arch, aptSource()?.suite, ...packages, ...notInImage];
  return `${name}:${createHash('sha256').update(about.join('\n')).digest('hex').slice(0, 12)}`;
}

function aptSource(): AptSource | undefined {
  const folder = '/etc/apt/sources.list.d';
  const parts = existsSync(folder) ? readdirSync(folder).map((file) => join(folder, file)) : [];
  const files = ['/etc/apt/sources.list', ...parts.sort()].filter((file) =>
    /\.(?:list|sources)$/.test(file),
  );
  return files
    .filter((file) => existsSync(file))
    .map((file) => aptSourceIn(readFileSync(file, 'utf8')))
    .find((source) => source !== undefined);
}

async function bootstrap(root: string, signal: AbortSignal): Promise<void> {
  const source = aptSource();
  if (source === undefined) throw new Error('There is no mirror in /etc/apt');
  const args = ['--variant=minbase', `--include=${packages.join(',')}`, source.suite, root];
  const child = spawn('debootstrap', [...args, source.mirror], {
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: BUILD_MS,
    signal,
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => {
      said = `${said}${chunk.toString('utf8')}`.slice(-SAID_CHARS);
    });
  const [status] = (await once(child, 'exit')) as [number | null];
  if (status !== 0) throw new Error(`debootstrap cannot make a root: ${said.trim()}`);
}

async function importRoot(engine: Engine, root: string, tag: string): Promise<void> {
  const { dockerode } = engine.runtime.container;
  const left = notInImage.map((path) => `--exclude=./${path}/*`);
  const tar = spawn('tar', [...left, '-C', root, '-c', '.'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const [repo, version] = tag.split(':');
  const answer = await dockerode.importImage(tar.stdout, { repo, tag: version });
  await new Promise<void>((resolve, reject) => {
    dockerode.modem.followProgress(answer, (error) => {
      if (error === null) resolve();
      else reject(error);
    });
  });
}
