import { mkdir, open, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { StartedTestContainer } from 'testcontainers';
import { eventually } from '../processes/eventually.ts';
import type { Containers } from './containers.ts';
import {
  emptyTable,
  firewallRules,
  firewallSetup,
  isHeld,
  netemChange,
  netemClass,
  netemSetup,
  type Peer,
  tableRow,
} from './link-plan.ts';
import { networkOf, type PlacedHost, type PlannedHost } from './network-plan.ts';
import type { Router } from './router.ts';

const START_MS = 15_000;

/** What a cable needs to know of the run. */
export interface CableParts {
  readonly containers: Containers;
  readonly router: Router;
  /** Of the run, on this machine and at the same path in each container. */
  readonly folder: string;
  /** The link emulator, for kernels without netem; undefined where there is no compiler. */
  readonly emulator: string | undefined;
  readonly seed: number;
}

export interface CableWishes {
  readonly host: PlannedHost;
  /** Shell commands that go on beside it, in the same network. */
  readonly beside?: string;
  readonly environment?: Readonly<Record<string, string>>;
}

/** What all shapes between this host and one other come to. */
export interface Between {
  readonly peer: PlacedHost;
  readonly outgoing: Peer['shape'];
  readonly incoming: Peer['shape'];
}

/**
 * The network of one host: a container that owns its addresses, and that shapes what goes in and
 * out. The host's own program runs in another that shares them, without any privilege: it may be
 * killed and started again, and finds its network as it was left.
 */
export class Cable {
  readonly host: PlacedHost;
  readonly container: StartedTestContainer;
  readonly #parts: CableParts;
  readonly #table: string;
  /** In the kernel, or by our own program. */
  readonly #means: 'netem' | 'emulator';
  readonly #iptables: string;
  /** Address of the peer of each class of netem. */
  readonly #classes: string[] = [];
  #changing: Promise<unknown> = Promise.resolve();
  /** It should not, before the run does: what it shaped would be shaped no more. */
  hasEnded = false;

  private constructor(
    host: PlacedHost,
    container: StartedTestContainer,
    parts: CableParts,
    [means, iptables]: readonly [string, string],
  ) {
    this.host = host;
    this.container = container;
    this.#parts = parts;
    this.#table = join(folderOf(parts, host), 'table');
    this.#means = means === 'netem' ? 'netem' : 'emulator';
    this.#iptables = iptables;
  }

  /** @throws Error when it does not come up, or can shape nothing. */
  static async lay(parts: CableParts, wishes: CableWishes): Promise<Cable> {
    const { host, beside = '', environment = {} } = wishes;
    const folder = folderOf(parts, host);
    const gateway = await parts.router.join(networkOf(host));
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await writeFile(join(folder, 'table'), emptyTable(), { mode: 0o600 });
    const container = await parts.containers.start({
      name: `cable-${host.name}`,
      network: networkOf(host),
      command: ['sh', '-c', `${beside}\n${script(parts, folder)}`],
      environment,
      sees: [{ path: parts.folder, mode: 'rw' }],
      mayShape: true,
    });
    const means = await meansOf(folder, parts);
    const address = await parts.containers.addressOf(container, networkOf(host));
    const cable = new Cable({ ...host, address }, container, parts, means);
    void parts.containers.ended(container).then(
      () => {
        cable.hasEnded = true;
      },
      () => undefined,
    );
    await cable.#run([
      `ip route replace default via ${gateway}`,
      ...firewallSetup.map((rule) => `${cable.#iptables} -w 5 ${rule}`),
    ]);
    return cable;
  }

  /** Makes it do this to what goes to and comes from those hosts, and nothing to others. */
  shape(all: readonly Between[]): Promise<void> {
    // One change after another: each says what all of them come to.
    const change = this.#changing.then(() => this.#shape(all));
    this.#changing = change.catch(() => undefined);
    return change;
  }

  async #shape(all: readonly Between[]): Promise<void> {
    const isOurs = this.#means === 'emulator';
    if (isOurs) await this.#writeTable(all);
    else await this.#changeNetem(all);
    const held = isOurs ? all.filter((one) => isHeld(one.incoming)) : [];
    const rules = firewallRules(
      all.map(({ peer, outgoing }) => ({ address: peer.address, shape: outgoing })),
      held.map(({ peer }) => peer.address),
    );
    await this.#run([`${this.#iptables}-restore -w 5 --noflush <<'RULES'\n${rules}RULES`]);
  }

  async #writeTable(all: readonly Between[]): Promise<void> {
    await using file = await open(this.#table, 'r+');
    for (const [row, { peer, incoming }] of all.entries()) {
      const { at, bytes } = tableRow(row, { address: peer.address, shape: incoming });
      await file.write(bytes, 0, bytes.length, at);
    }
  }

  async #changeNetem(all: readonly Between[]): Promise<void> {
    const commands = all.flatMap(({ peer: { address }, outgoing }) => {
      const known = this.#classes.indexOf(address);
      const number = known < 0 ? this.#classes.push(address) - 1 : known;
      return [
        ...(number === 0 && known < 0 ? netemSetup : []),
        ...(known < 0 ? netemClass(number, address) : []),
        netemChange(number, outgoing),
      ];
    });
    if (commands.length > 0) await this.#run([`tc -batch - <<'TC'\n${commands.join('\n')}\nTC`]);
  }

  async #run(lines: readonly string[]): Promise<void> {
    await this.#parts.containers.run(this.container, lines.join('\n'));
  }
}

const folderOf = ({ folder }: CableParts, host: PlannedHost) => join(folder, 'cables', host.name);

/** Finds out what this kernel can do, says so in a file, and goes on as that. */
function script({ emulator, seed }: CableParts, folder: string): string {
  return `
cd '${folder}'
if iptables-nft -S >/dev/null 2>&1; then tables=iptables-nft; else tables=iptables-legacy; fi
if tc qdisc add dev lo root netem delay 0ms 2>/dev/null; then
  tc qdisc del dev lo root
  echo "netem $tables" >means.new && mv means.new means
  exec sleep infinity
fi
echo "emulator $tables" >means.new && mv means.new means
exec ${emulator === undefined ? 'false' : `'${emulator}' table ${seed}`} 2>said`;
}

async function meansOf(
  folder: string,
  { emulator }: CableParts,
): Promise<readonly [string, string]> {
  const read = () => readFile(join(folder, 'means'), 'utf8').catch(() => '');
  await eventually(async () => (await read()) !== '', `${folder}/means`, START_MS);
  const [means = '', iptables = ''] = (await read()).trim().split(' ');
  if (means === 'emulator' && emulator === undefined) {
    throw new Error(
      'this kernel has no netem (CONFIG_NET_SCH_NETEM), and ours needs a C compiler: apt-get install gcc libc6-dev',
    );
  }
  return [means, iptables];
}
