export { type ClusterCa, createClusterCa, issueNodeCertificate } from './authority.ts';
export {
  type CertificateFacts,
  checkCertificate,
  describeCertificate,
  shouldRenew,
} from './certificate.ts';
export {
  checkJoinToken,
  createJoinToken,
  type JoinToken,
  type JoinTokenRecord,
  parseJoinToken,
} from './join-token.ts';
export {
  type HostNames,
  hostNamesOf,
  identityInAltNames,
  type NodeIdentity,
  nodeUri,
  parseNodeUri,
} from './names.ts';
export { checkPinnedCa, fetchPinnedCa } from './pinned-ca.ts';
export { type CertificateRequest, checkRequest, createCertificateRequest } from './request.ts';
export { loadNodeTls, type NodeTls, saveNodeTls, tlsPaths, writeAtomically } from './tls-store.ts';
