/**
 * Everything that a fault may ask of a ground, and what it is. A ground lists those that it can do;
 * a scenario with a fault that needs another is refused before anything is touched.
 */
export const capabilities = {
  'process.kill': 'end a node at once, and start it again on the same data',
  'process.pause': 'stop a node where it stands, and let it go on',
  'process.power': 'cut the power of a node: what was not synced is lost, or torn',
  'process.stop': 'ask a node to end, and wait until it has',
  'process.build': 'start a node from another build of the program',
  'network.cut': 'keep all bytes of one direction of a link from arriving',
  'network.delay': 'hold what goes over a link',
  'network.loss': 'lose a share of what goes over a link, as its ends see it',
  'network.bandwidth': 'bound the bytes a second of a link',
  'network.duplicate': 'deliver packets twice',
  'network.reorder': 'deliver packets in another order',
  'network.corrupt': 'flip bits of packets',
  'clock.offset': "move and skew a node's clock",
  'disk.full': 'leave a node no space on its disk',
  'disk.sync': "fail or slow a node's fsync",
  'disk.bytes': 'change, cut off, roll back or replace the files of a stopped node',
  'hsm.link': 'cut and slow the way to the HSM',
  'hsm.token': 'remove the token, end its sessions, change its PIN',
  'log.short': 'keep so little of the log that who falls behind gets a snapshot',
  'audit.sink': 'fill or hang the sink of the audit log',
  'membership.change': 'add and remove nodes',
  'membership.roles': 'make voters learners and voters again',
  'cluster.admin': 'call administrative operations of the API',
  'cluster.seal': 'seal, unseal and rotate keys through the API',
  'cluster.snapshot': 'save snapshots through the API',
  'cluster.load': 'load the API beside the workloads',
} as const;

export type Capability = keyof typeof capabilities;
