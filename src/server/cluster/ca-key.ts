import type { Place } from '../../barrier/index.ts';
import { ROOT_NAMESPACE, SYSTEM_MOUNT, systemKind } from '../../vault/index.ts';

/** The place that the CA's key is sealed for. It is kept among the cluster's own records. */
export const caKeyPlace: Place = {
  namespace: ROOT_NAMESPACE,
  mount: SYSTEM_MOUNT,
  kind: systemKind.clusterAuthority,
  path: ['ca-key'],
};
