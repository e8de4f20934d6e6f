// The one door to the X.509 library: it must be loaded after the polyfill and told its crypto.
// biome-ignore-start assist/source/organizeImports: the polyfill must come first.
import './reflect-metadata.ts';
import * as x509 from '@peculiar/x509';
import { webcrypto } from 'node:crypto';
// biome-ignore-end assist/source/organizeImports: the polyfill must come first.

x509.cryptoProvider.set(globalThis.crypto);

/** ECDSA on P-256 with SHA-256: what every TLS 1.3 stack speaks. */
export const signing = { name: 'ECDSA', hash: 'SHA-256' } as const;
const keyAlgorithm = { name: 'ECDSA', namedCurve: 'P-256' } as const;

/** Ends with a line break, so that PEM texts can be put one after another. */
export function toPem(data: { toString(format: 'pem'): string }): string {
  return `${data.toString('pem')}\n`;
}

export async function generateKeys() {
  return webcrypto.subtle.generateKey(keyAlgorithm, true, ['sign', 'verify']);
}

export async function privateKeyToPem(key: webcrypto.CryptoKey): Promise<string> {
  const der = await webcrypto.subtle.exportKey('pkcs8', key);
  return `${x509.PemConverter.encode(der, 'PRIVATE KEY')}\n`;
}

/** @throws Error when `pem` is no P-256 private key in PKCS#8. */
export async function privateKeyFromPem(pem: string): Promise<webcrypto.CryptoKey> {
  const [der] = x509.PemConverter.decode(pem);
  if (der === undefined) throw new Error('Not a PEM private key');
  return webcrypto.subtle.importKey('pkcs8', der, keyAlgorithm, false, ['sign']);
}

export { x509 };
