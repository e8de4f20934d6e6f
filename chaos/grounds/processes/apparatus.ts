import { join } from 'node:path';
import type { HealPlan } from '../../heal/heal-plan.ts';
import type { ClusterShape } from '../../scenario/scenario.ts';
import type { Capability } from '../capabilities.ts';
import { DiskSpace, missingForFullDisk } from './disk-space.ts';
import { buildShim, missingForShim, NodeShim } from './fault-shim.ts';
import { HsmFaults } from './hsm-faults.ts';
import { missingForHsmLink } from './hsm-link.ts';
import type { HsmWays, ServeHsm } from './hsm-ways.ts';
import type { Equipment } from './local-cluster.ts';
import { NodeFaults } from './node-faults.ts';
import { ProxiedHsm } from './proxied-hsm.ts';
import { ClusterToken, missingForSeal } from './seal-slots.ts';

const byShim: readonly Capability[] = ['clock.offset', 'disk.sync', 'audit.sink'];
const byHsmLink: readonly Capability[] = ['hsm.link', 'hsm.token'];

type Needs = ReadonlySet<Capability>;

const serveHere: ServeHsm = (token) => ProxiedHsm.serve(token);

const asksFor = (needs: Needs, some: readonly Capability[]) => some.some((one) => needs.has(one));

/** Why this machine cannot do what a scenario asks for; undefined when it can. */
export function missingFor(shape: ClusterShape, needs: Needs): string | undefined {
  const anywhere = missingAnywhere(shape, needs);
  if (anywhere !== undefined) return anywhere;
  return asksFor(needs, byHsmLink) ? missingForHsmLink : undefined;
}

/** The same, wherever the nodes are: what the HSM is served by may be elsewhere. */
export function missingAnywhere(shape: ClusterShape, needs: Needs): string | undefined {
  const ofSeal = missingForSeal(shape.seal);
  if (ofSeal !== undefined) return ofSeal;
  if (asksFor(needs, byHsmLink) && shape.seal !== 'pkcs11')
    return 'faults of the HSM need "seal: pkcs11" in the cluster';
  if (asksFor(needs, byShim) && missingForShim() !== undefined) return missingForShim();
  return needs.has('disk.full') ? missingForFullDisk() : undefined;
}

/**
 * What stands between a cluster's nodes and the machine, so that it can be disturbed: only what the
 * scenario's faults ask for, because each has its price (a tmpfs makes every fsync free).
 */
export class Apparatus implements AsyncDisposable {
  readonly #needs: Needs;
  readonly #healPlan: HealPlan;
  readonly #shims = new Map<string, NodeShim>();
  readonly #serveHsm: ServeHsm | undefined;
  #folder = '';
  #library: string | undefined;
  #token: ClusterToken | undefined;
  #hsmWays: HsmWays | undefined;
  readonly faults = new NodeFaults((node) => this.#shim(node));
  readonly space = new DiskSpace();
  hsm: HsmFaults | undefined;

  /** @param serveHsm how nodes reach the token; when absent, in no way that could be disturbed. */
  constructor(
    needs: Needs,
    healPlan: HealPlan,
    serveHsm: ServeHsm | undefined = asksFor(needs, byHsmLink) ? serveHere : undefined,
  ) {
    this.#needs = needs;
    this.#healPlan = healPlan;
    this.#serveHsm = serveHsm;
  }

  /** Makes what all nodes share. */
  async prepare(folder: string, seal: ClusterShape['seal']): Promise<void> {
    this.#folder = folder;
    if (asksFor(this.#needs, byShim)) this.#library = buildShim(folder);
    if (seal !== 'pkcs11') return;
    this.#token = await ClusterToken.create(folder);
    if (this.#serveHsm === undefined) return;
    this.#hsmWays = await this.#serveHsm(this.#token);
    this.hsm = new HsmFaults(this.#token, this.#hsmWays);
  }

  /** Makes what one node has of its own. */
  async equip(node: { readonly name: string; readonly dataDir: string }): Promise<Equipment> {
    const { name, dataDir } = node;
    if (this.#needs.has('disk.full')) await this.#mount(name, dataDir);
    const slots = await this.slots(name);
    const shim =
      this.#library === undefined
        ? undefined
        : await NodeShim.create(this.#library, join(this.#folder, `${name}.faults`), dataDir);
    if (shim !== undefined) this.#shims.set(name, shim);
    return {
      ...(slots === undefined ? {} : { slots }),
      ...(shim === undefined ? {} : { environment: shim.environment }),
    };
  }

  /** Everything is as it was; safe at any time, and again. */
  async heal(): Promise<void> {
    await this.faults.liftAll();
    await this.space.liftAll();
    await this.hsm?.liftAll();
  }

  /** How a node reaches the token, by a way of its own if any is disturbed; undefined without one. */
  async slots(name: string): Promise<Equipment['slots']> {
    if (this.#token === undefined) return undefined;
    return this.#token.slots(name, await this.#hsmWays?.open(name));
  }

  /** How often a node has felt its clock, fsync or audit log fail: shows that a fault was real. */
  async callsDisturbed(node: string): Promise<number> {
    return (await this.#shims.get(node)?.calls()) ?? 0;
  }

  async #mount(name: string, dataDir: string): Promise<void> {
    this.#healPlan.add({
      id: `disk ${name}`,
      what: `unmount the disk of ${name}`,
      kind: 'command',
      command: ['umount', '-l', dataDir],
    });
    await this.space.mount(name, dataDir);
  }

  #shim(node: string): NodeShim {
    const shim = this.#shims.get(node);
    if (shim === undefined) throw new Error(`${node} runs without the fault shim`);
    return shim;
  }

  /** After the nodes have ended, and before their folder is removed. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#hsmWays?.[Symbol.asyncDispose]();
    for (const name of this.space.unmountAll()) this.#healPlan.remove(`disk ${name}`);
  }
}
