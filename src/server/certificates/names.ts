import { isIP } from 'node:net';
import { StrongroomError } from '../../lib/index.ts';

/** Whose certificate it is. */
export interface NodeIdentity {
  /** 32 hex digits. */
  readonly clusterId: string;
  /** From 1. */
  readonly node: number;
}

/** The name by which nodes know one another: the URI in the certificate's SAN. */
export function nodeUri({ clusterId, node }: NodeIdentity): string {
  return `strongroom://${clusterId}/node/${node}`;
}

/** The identity that a SAN URI states, or undefined when it is not one of ours. */
export function parseNodeUri(uri: string): NodeIdentity | undefined {
  const match = /^strongroom:\/\/([0-9a-f]{32})\/node\/([1-9]\d{0,14})$/.exec(uri);
  const [, clusterId, node] = match ?? [];
  return clusterId === undefined || node === undefined
    ? undefined
    : { clusterId, node: Number(node) };
}

/**
 * Finds the one node identity in the text form of a SAN, as Node's TLS sockets give it
 * (`getPeerCertificate().subjectaltname`: "DNS:a, URI:strongroom://...").
 *
 * @returns undefined when there is none, or more than one.
 */
export function identityInAltNames(altNames: string | undefined): NodeIdentity | undefined {
  // Quoted entries (names with commas or quotes inside, CVE-2021-44532) are never ours.
  if (altNames === undefined || altNames.includes('"')) return undefined;
  const uris = altNames
    .split(', ')
    .filter((entry) => entry.startsWith('URI:'))
    .map((entry) => parseNodeUri(entry.slice('URI:'.length)));
  return uris.length === 1 ? uris[0] : undefined;
}

/** Names and addresses under which a node is reached. */
export interface HostNames {
  readonly dnsNames: readonly string[];
  readonly ips: readonly string[];
}

const HOST_NAMES_MAX = 32;
const dnsName =
  /^(?=.{1,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/i;

/** @throws StrongroomError `cluster.certificate-invalid` for a name that could not be trusted. */
export function checkHostNames({ dnsNames, ips }: HostNames): void {
  if (dnsNames.length + ips.length > HOST_NAMES_MAX) {
    throw new StrongroomError(
      'cluster.certificate-invalid',
      `Cannot make a certificate for ${dnsNames.length + ips.length} names, at most ${HOST_NAMES_MAX} are allowed`,
    );
  }
  const bad = [
    ...dnsNames.filter((name) => !dnsName.test(name)),
    ...ips.filter((ip) => isIP(ip) === 0),
  ];
  if (bad.length > 0) {
    throw new StrongroomError(
      'cluster.certificate-invalid',
      `Cannot make a certificate for ${JSON.stringify(bad[0])}: it is no DNS name or IP address (wildcards are not accepted)`,
    );
  }
}

/** Splits advertised `host:port` addresses into the DNS names and IP addresses of a certificate. */
export function hostNamesOf(addresses: readonly string[]): HostNames {
  const hosts = new Set(
    addresses.map((address) =>
      address
        .slice(0, address.lastIndexOf(':'))
        .replace(/^\[(.*)\]$/, '$1')
        .toLowerCase(),
    ),
  );
  return {
    dnsNames: [...hosts].filter((host) => isIP(host) === 0),
    ips: [...hosts].filter((host) => isIP(host) !== 0),
  };
}
