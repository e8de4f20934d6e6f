import type { VaultClient } from '../../../chaos/grounds/ground.ts';
import type { Levers } from '../../../chaos/grounds/levers.ts';
import { StrongroomError } from '../../../src/lib/index.ts';

const SHARES_NEEDED = 3;

interface FakeRequest {
  readonly node?: number;
  readonly share?: string;
  readonly auto?: boolean;
}

/** Levers that only remember what is laid, by layer or node: `left` is all that was not undone. */
export class FakeLevers {
  readonly #left = new Map<string, string>();
  readonly #copies = new Map<string, string>();
  readonly #disks = new Map<string, string>();
  readonly calls: string[] = [];
  /** Nodes that do not start on a disk that is not what it was. */
  refusesDamage = false;
  #members = 0;
  readonly #shares = new Map<string, number>();

  get left(): readonly string[] {
    return [...this.#left].map(([what, how]) => `${what}: ${how}`).sort();
  }

  get levers(): Levers {
    const done = () => Promise.resolve();
    const lay = (kind: string) => (layer: string, change: unknown, more?: unknown) =>
      this.#set(`${kind} ${layer}`, JSON.stringify([change, more]));
    const lift = (kind: string) => (layer: string) => this.#clear(`${kind} ${layer}`);
    return {
      process: {
        kill: (node) => this.#set(`process ${node}`, 'down'),
        cutPower: (node) => this.#set(`process ${node}`, 'down'),
        stop: (node) => this.#set(`process ${node}`, 'down'),
        start: (node) => this.#start(node),
        pause: (node) => this.#set(`paused ${node}`, 'paused'),
        resume: (node) => this.#clear(`paused ${node}`),
        useBuild: (node, build) =>
          build === 'own' ? this.#clear(`build ${node}`) : this.#set(`build ${node}`, build),
      },
      network: { lay: lay('network'), lift: lift('network') },
      clock: { lay: lay('clock'), lift: lift('clock') },
      audit: { lay: lay('audit'), lift: lift('audit') },
      disk: {
        limit: lay('space'),
        unlimit: lift('space'),
        laySync: lay('sync'),
        liftSync: lift('sync'),
        keep: (node, copy) => {
          this.#copies.set(`${node} ${copy}`, this.#disks.get(node) ?? 'whole');
          return this.#set(`copy ${node} ${copy}`, 'kept');
        },
        putBack: (node, copy) => {
          this.#disks.set(node, this.#copies.get(`${node} ${copy}`) ?? this.diskOf(node));
          return done();
        },
        forget: (node, copy) => this.#clear(`copy ${node} ${copy}`),
        flipBits: (node) => this.#damage(node),
        cutTail: (node) => this.#damage(node),
        replace: (node) => this.#start(node),
      },
      hsm: {
        lay: lay('hsm'),
        lift: lift('hsm'),
        endSessions: () => Promise.resolve(1),
        removeToken: () => this.#set('token', 'away'),
        returnToken: () => this.#clear('token'),
        wrongPin: (node) => this.#set(`pin ${node}`, 'wrong'),
        rightPin: (node) => this.#clear(`pin ${node}`),
      },
      membership: {
        add: async () => {
          const name = `extra-${++this.#members}`;
          await this.#set(`member ${name}`, 'there');
          return name;
        },
        remove: (name) => this.#clear(`member ${name}`),
      },
    };
  }

  diskOf(node: string): string {
    return this.#disks.get(node) ?? 'whole';
  }

  /** A client is left until it is closed. */
  client(): Promise<VaultClient> {
    const name = `client ${this.calls.length}-${this.#left.size}`;
    void this.#set(name, 'open');
    const call = async (
      operation: string,
      request: FakeRequest,
      options?: { readonly address?: string },
    ) => {
      this.calls.push(operation);
      await new Promise((resolve) => setImmediate(resolve));
      return this.#answer(operation, request, options?.address ?? '');
    };
    async function* saveSnapshot() {
      yield await Promise.resolve(new Uint8Array(1));
    }
    const client = { call, saveSnapshot, close: () => this.#clear(name) };
    return Promise.resolve(client as unknown as VaultClient);
  }

  /** As far as faults look at it. */
  async #answer(
    operation: string,
    { node, share, auto }: FakeRequest,
    address: string,
  ): Promise<object> {
    switch (operation) {
      case 'cluster.status': {
        const members = ['voter-1', 'voter-2'].map((name, at) => ({ node: at + 1, name }));
        return { members: members.map((one) => ({ ...one, apiAddress: one.name })) };
      }
      case 'cluster.demote':
        await this.#set(`voter ${node}`, 'learns');
        return {};
      case 'cluster.promote':
        await this.#clear(`voter ${node}`);
        return {};
      case 'seal.addSlot':
        await this.#set('slot', 'added');
        return { shares: ['aaaa', 'bbbb', 'cccc'] };
      case 'seal.removeSlot':
        await this.#clear('slot');
        return {};
      case 'seal.seal':
        await this.#set('sealed', 'by hand');
        return {};
      case 'seal.unseal':
        if (auto === true) await this.#clear('sealed');
        // Told apart by its one letter that is not as the others.
        else if (new Set(share).size > 1)
          throw new StrongroomError('seal.share-invalid', 'Not a share');
        else this.#shares.set(address, (this.#shares.get(address) ?? 0) + 1);
        return {};
      case 'seal.status':
        return { sealed: this.#isSealed(address), sharesGiven: 0 };
      default:
        return { token: 'a token' };
    }
  }

  /** By hand, or since nodes started without their HSM and have had no shares. */
  #isSealed(address: string): boolean {
    const isHsmAway = [...this.#left.keys()].some((what) => what.startsWith('hsm '));
    const isShort = (this.#shares.get(address) ?? 0) < SHARES_NEEDED;
    return this.#left.has('sealed') || (isHsmAway && isShort);
  }

  isUp(node: string): boolean {
    return !this.#left.has(`process ${node}`);
  }

  #start(node: string): Promise<void> {
    if (this.refusesDamage && this.diskOf(node) === 'damaged')
      return Promise.reject(new Error('the log is corrupt'));
    return this.#clear(`process ${node}`);
  }

  #damage(node: string): Promise<void> {
    this.#disks.set(node, 'damaged');
    return Promise.resolve();
  }

  #set(what: string, how: string): Promise<void> {
    this.#left.set(what, how);
    return Promise.resolve();
  }

  #clear(what: string): Promise<void> {
    this.#left.delete(what);
    return Promise.resolve();
  }
}
