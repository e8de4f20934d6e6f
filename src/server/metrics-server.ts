import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { addressUnavailable, splitAddress } from '../lib/index.ts';

export interface MetricsServer extends AsyncDisposable {
  readonly address: string;
}

/**
 * Serves `GET /metrics` in Prometheus' text format, and for whatever supervises the process
 * `GET /livez` (it runs), `/readyz` (it has started, sealed or not) and `/healthz` (it serves clients,
 * as the gRPC health service says). Plain HTTP: bind it to an address that only the monitoring reaches.
 */
export async function startMetricsServer(options: {
  readonly listen: string;
  readonly text: () => Promise<string>;
  readonly contentType: string;
  readonly ready: () => boolean;
  readonly healthy: () => boolean;
}): Promise<MetricsServer> {
  const server = createServer((request, response) => {
    const end = (status: number, type: string, body: string) => {
      response.writeHead(status, { 'content-type': type });
      response.end(body);
    };
    if (request.method !== 'GET') return end(405, 'text/plain', 'Only GET is served here\n');
    switch (request.url) {
      case '/metrics':
        options.text().then(
          (text) => end(200, options.contentType, text),
          () => end(500, 'text/plain', 'Could not collect the metrics\n'),
        );
        return;
      case '/livez':
        return end(200, 'text/plain', 'alive\n');
      case '/readyz':
        return options.ready()
          ? end(200, 'text/plain', 'ready\n')
          : end(503, 'text/plain', 'not ready\n');
      case '/healthz':
        return options.healthy()
          ? end(200, 'text/plain', 'healthy\n')
          : end(503, 'text/plain', 'not healthy\n');
      default:
        return end(
          404,
          'text/plain',
          'Only /metrics, /livez, /readyz and /healthz are served here\n',
        );
    }
  });
  server.maxConnections = 100;
  server.requestTimeout = 10_000;
  const { host, port } = splitAddress(options.listen);
  await new Promise<void>((resolve, reject) => {
    server.on('error', (error) => {
      reject(addressUnavailable(options.listen, 'requests for metrics', error));
    });
    server.listen(port, host, resolve);
  });
  const bound = server.address() as AddressInfo;
  return {
    address: `${host}:${bound.port}`,
    async [Symbol.asyncDispose]() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}
