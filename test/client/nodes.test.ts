import { expect, test } from 'vitest';
import { Nodes } from '../../src/client/nodes.ts';
import { settingsFrom } from '../../src/client/options.ts';
import type { messages } from '../../src/wire/index.ts';

const member = (port: number, role: string, term: number) =>
  ({ apiAddress: `127.0.0.1:${port}`, region: 'local', role, term }) as messages.ClusterMember;

const asked = (nodes: Nodes) => nodes.inOrder(false).map((node) => node.target);

test('of two that call themselves leader the one of the newer term is asked first', () => {
  const addresses = ['127.0.0.1:1', '127.0.0.1:2', '127.0.0.1:3'];
  const nodes = new Nodes(addresses, settingsFrom({ addresses }));
  const cutOff = member(1, 'leader', 4);
  const elected = member(2, 'leader', 5);
  nodes.learn([elected, member(3, 'follower', 5), cutOff]);
  expect(asked(nodes)[0]).toBe('127.0.0.1:2');
  nodes.learn([cutOff, member(3, 'follower', 5), elected]);
  expect(asked(nodes)[0]).toBe('127.0.0.1:2');
  nodes.close();
});
