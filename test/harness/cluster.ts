export { eventually } from '../../chaos/grounds/processes/eventually.ts';
export { LocalCluster as TestCluster } from '../../chaos/grounds/processes/local-cluster.ts';
