import { latin1Text } from '../lib/index.ts';
import { UUID_BYTES } from './keyring.ts';
import { isSameUuid, type Place, type Uuid } from './place.ts';

/** Store keys of one generation, together: long paths must not fill the memory. */
const GENERATION_BYTES_MAX = 8 * 1024 * 1024;

/** A sealed name: its store key, and what is known below it. */
interface Folder {
  readonly key: Uint8Array;
  below: Map<string, Folder> | undefined;
}

/** The folders without a name of one mount, by kind. */
interface Mount {
  readonly namespace: Uuid;
  readonly mount: Uuid;
  readonly kinds: Map<number, Folder>;
}

export interface PlaceSealer {
  /** The store key of a place without names. Refuses, by throwing, what is no place at all. */
  head(place: Place): Uint8Array;
  /** The store key of one name in a folder. */
  name(place: Place, folder: Uint8Array, name: string): Uint8Array;
  /** The same bytes in memory that stands beside what is sealed now. */
  copy(key: Uint8Array): Uint8Array;
}

/**
 * Sealed places by their names, as a tree, so that siblings share the folder above them and a look-up
 * builds no text. In two generations: when the young tree is full it becomes the old one, and what
 * is found in the old one moves to the young. So a name lasts for at least half of `namesMax` other
 * names after its last use. Only places that `head` did not refuse are ever in it.
 */
export class PlaceCache {
  readonly #sealer: PlaceSealer;
  readonly #generationMax: number;
  #young = new Generation();
  #old = new Generation();

  constructor(sealer: PlaceSealer, namesMax: number) {
    this.#sealer = sealer;
    this.#generationMax = Math.ceil(namesMax / 2);
  }

  /** The store key of `place`, shared: never change its bytes. */
  key(place: Place): Uint8Array {
    const { path } = place;
    let folder = this.#young.root(place);
    for (let depth = 0; folder !== undefined && depth < path.length; depth++) {
      folder = folder.below?.get(path[depth] ?? '');
    }
    return folder === undefined ? this.#add(place) : folder.key;
  }

  clear(): void {
    this.#young = new Generation();
    this.#old = new Generation();
  }

  /** Completes the young tree down to `place`: from the old one while it goes, then by sealing. */
  #add(place: Place): Uint8Array {
    const head = this.#sealer.head(place);
    const { names, bytes } = this.#young;
    if (names >= this.#generationMax || bytes >= GENERATION_BYTES_MAX) {
      this.#old = this.#young;
      this.#young = new Generation();
    }
    let old = this.#old.root(place);
    let folder = this.#young.root(place) ?? this.#young.addRoot(place, head);
    for (const name of place.path) {
      old = old?.below?.get(name);
      folder =
        folder.below?.get(name) ??
        this.#young.add(folder, name, this.#keyOf(place, folder, name, old));
    }
    return folder.key;
  }

  /** Copied from the old tree, or a name in use would keep the block of all its former neighbours. */
  #keyOf(place: Place, folder: Folder, name: string, old: Folder | undefined): Uint8Array {
    return old === undefined
      ? this.#sealer.name(place, folder.key, name)
      : this.#sealer.copy(old.key);
  }
}

class Generation {
  readonly #mounts = new Map<string, Mount>();
  /** Requests come in runs for one mount. */
  #latest: Mount | undefined;
  names = 0;
  bytes = 0;

  root(place: Place): Folder | undefined {
    return this.#mountOf(place)?.kinds.get(place.kind);
  }

  addRoot(place: Place, key: Uint8Array): Folder {
    let mount = this.#mountOf(place);
    if (mount === undefined) {
      mount = {
        namespace: Uint8Array.from(place.namespace),
        mount: Uint8Array.from(place.mount),
        kinds: new Map(),
      };
      this.#mounts.set(mountText(place), mount);
    }
    const root = { key, below: undefined };
    mount.kinds.set(place.kind, root);
    this.names++;
    return root;
  }

  add(folder: Folder, name: string, key: Uint8Array): Folder {
    const added = { key, below: undefined };
    folder.below ??= new Map();
    folder.below.set(name, added);
    this.names++;
    this.bytes += key.length;
    return added;
  }

  #mountOf(place: Place): Mount | undefined {
    const latest = this.#latest;
    if (
      latest !== undefined &&
      isSameUuid(latest.mount, place.mount) &&
      isSameUuid(latest.namespace, place.namespace)
    ) {
      return latest;
    }
    if (place.namespace.length !== UUID_BYTES) return undefined;
    const found = this.#mounts.get(mountText(place));
    if (found !== undefined) this.#latest = found;
    return found;
  }
}

function mountText({ namespace, mount }: Place): string {
  return latin1Text(namespace) + latin1Text(mount);
}
