import { isIP } from 'node:net';
import { experimental, Metadata, status } from '@grpc/grpc-js';
import { HostNames } from './host-names.ts';

const PORT = 443;

let names: HostNames | undefined;

/**
 * Has every connection of this process that names a host share one `HostNames`. Unlike the library's
 * own resolver it reads no service configuration from DNS: who answers for names steers no calls.
 */
export function shareHostNames(): void {
  names ??= new HostNames();
  experimental.registerResolver('dns', SharedResolver);
}

class SharedResolver implements experimental.Resolver {
  readonly #listener: experimental.ResolverListener;
  readonly #where: experimental.HostPort | null;
  #asking = false;
  #destroyed = false;
  /** The same again would begin the connecting anew, in a circle with the failures that ask for it. */
  #told = '';

  constructor(target: experimental.GrpcUri, listener: experimental.ResolverListener) {
    this.#listener = listener;
    this.#where = experimental.splitHostPort(target.path);
  }

  static getDefaultAuthority(target: experimental.GrpcUri): string {
    return target.path;
  }

  updateResolution(): void {
    this.#destroyed = false;
    if (this.#asking) return;
    this.#asking = true;
    void this.#answer().finally(() => {
      this.#asking = false;
    });
  }

  destroy(): void {
    this.#destroyed = true;
    this.#told = '';
  }

  async #answer(): Promise<void> {
    try {
      const addresses = await this.#addresses();
      const told = addresses.join();
      if (this.#destroyed || told === this.#told) return;
      this.#told = told;
      const port = this.#where?.port ?? PORT;
      const endpoints = addresses.map((host) => ({ addresses: [{ host, port }] }));
      this.#listener(experimental.statusOrFromValue(endpoints), {}, null, '');
    } catch (error) {
      if (this.#destroyed) return;
      this.#told = '';
      const why = error instanceof Error ? error.message : String(error);
      const details = `Cannot find the address of ${this.#where?.host ?? 'the target'}: ${why}`;
      const failure = { code: status.UNAVAILABLE, details, metadata: new Metadata() };
      this.#listener(experimental.statusOrFromError(failure), {}, null, '');
    }
  }

  async #addresses(): Promise<readonly string[]> {
    const host = this.#where?.host;
    if (host === undefined || names === undefined) throw new Error('it has no host');
    return isIP(host) === 0 ? names.addressesOf(host) : [host];
  }
}
