import { StrongroomError } from '../lib/index.ts';

export const SEGMENT_BYTES_MAX = 512;
export const SEGMENTS_MAX = 32;
export const NAMESPACE_DEPTH_MAX = 8;

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for.
// oxlint-disable-next-line no-control-regex
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/;

/**
 * Splits a path such as "team/db" into segments. No leading, trailing or doubled slash, no "." or
 * "..", no control characters; bounded in depth and in the length of a segment.
 *
 * @param what names the path in the error, such as "path".
 * @throws StrongroomError `request.invalid`
 */
export function pathSegments(path: string, what: string): readonly string[] {
  if (path === '') throw refused(what, 'is empty');
  if (CONTROL.test(path)) throw refused(what, 'holds control characters');
  const segments = path.split('/');
  if (segments.length > SEGMENTS_MAX) throw refused(what, `is deeper than ${SEGMENTS_MAX}`);
  for (const segment of segments) {
    if (segment === '') throw refused(what, 'begins or ends with "/" or has an empty segment');
    if (segment === '.' || segment === '..') throw refused(what, 'has a "." or ".." segment');
    if (segment.length * 3 > SEGMENT_BYTES_MAX && Buffer.byteLength(segment) > SEGMENT_BYTES_MAX) {
      throw refused(what, `has a segment over ${SEGMENT_BYTES_MAX} bytes`);
    }
  }
  return segments;
}

/** A folder: "" for the top, else like a path that may end with one "/". */
export function folderSegments(folder: string, what: string): readonly string[] {
  if (folder === '') return [];
  return pathSegments(folder.endsWith('/') ? folder.slice(0, -1) : folder, what);
}

/**
 * A namespace path, "" being the root; one leading or trailing "/" is forgiven, as clients send both.
 * @throws StrongroomError `request.invalid`
 */
export function namespaceSegments(path: string): readonly string[] {
  const trimmed = path.replace(/^\//, '').replace(/\/$/, '');
  if (trimmed === '') return [];
  const segments = pathSegments(trimmed, 'namespace');
  if (segments.length > NAMESPACE_DEPTH_MAX) {
    throw refused('namespace', `is deeper than ${NAMESPACE_DEPTH_MAX}`);
  }
  return segments;
}

/** Names that Vault's own paths begin with: policies could not tell them apart. */
const RESERVED: ReadonlySet<string> = new Set(['sys', 'auth', 'identity', 'cubbyhole', 'audit']);

/** Whether no mount and no namespace may have this name, or a path that begins with it. */
export function isReserved(name: string): boolean {
  return RESERVED.has(name);
}

/** Names that stand in policies and URLs: of policies, namespaces and mounts. */
export function checkName(name: string, what: string): string {
  if (!/^[\w.-]{1,128}$/.test(name) || name === '.' || name === '..') {
    throw refused(what, 'must be 1 to 128 letters, digits, "_", "." or "-"');
  }
  return name;
}

/**
 * Refuses a path for which a rule that was meant for it might not be found: with an empty, "." or
 * ".." segment, or a control character. What reads it later is as strict; here no operation can be
 * forgotten.
 * @throws StrongroomError `request.invalid`
 */
export function checkPolicyPath(path: string): string {
  if (path.includes('//') || path.startsWith('/')) throw refused('path', 'has an empty segment');
  if (/(?:^|\/)\.\.?(?:\/|$)/.test(path)) throw refused('path', 'has a "." or ".." segment');
  if (CONTROL.test(path)) throw refused('path', 'holds control characters');
  return path;
}

function refused(what: string, why: string): StrongroomError {
  return new StrongroomError('request.invalid', `Cannot take the request: "${what}" ${why}`);
}
