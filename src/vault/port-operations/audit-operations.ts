import { defineOperation, type Operation } from '../define-operation.ts';
import type { AuditPort } from '../ports.ts';
import * as messages from './audit-messages.ts';

/** `audit.*` */
export function auditOperations(audit: AuditPort): readonly Operation[] {
  return [
    defineOperation({
      name: 'audit.list',
      summary: 'Where this node writes its audit records',
      pathTemplate: 'sys/audit',
      capability: 'read',
      needsSudo: () => true,
      rootNamespaceOnly: true,
      request: messages.auditListRequest,
      response: messages.auditListResponse,
      run: { kind: 'port', at: 'here', handle: (context) => audit.list(context) },
    }),
    defineOperation({
      name: 'audit.hash',
      summary: 'The keyed hash that stands for a value in the audit log',
      pathTemplate: 'sys/audit-hash',
      capability: 'update',
      rootNamespaceOnly: true,
      request: messages.auditHashRequest,
      response: messages.auditHashResponse,
      run: { kind: 'port', at: 'here', handle: (context, request) => audit.hash(context, request) },
    }),
    defineOperation({
      name: 'audit.heads',
      summary: 'Signed heads of the audit chains',
      pathTemplate: 'sys/audit/heads',
      capability: 'read',
      needsSudo: () => true,
      rootNamespaceOnly: true,
      request: messages.auditHeadsRequest,
      response: messages.auditHeadsResponse,
      run: {
        kind: 'port',
        at: 'here',
        handle: (context, request) => audit.heads(context, request),
      },
    }),
  ];
}
