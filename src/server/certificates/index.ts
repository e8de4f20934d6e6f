export { type ClusterCa, createClusterCa, issueNodeCertificate } from './authority.ts';
export {
  checkCertificate,
  describeCertificate,
  shouldRenew,
} from './certificate.ts';
export {
  checkJoinToken,
  createJoinToken,
  type JoinTokenRecord,
  parseJoinToken,
} from './join-token.ts';
export {
  hostNamesOf,
  identityInAltNames,
  parseNodeUri,
} from './names.ts';
export { checkPinnedCa, fetchPinnedCa } from './pinned-ca.ts';
export { checkRequest, createCertificateRequest } from './request.ts';
export { loadNodeTls, type NodeTls, saveNodeTls, tlsPaths, writeAtomically } from './tls-store.ts';
