import { StrongroomError } from '../lib/index.ts';

export interface Address {
  /** Without the brackets of an IPv6 address: what the certificate is checked against. */
  readonly host: string;
  /** `host:port` as gRPC takes it. */
  readonly target: string;
  /** What the address itself says of TLS, if anything. */
  readonly scheme: 'https' | 'http' | undefined;
}

/** @throws StrongroomError `request.invalid` */
export function parseAddress(text: string): Address {
  const match = /^(?:(https?):\/\/)?((?:\[([0-9a-fA-F:.]+)\]|([^\s/:[\]]+)):\d{1,5})\/?$/.exec(
    text.trim(),
  );
  const [, scheme, target, bracketed, plain] = match ?? [];
  const host = bracketed ?? plain;
  if (target === undefined || host === undefined) {
    throw new StrongroomError(
      'request.invalid',
      `Cannot use the address "${text}": write host:port, such as https://127.0.0.1:8200`,
    );
  }
  return { host, target, scheme: scheme === 'https' || scheme === 'http' ? scheme : undefined };
}
