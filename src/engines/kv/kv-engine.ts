import { StrongroomError } from '../../lib/index.ts';
import type { EnginePlugin } from '../../vault/index.ts';
import { dataOperations } from './data-operations.ts';
import { metadataOperations } from './metadata-operations.ts';
import { kinds } from './secret.ts';
import { decodeSecret } from './secret-record.ts';
import { versionOperations } from './version-operations.ts';

/** Versioned secrets: what Vault calls KV version 2. */
export function kvEngine(): EnginePlugin {
  return {
    type: 'kv',
    operations: [...dataOperations(), ...versionOperations(), ...metadataOperations()],
    recordKinds: Object.values(kinds),
    mounted(_storage, mount) {
      for (const [name, value] of Object.entries(mount.options)) {
        // Vault's clients say which version of the engine they want.
        if (name === 'version' && value === '2') continue;
        throw new StrongroomError(
          'request.invalid',
          'Cannot mount the engine: it knows no option but version=2',
        );
      }
    },
    watching: {
      kind: kinds.metadata,
      pathTemplate: '{mount}/metadata/{path}',
      policyPath: (mount, folder) => `${mount.path}/metadata/${folder}`,
      events({ path, value, revision }) {
        const told = { path: path.join('/'), revision };
        if (value === undefined) return [{ ...told, kind: 'purge', version: 0 }];
        const { change, changedVersions } = decodeSecret(value);
        return changedVersions.map((version) => ({ ...told, kind: change, version }));
      },
    },
  };
}
