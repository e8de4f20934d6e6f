import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, expect, test } from 'vitest';
import { connect as connectClient } from '../../src/client/index.ts';
import { splitAddress } from '../../src/lib/index.ts';
import { LosingWay } from '../harness/losing-way.ts';
import { ApiFixture } from './fixture.ts';

describe('an API server that stops', () => {
  // What serves the port afterwards would never hear from a client that is kept so.
  test('keeps no connection that has not ended its TLS handshake yet', async () => {
    const fixture = await ApiFixture.start();
    const client = connect(splitAddress(fixture.address));
    await once(client, 'connect');
    client.on('error', () => {});
    const closed = once(client, 'close');
    await fixture.server.stop(1_000);
    await closed;
    expect(client.destroyed).toBe(true);
  });

  // It would wait for ever, and the node with it: no client is served, and nobody starts it again.
  test('ends at the end of its grace, also when a connection is lost at that moment', async () => {
    const fixture = await ApiFixture.start();
    using way = await LosingWay.to(fixture.address);
    const { ca } = fixture.identity;
    await using client = await connectClient({ addresses: [way.address], ca, token: 't' });
    await client.call('kv.put', { path: 'x', data: new Uint8Array() });
    way.cut();
    await expect(fixture.server.stop(0)).resolves.toBeUndefined();
  });
});
