import { z } from 'zod';

const NAME_CHARS_MAX = 64;
const LIST_ITEMS_MAX = 32;

/** Names are metric labels, file names and certificate subjects, so they stay plain. */
const name = z
  .string()
  .max(NAME_CHARS_MAX)
  .regex(
    /^[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?$/,
    'must be lower-case letters, digits, ".", "_" and "-"',
  );

const path = z
  .string()
  .min(1)
  .max(4096)
  .refine((text) => !text.includes('\0'), 'holds a NUL');

/** `host:port`, an IPv6 host in brackets. */
const address = z
  .string()
  .max(300)
  .regex(/^(?:\[[0-9a-fA-F:.]+\]|[^\s:[\]/]+):\d{1,5}$/, 'must be host:port')
  .refine(
    (text) => Number(text.slice(text.lastIndexOf(':') + 1)) <= 65_535,
    'has a port over 65535',
  );

const milliseconds = (min: number, max: number) => z.int().min(min).max(max);

const pkcs11Slot = z
  .strictObject({
    name,
    kind: z.literal('pkcs11'),
    module: path.describe('The PKCS#11 module, a shared library'),
    token: z.string().min(1).max(32).describe("The token's label"),
    serial: z.string().min(1).max(16).optional(),
    pinFile: path.optional(),
    pinFd: z.int().min(3).max(1023).optional(),
    pinPrompt: z.literal(true).optional(),
    environment: z.record(z.string().regex(/^[A-Z][A-Z0-9_]*$/), z.string().max(4096)).optional(),
    mechanism: z.enum(['aes-gcm', 'rsa-oaep-sha1', 'rsa-oaep-sha256']).default('aes-gcm'),
  })
  .refine(
    (slot) =>
      [slot.pinFile, slot.pinFd, slot.pinPrompt].filter((from) => from !== undefined).length === 1,
    'needs exactly one of pinFile, pinFd and pinPrompt',
  );

const slot = z.discriminatedUnion('kind', [
  pkcs11Slot,
  z.strictObject({ name, kind: z.literal('shamir') }),
  z.strictObject({ name, kind: z.literal('dev'), path: path.optional() }),
]);

const unique = (items: readonly { readonly name: string }[]) =>
  new Set(items.map((item) => item.name)).size === items.length;

const listener = { listen: address, advertise: address.optional() };

/** One node's configuration file. `docs/configuration.md` explains every field. */
export const nodeConfigSchema = z
  .strictObject({
    name,
    region: name.default('local'),
    kind: z.enum(['voter', 'replica']).default('voter'),
    dataDir: path,
    api: z.strictObject({ ...listener, insecurePlaintext: z.boolean().default(false) }),
    peer: z.strictObject({
      ...listener,
      routes: z.record(z.string().max(NAME_CHARS_MAX), address).default({}),
    }),
    metrics: z.strictObject(listener).optional(),
    bootstrap: z.boolean().default(false),
    join: z
      .strictObject({
        tokenFile: path,
        addresses: z.array(address).min(1).max(LIST_ITEMS_MAX),
        caFile: path.optional(),
        insecurePlaintext: z.boolean().default(false),
      })
      .optional(),
    seal: z.strictObject({
      slots: z.array(slot).min(1).max(LIST_ITEMS_MAX).refine(unique, 'two slots have one name'),
    }),
    audit: z
      .strictObject({
        files: z
          .array(z.strictObject({ name, path }))
          .max(LIST_ITEMS_MAX)
          .refine(unique, 'two files have one name')
          .default([]),
      })
      .prefault({}),
    raft: z
      .strictObject({
        tickMs: milliseconds(5, 5_000).default(50),
        heartbeatTicks: z.int().min(1).max(100).default(2),
        electionTicks: z.int().min(3).max(1_000).default(12),
        leaseReads: z.boolean().default(false),
        leaseDriftPercent: z.int().min(1).max(50).default(10),
        logKeepBytes: z
          .int()
          .min(256 * 1024)
          .max(1024 ** 4)
          .default(128 * 1024 * 1024),
      })
      .refine(
        (raft) => raft.electionTicks > 2 * raft.heartbeatTicks,
        'needs electionTicks over twice heartbeatTicks, or every lost heartbeat is an election',
      )
      .prefault({}),
    replica: z
      .strictObject({
        stalenessMaxMs: milliseconds(100, 3_600_000).default(10_000),
        upstreams: z.array(address).max(LIST_ITEMS_MAX).default([]),
      })
      .prefault({}),
    integrity: z
      .strictObject({
        compareEveryMs: milliseconds(100, 3_600_000).default(10_000),
        verifyEveryMs: milliseconds(0, 31 * 86_400_000).default(6 * 3_600_000),
        verifyRecordsPerSecondMax: z.int().min(100).max(10_000_000).default(50_000),
      })
      .prefault({}),
    limits: z
      .strictObject({
        requestBytesMax: z
          .int()
          .min(4_096)
          .max(64 * 1024 * 1024)
          .default(2 * 1024 * 1024),
        requestsInFlightMax: z.int().min(1).max(1_000_000).default(4_096),
        requestsPerSecondMax: z.int().min(1).max(10_000_000).optional(),
      })
      .prefault({}),
    log: z
      .strictObject({
        level: z.enum(['debug', 'info', 'warn', 'error', 'silent']).default('info'),
        file: path.optional(),
      })
      .prefault({}),
  })
  .superRefine((config, context) => {
    const issue = (at: string, message: string) =>
      context.addIssue({ code: 'custom', path: at.split('.'), message });
    if (config.bootstrap && config.join !== undefined) {
      issue('bootstrap', 'cannot stand beside join: a node starts a cluster or joins one');
    }
    if (config.bootstrap && config.kind !== 'voter') {
      issue('bootstrap', 'needs kind "voter": the first node of a cluster must vote');
    }
    for (const part of ['api', 'peer'] as const) {
      if (config[part].advertise === undefined && isWildcard(config[part].listen)) {
        issue(`${part}.advertise`, 'is needed when listen is a wildcard address');
      }
    }
  });

function isWildcard(listen: string): boolean {
  const host = listen.slice(0, listen.lastIndexOf(':'));
  return host === '0.0.0.0' || host === '[::]' || host === '[::0]';
}

/** As written in a file: fields with defaults may be left out. */
export type NodeConfigInput = z.input<typeof nodeConfigSchema>;

/** As a node uses it: defaults filled in, paths absolute. */
export type NodeConfig = z.output<typeof nodeConfigSchema>;

export type SealSlotConfig = NodeConfig['seal']['slots'][number];
