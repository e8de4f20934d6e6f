import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, expect, test } from 'vitest';
import { splitAddress } from '../../src/lib/index.ts';
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
});
