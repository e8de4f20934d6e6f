import { join } from 'node:path';
import type { HealPlan } from '../../heal/heal-plan.ts';
import type { ClusterShape } from '../../scenario/scenario.ts';
import type { Capability } from '../capabilities.ts';
import { DiskSpace, missingForFullDisk } from './disk-space.ts';
import { buildShim, missingForShim, NodeShim } from './fault-shim.ts';
import { HsmFaults } from './hsm-faults.ts';
import { type HsmLink, HsmServer, missingForHsmLink } from './hsm-link.ts';
import type { Equipment } from './local-cluster.ts';
import { NodeFaults } from './node-faults.ts';
import { ClusterToken, missingForSeal } from './seal-slots.ts';

const byShim: readonly Capability[] = ['clock.offset', 'disk.sync', 'audit.sink'];
const byHsmLink: readonly Capability[] = ['hsm.link', 'hsm.token'];

type Needs = ReadonlySet<Capability>;

const asksFor = (needs: Needs, some: readonly Capability[]) => some.some((one) => needs.has(one));

/** Why this machine cannot do what a scenario asks for; undefined when it can. */
export function missingFor(shape: ClusterShape, needs: Needs): string | undefined {
  const ofSeal = missingForSeal(shape.seal);
  if (ofSeal !== undefined) return ofSeal;
  if (asksFor(needs, byHsmLink)) {
    if (shape.seal !== 'pkcs11') return 'faults of the HSM need "seal: pkcs11" in the cluster';
    if (missingForHsmLink !== undefined) return missingForHsmLink;
  }
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
  readonly #hsmLinks = new Map<string, HsmLink>();
  #folder = '';
  #library: string | undefined;
  #token: ClusterToken | undefined;
  #hsmServer: HsmServer | undefined;
  readonly faults = new NodeFaults((node) => this.#shim(node));
  readonly space = new DiskSpace();
  hsm: HsmFaults | undefined;

  constructor(needs: Needs, healPlan: HealPlan) {
    this.#needs = needs;
    this.#healPlan = healPlan;
  }

  /** Makes what all nodes share. */
  async prepare(folder: string, seal: ClusterShape['seal']): Promise<void> {
    this.#folder = folder;
    if (asksFor(this.#needs, byShim)) this.#library = buildShim(folder);
    if (seal !== 'pkcs11') return;
    this.#token = await ClusterToken.create(folder);
    if (!asksFor(this.#needs, byHsmLink)) return;
    this.#hsmServer = await HsmServer.start(this.#token.address, this.#token.directory);
    this.hsm = new HsmFaults(this.#token, this.#hsmLinks);
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

  /** How a node reaches the token, by a link of its own where links are cut; undefined without one. */
  async slots(name: string): Promise<Equipment['slots']> {
    if (this.#token === undefined) return undefined;
    const link = await this.#hsmServer?.link(name);
    if (link !== undefined) this.#hsmLinks.set(name, link);
    return this.#token.slots(name, link?.address);
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
    for (const link of this.#hsmLinks.values()) await link[Symbol.asyncDispose]();
    await this.#hsmServer?.[Symbol.asyncDispose]();
    for (const name of this.space.unmountAll()) this.#healPlan.remove(`disk ${name}`);
  }
}
