export { type FileSink, type FileSinkOptions, openFileSink } from './file/file-sink.ts';
export { type AuditProblem, describeProblem } from './verify/audit-problem.ts';
export type { ChainHead } from './verify/chained-line.ts';
export {
  type AuditHead,
  headPublicKey,
  type SignedHead,
  signHead,
  verifyHead,
} from './verify/signed-head.ts';
export {
  type AuditVerdict,
  type VerifyOptions,
  verifyAuditFile,
  verifyAuditFiles,
} from './verify/verify-audit-file.ts';
