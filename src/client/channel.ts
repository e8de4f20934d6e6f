import { isIP } from 'node:net';
import { checkServerIdentity, createSecureContext, type PeerCertificate } from 'node:tls';
import { type ChannelOptions, Client, connectivityState, credentials } from '@grpc/grpc-js';
import type { Address } from './address.ts';
import { whyNotConnected } from './connect-failure.ts';
import { unreachable } from './failures.ts';
import { type ClientSettings, clientBounds } from './options.ts';

const common: ChannelOptions = {
  'grpc.max_receive_message_length': clientBounds.messageBytesMax,
  // A call to one named node waits no longer than this on a connection that is dead and does not say.
  'grpc.keepalive_time_ms': 5_000,
  'grpc.keepalive_timeout_ms': 3_000,
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 1_000,
  // Retrying is ours: it needs the request id and the other nodes.
  'grpc.enable_retries': 0,
  'grpc.enable_http_proxy': 0,
};

/** A channel to one node: TLS 1.3 and nothing older, unless plain text was asked for by name. */
export function openChannel(address: Address, settings: ClientSettings): Client {
  const { host, scheme, target } = address;
  if (scheme === 'http' || (settings.insecurePlaintext && scheme !== 'https'))
    return new Client(target, credentials.createInsecure(), common);
  const context = createSecureContext({
    minVersion: 'TLSv1.3',
    maxVersion: 'TLSv1.3',
    ...(settings.ca === undefined ? {} : { ca: settings.ca }),
  });
  // RFC 6066 3 allows no IP address as a server name: a stand-in is sent, the address is checked.
  const checkIdentity = (_: string, certificate: PeerCertificate) =>
    checkServerIdentity(host, certificate);
  return new Client(
    target,
    credentials.createFromSecureContext(context, { checkServerIdentity: checkIdentity }),
    isIP(host) === 0 ? common : { ...common, 'grpc.ssl_target_name_override': 'localhost' },
  );
}

/**
 * Resolves when the channel is connected, and fails as soon as an attempt has: the caller has other
 * nodes to ask, and gRPC goes on trying by itself.
 *
 * @throws StrongroomError `client.unreachable`
 */
export function channelReady(channel: Client, target: string, waitMs: number): Promise<void> {
  const transport = channel.getChannel();
  const until = Date.now() + waitMs;
  return new Promise((resolve, reject) => {
    const look = (): void => {
      const state = transport.getConnectivityState(true);
      switch (state) {
        case connectivityState.READY:
          resolve();
          return;
        case connectivityState.TRANSIENT_FAILURE:
          void whyNotConnected(channel).then((why) => reject(refused(target, why)));
          return;
        case connectivityState.SHUTDOWN:
          reject(refused(target, 'the client was closed'));
          return;
        case connectivityState.IDLE:
        case connectivityState.CONNECTING:
          transport.watchConnectivityState(state, until, (error) => {
            if (error === undefined) look();
            else reject(noConnection(target, waitMs));
          });
      }
    };
    look();
  });
}

/** Nobody answered at all. */
export function noConnection(target: string, waitMs: number) {
  return refused(target, `no connection within ${Math.round(waitMs)} ms`);
}

function refused(target: string, why: string) {
  return unreachable(`${target}: ${why}`, { isSent: false });
}
