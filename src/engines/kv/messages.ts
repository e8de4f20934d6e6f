import { type MessageSpec, pageFields, revision } from '../../vault/index.ts';

export const DATA_BYTES_MAX = 1024 * 1024;

const mount = { type: 'string', max: 512, about: 'Where the engine is mounted' } as const;
const path = {
  type: 'string',
  sensitive: true,
  max: 4096,
  about: 'The secret, such as "team/db"',
} as const;
const place = { mount, path } as const;
const data = {
  type: 'bytes',
  sensitive: true,
  max: DATA_BYTES_MAX,
  about: 'A JSON object: the secret itself',
} as const;
const cas = {
  type: 'uint32',
  optional: true,
  about: 'Version that must be current; 0: it must not exist',
} as const;
const customMetadata = { type: 'map', sensitive: true, about: 'Free text of its owner' } as const;

export const version = {
  version: { type: 'uint32', about: 'Counted from 1' },
  createdAtMs: { type: 'uint64', about: 'When it was written' },
  deletedAtMs: { type: 'uint64', about: '0: not deleted; in the future: will be then' },
  destroyed: { type: 'bool', about: 'Its data is gone for good' },
} as const satisfies MessageSpec;

export const putRequest = { ...place, data, cas } as const satisfies MessageSpec;
export const putResponse = {
  revision,
  version: { type: { message: version }, about: 'What was made' },
  customMetadata,
} as const satisfies MessageSpec;

export const getRequest = {
  ...place,
  version: { type: 'uint32', about: '0: the current one' },
} as const satisfies MessageSpec;
export const getResponse = {
  revision,
  data: { ...data, optional: true, about: 'Absent when deleted or destroyed' },
  version: { type: { message: version }, about: 'Which it is' },
  customMetadata,
} as const satisfies MessageSpec;

export const listRequest = {
  mount,
  path: { ...path, about: 'A folder: "" or "team/"' },
  ...pageFields,
} as const satisfies MessageSpec;
export const listResponse = {
  revision,
  names: { type: { list: 'string' }, sensitive: true, about: 'Sorted; folders end with "/"' },
  more: { type: 'bool', about: 'There are more after the last' },
} as const satisfies MessageSpec;

export const placeRequest = place satisfies MessageSpec;
export const versionsRequest = {
  ...place,
  versions: { type: { list: 'uint32' }, max: 1000, about: 'Which; unknown ones are passed over' },
} as const satisfies MessageSpec;
export const rollbackRequest = {
  ...place,
  version: { type: 'uint32', about: 'Whose data becomes the newest version' },
} as const satisfies MessageSpec;
export const changeResponse = { revision } as const satisfies MessageSpec;

export const metadataResponse = {
  revision,
  createdAtMs: { type: 'uint64', about: 'First write' },
  updatedAtMs: { type: 'uint64', about: 'Last write' },
  currentVersion: { type: 'uint32', about: '0: none yet' },
  oldestVersion: { type: 'uint32', about: 'Oldest that is kept' },
  maxVersions: { type: 'uint32', about: "0: the mount's" },
  casRequired: { type: 'bool', about: 'Writes must name the current version' },
  deleteVersionAfterMs: { type: 'uint64', about: "0: the mount's" },
  customMetadata,
  versions: { type: { list: { message: version } }, about: 'Oldest first' },
} as const satisfies MessageSpec;

const custom = {
  entries: { type: 'map', max: 64, sensitive: true, about: 'At most 64' },
  remove: { type: { list: 'string' }, max: 64, about: 'Keys to drop (patchMetadata only)' },
} as const satisfies MessageSpec;

const settings = {
  maxVersions: { type: 'uint32', optional: true, about: 'Versions kept; 0: the default' },
  casRequired: { type: 'bool', optional: true, about: 'Writes must name the current version' },
  deleteVersionAfterMs: {
    type: 'uint64',
    optional: true,
    about: 'New versions end after it; 0: never',
  },
} as const satisfies MessageSpec;

export const putMetadataRequest = {
  ...place,
  ...settings,
  customMetadata: { type: { message: custom }, optional: true, about: 'Absent: unchanged' },
} as const satisfies MessageSpec;

export const getConfigRequest = { mount } as const satisfies MessageSpec;
export const configResponse = {
  revision,
  maxVersions: { type: 'uint32', about: '0: the default, 10' },
  casRequired: { type: 'bool', about: 'Of the whole mount' },
  deleteVersionAfterMs: { type: 'uint64', about: '0: never' },
} as const satisfies MessageSpec;
export const putConfigRequest = { mount, ...settings } as const satisfies MessageSpec;
