import { mkdir, open, readFile, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/** What a node shows in TLS, and whom it trusts. PEM. */
export interface NodeTls {
  readonly certificatePem: string;
  readonly privateKeyPem: string;
  readonly caPem: string;
}

const FOLDER_MODE = 0o700;
const SECRET_MODE = 0o600;
const PUBLIC_MODE = 0o644;

/** Where a node's TLS files are: `ca.pem` for clients, `node.pem` with certificate and key. */
export function tlsPaths(dataDir: string) {
  const folder = join(dataDir, 'tls');
  return { folder, ca: join(folder, 'ca.pem'), node: join(folder, 'node.pem') } as const;
}

/** The node's TLS files, or undefined when it has none yet. */
export async function loadNodeTls(dataDir: string): Promise<NodeTls | undefined> {
  const paths = tlsPaths(dataDir);
  const both = await Promise.all([readIfThere(paths.node), readIfThere(paths.ca)]);
  const [node, caPem] = both;
  if (node === undefined || caPem === undefined) return undefined;
  const privateKeyPem = block(node, 'PRIVATE KEY');
  const certificatePem = block(node, 'CERTIFICATE');
  if (privateKeyPem === undefined || certificatePem === undefined) return undefined;
  return { certificatePem, privateKeyPem, caPem };
}

/**
 * Keeps the node's TLS files through power cuts. Certificate and key are one file, so that a renewal
 * that is cut off never leaves one without the other.
 */
export async function saveNodeTls(dataDir: string, tls: NodeTls): Promise<void> {
  const paths = tlsPaths(dataDir);
  await mkdir(paths.folder, { recursive: true, mode: FOLDER_MODE });
  await writeAtomically(paths.ca, tls.caPem, PUBLIC_MODE);
  const node = `${tls.privateKeyPem.trim()}\n${tls.certificatePem.trim()}\n`;
  await writeAtomically(paths.node, node, SECRET_MODE);
}

/** Writes beside, syncs, renames: readers see the old file or the whole new one (also after a crash). */
export async function writeAtomically(path: string, text: string, mode: number): Promise<void> {
  const beside = `${path}.new`;
  const file = await open(beside, 'w', mode);
  try {
    // An older leftover keeps its mode when it is opened, so it is set anyway.
    await file.chmod(mode);
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(beside, path);
  const folder = await open(dirname(path), 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

function block(text: string, label: string): string | undefined {
  const match = new RegExp(`-----BEGIN ${label}-----[\\s\\S]*?-----END ${label}-----`).exec(text);
  return match === null ? undefined : `${match[0]}\n`;
}
