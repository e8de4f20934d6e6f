import { statSync, writeFileSync } from 'node:fs';
import { connect, createServer, type TLSSocket } from 'node:tls';
import { describe, expect, it } from 'vitest';
import { type Clock, SystemRandom, systemClock } from '../../../src/lib/index.ts';
import {
  checkCertificate,
  checkRequest,
  createCertificateRequest,
  createClusterCa,
  describeCertificate,
  fetchPinnedCa,
  hostNamesOf,
  identityInAltNames,
  issueNodeCertificate,
  loadNodeTls,
  parseNodeUri,
  saveNodeTls,
  shouldRenew,
  tlsPaths,
} from '../../../src/server/certificates/index.ts';
import { temporaryFolder } from '../../harness/temporary-folder.ts';

const DAY_MS = 24 * 3600 * 1000;
const clusterId = '0123456789abcdef0123456789abcdef';
const random = new SystemRandom();
const at = (wallMs: number): Clock => ({ ...systemClock, wallMs: () => wallMs });
const now = Date.now();

async function makeNode(clock: Clock = at(now), days?: number) {
  const ca = await createClusterCa({ clusterId, clock: at(now), random });
  const request = await createCertificateRequest({ name: 'node-1' });
  const certificatePem = await issueNodeCertificate(ca, {
    csrPem: request.csrPem,
    clusterId,
    node: 7,
    ...hostNamesOf(['localhost:1', '127.0.0.1:2', '[::1]:3']),
    ...(days === undefined ? {} : { days }),
    clock,
    random,
  });
  return {
    ca,
    tls: { certificatePem, privateKeyPem: request.privateKeyPem, caPem: ca.certificatePem },
  };
}

async function serve(tls: { certificatePem: string; privateKeyPem: string; caPem: string }) {
  const server = createServer({
    cert: tls.certificatePem + tls.caPem,
    key: tls.privateKeyPem,
    ca: tls.caPem,
    minVersion: 'TLSv1.3',
    requestCert: true,
    rejectUnauthorized: false,
  });
  const sockets: TLSSocket[] = [];
  server.on('secureConnection', (socket) => {
    sockets.push(socket);
    socket.on('error', () => undefined);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return {
    server,
    port,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

describe('certificates', () => {
  it('make a mutual TLS 1.3 connection in which each side knows the node', async () => {
    const { tls } = await makeNode();
    await using listening = await serve(tls);
    const seen = new Promise<string | undefined>((resolve) =>
      listening.server.once('secureConnection', (socket) =>
        resolve(socket.authorized ? socket.getPeerCertificate().subjectaltname : 'refused'),
      ),
    );
    const socket = connect({
      host: '127.0.0.1',
      port: listening.port,
      ca: tls.caPem,
      cert: tls.certificatePem,
      key: tls.privateKeyPem,
    });
    await new Promise((resolve, reject) =>
      socket.once('secureConnect', resolve).once('error', reject),
    );
    expect(socket.getProtocol()).toBe('TLSv1.3');
    expect(identityInAltNames(socket.getPeerCertificate().subjectaltname)).toEqual({
      clusterId,
      node: 7,
    });
    expect(identityInAltNames(await seen)).toEqual({ clusterId, node: 7 });
    socket.destroy();
  });

  it('of another cluster are not trusted', async () => {
    const { tls } = await makeNode();
    const other = await makeNode();
    expect(() => checkCertificate({ ...tls, caPem: other.tls.caPem }, now)).toThrow(
      /not signed by/,
    );
  });

  it('are refused beside another key, after their end and before their beginning', async () => {
    const { tls } = await makeNode();
    const other = await makeNode();
    expect(checkCertificate(tls, now).identity).toEqual({ clusterId, node: 7 });
    expect(() => checkCertificate({ ...tls, privateKeyPem: other.tls.privateKeyPem }, now)).toThrow(
      /not for the key/,
    );
    expect(() => checkCertificate(tls, now + 91 * DAY_MS)).toThrow(/expired/);
    expect(() => checkCertificate(tls, now - DAY_MS)).toThrow(/clock/);
  });

  it('are renewed when two thirds of their life are over, not before', async () => {
    const { tls } = await makeNode(at(now), 90);
    expect(shouldRenew(tls.certificatePem, now)).toBe(false);
    expect(shouldRenew(tls.certificatePem, now + 59 * DAY_MS)).toBe(false);
    expect(shouldRenew(tls.certificatePem, now + 61 * DAY_MS)).toBe(true);
  });

  it('never outlive their CA', async () => {
    const { ca, tls } = await makeNode(at(now), 20_000);
    expect(describeCertificate(tls.certificatePem).notAfterMs).toBe(
      describeCertificate(ca.certificatePem).notAfterMs,
    );
  });

  it('are not made for wildcards or odd names', async () => {
    const ca = await createClusterCa({ clusterId, clock: at(now), random });
    const { csrPem } = await createCertificateRequest({ name: 'x' });
    for (const bad of ['*.example.org', 'a b', 'x\0y', '', 'a'.repeat(300), '-a', 'a,URI:x']) {
      await expect(
        issueNodeCertificate(ca, {
          csrPem,
          clusterId,
          node: 1,
          dnsNames: [bad],
          ips: [],
          clock: at(now),
          random,
        }),
      ).rejects.toMatchObject({ code: 'cluster.certificate-invalid' });
    }
  });
});

describe('checkRequest', () => {
  it('accepts a fresh request and fingerprints its key', async () => {
    const [a, b] = [
      await createCertificateRequest({ name: 'a' }),
      await createCertificateRequest({ name: 'a' }),
    ];
    const first = await checkRequest(a.csrPem);
    expect(first.keyFingerprint).toMatch(/^[0-9a-f]{64}$/);
    expect((await checkRequest(a.csrPem)).keyFingerprint).toBe(first.keyFingerprint);
    expect((await checkRequest(b.csrPem)).keyFingerprint).not.toBe(first.keyFingerprint);
  });

  it('refuses a request whose signature was tampered with', async () => {
    const { csrPem } = await createCertificateRequest({ name: 'node-a' });
    const der = Buffer.from(csrPem.replaceAll(/-----.*?-----|\s/g, ''), 'base64');
    der[der.length - 1] = (der.at(-1) ?? 0) ^ 1;
    const forged = `-----BEGIN CERTIFICATE REQUEST-----\n${der.toString('base64')}\n-----END CERTIFICATE REQUEST-----`;
    await expect(checkRequest(forged)).rejects.toMatchObject({
      code: 'cluster.certificate-invalid',
    });
  });

  it.each([
    '',
    'hello',
    '-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----',
    'A'.repeat(100_000),
  ])('refuses garbage', async (text) => {
    await expect(checkRequest(text)).rejects.toMatchObject({ code: 'cluster.certificate-invalid' });
  });
});

describe('node names', () => {
  it('are read only in their exact form', () => {
    expect(parseNodeUri(`strongroom://${clusterId}/node/12`)).toEqual({ clusterId, node: 12 });
    for (const bad of ['node/0', 'node/01', 'node/1/x', 'node/-1', 'node/', 'nodes/1']) {
      expect(parseNodeUri(`strongroom://${clusterId}/${bad}`)).toBeUndefined();
    }
    expect(parseNodeUri(`strongroom://${clusterId.toUpperCase()}/node/1`)).toBeUndefined();
  });

  it('are not taken from a certificate that states two, or hides one in a quoted name', () => {
    const uri = `URI:strongroom://${clusterId}/node/1`;
    expect(identityInAltNames(`DNS:a, ${uri}`)).toEqual({ clusterId, node: 1 });
    expect(identityInAltNames(`${uri}, URI:strongroom://${clusterId}/node/2`)).toBeUndefined();
    expect(identityInAltNames(`DNS:"a, ${uri}"`)).toBeUndefined();
    expect(identityInAltNames(undefined)).toBeUndefined();
  });
});

describe('the TLS folder', () => {
  it('gives back what was saved, readable by its owner only', async () => {
    const dataDir = temporaryFolder();
    expect(await loadNodeTls(dataDir)).toBeUndefined();
    const { tls } = await makeNode();
    await saveNodeTls(dataDir, tls);
    const loaded = await loadNodeTls(dataDir);
    expect(loaded && checkCertificate(loaded, now).identity?.node).toBe(7);
    const paths = tlsPaths(dataDir);
    expect(statSync(paths.node).mode & 0o777).toBe(0o600);
    expect(statSync(paths.folder).mode & 0o777).toBe(0o700);
  });

  it('keeps the old files when a renewal was cut off', async () => {
    const dataDir = temporaryFolder();
    const { tls } = await makeNode();
    await saveNodeTls(dataDir, tls);
    writeFileSync(`${tlsPaths(dataDir).node}.new`, 'half a fi', { mode: 0o644 });
    const loaded = await loadNodeTls(dataDir);
    expect(loaded && checkCertificate(loaded, now).identity?.node).toBe(7);
    await saveNodeTls(dataDir, tls);
    expect(statSync(tlsPaths(dataDir).node).mode & 0o777).toBe(0o600);
  });
});

describe('fetchPinnedCa', () => {
  it('fetches the CA that the join token names, and refuses any other', async () => {
    const { tls } = await makeNode();
    await using listening = await serve(tls);
    const { fingerprint } = describeCertificate(tls.caPem);
    const address = `127.0.0.1:${listening.port}`;
    const signal = AbortSignal.timeout(5000);
    const caPem = await fetchPinnedCa(address, fingerprint, signal);
    expect(describeCertificate(caPem).fingerprint).toBe(fingerprint);
    const other = await makeNode();
    await expect(
      fetchPinnedCa(address, describeCertificate(other.tls.caPem).fingerprint, signal),
    ).rejects.toMatchObject({ code: 'cluster.join-refused' });
  });

  it('refuses an impostor that shows the right CA with a certificate of its own', async () => {
    const { tls } = await makeNode();
    const impostor = await makeNode();
    await using listening = await serve({ ...impostor.tls, caPem: tls.caPem });
    const { fingerprint } = describeCertificate(tls.caPem);
    await expect(
      fetchPinnedCa(`127.0.0.1:${listening.port}`, fingerprint, AbortSignal.timeout(5000)),
    ).rejects.toMatchObject({ code: 'cluster.join-refused' });
  });

  it('says that nobody answers', async () => {
    const { tls } = await makeNode();
    const listening = await serve(tls);
    await listening[Symbol.asyncDispose]();
    await expect(
      fetchPinnedCa(`127.0.0.1:${listening.port}`, 'ab'.repeat(32), AbortSignal.timeout(5000)),
    ).rejects.toThrow(/ECONNREFUSED/);
  });
});
