import { once } from 'node:events';
import { connect } from 'node:http2';
import { expect, test } from 'vitest';
import { ApiFixture } from './fixture.ts';

test('a client far away may have megabytes on their way to a node', async () => {
  await using api = await ApiFixture.start();
  const session = connect(`https://${api.address}`, { ca: api.identity.ca });
  try {
    await once(session, 'remoteSettings');
    // Frames come in order: the answer to a ping follows all that the server said before it.
    await new Promise<void>((resolve, reject) => {
      session.ping((error) => (error ? reject(error) : resolve()));
    });
    expect(session.remoteSettings.initialWindowSize).toBeGreaterThanOrEqual(4 * 1024 * 1024);
    expect(session.state.remoteWindowSize).toBeGreaterThanOrEqual(4 * 1024 * 1024);
  } finally {
    session.destroy();
  }
});
