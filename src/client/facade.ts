import type { Payload } from '../wire/index.ts';
import type { CallOptions } from './options.ts';

type Call = {
  call(operation: string, payload: Payload, options?: CallOptions): Promise<Payload>;
};

export interface SecretRead {
  /** Undefined when this version is deleted or destroyed. */
  readonly data: Readonly<Record<string, unknown>> | undefined;
  readonly version: number;
  readonly revision: number;
}

/** Secrets as objects, for programs that want no more. Everything else goes through `call`. */
export interface KvFacade {
  /** @returns the version that was made. */
  put(
    path: string,
    data: Readonly<Record<string, unknown>>,
    options?: CallOptions & { readonly mount?: string; readonly cas?: number },
  ): Promise<{ readonly version: number; readonly revision: number }>;
  get(
    path: string,
    options?: CallOptions & { readonly mount?: string; readonly version?: number },
  ): Promise<SecretRead>;
}

export function kvFacade(client: Call): KvFacade {
  return {
    async put(path, data, options = {}) {
      const { mount = 'secret', cas, ...call } = options;
      const answer = await client.call(
        'kv.put',
        {
          mount,
          path,
          data: new TextEncoder().encode(JSON.stringify(data)),
          ...(cas === undefined ? {} : { cas }),
        },
        call,
      );
      return { version: versionIn(answer), revision: Number(answer['revision']) };
    },
    async get(path, options = {}) {
      const { mount = 'secret', version = 0, ...call } = options;
      const answer = await client.call('kv.get', { mount, path, version }, call);
      const data = answer['data'];
      return {
        data:
          data instanceof Uint8Array
            ? (JSON.parse(new TextDecoder().decode(data)) as Readonly<Record<string, unknown>>)
            : undefined,
        version: versionIn(answer),
        revision: Number(answer['revision']),
      };
    },
  };
}

function versionIn(answer: Payload): number {
  return (answer['version'] as { readonly version?: number } | undefined)?.version ?? 0;
}
