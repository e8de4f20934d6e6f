import {
  type Server,
  type ServerWritableStream,
  type ServiceDefinition,
  status,
} from '@grpc/grpc-js';
import { grpc } from '../../wire/index.ts';

/** Whether this node can serve requests now. */
export interface HealthPort {
  healthy(): boolean;
  /** @returns what ends the listening. */
  onChange(listener: () => void): () => void;
}

const { HealthCheckRequest, HealthCheckResponse } = grpc.health.v1;
const { SERVING, NOT_SERVING, SERVICE_UNKNOWN } = HealthCheckResponse.ServingStatus;
const WATCHES_MAX = 1024;

/** Not the bare name: gRPC takes the empty one, which is the whole node, for no message at all. */
interface Asked {
  readonly service: string;
}

const decodeName = (bytes: Buffer): Asked => HealthCheckRequest.decode(bytes);
const encodeStatus = (value: number) =>
  HealthCheckResponse.encode({ status: value }).finish() as Buffer;
const encodeName = ({ service }: Asked) =>
  HealthCheckRequest.encode({ service }).finish() as Buffer;
const decodeStatus = (bytes: Buffer) => HealthCheckResponse.decode(bytes).status;

const codecs = {
  requestStream: false,
  requestSerialize: encodeName,
  requestDeserialize: decodeName,
  responseSerialize: encodeStatus,
  responseDeserialize: decodeStatus,
};
const definition = {
  Check: { ...codecs, path: '/grpc.health.v1.Health/Check', responseStream: false },
  Watch: { ...codecs, path: '/grpc.health.v1.Health/Watch', responseStream: true },
} satisfies ServiceDefinition;

/** grpc.health.v1, for load balancers. All services of a node are healthy together. */
export class HealthService {
  readonly #port: HealthPort;
  readonly #services: ReadonlySet<string>;
  readonly #watches = new Set<ServerWritableStream<Asked, number>>();
  readonly #unlisten: () => void;
  #stopping = false;

  constructor(port: HealthPort, services: readonly string[]) {
    this.#port = port;
    this.#services = new Set(['', ...services]);
    this.#unlisten = port.onChange(() => this.#tell());
  }

  addTo(server: Server): void {
    server.addService(definition, {
      Check: (
        call: { readonly request: Asked },
        callback: (error: object | null, value?: number) => void,
      ) => {
        if (this.#services.has(call.request.service)) callback(null, this.#status());
        else callback({ code: status.NOT_FOUND, details: 'This node has no such service' });
      },
      Watch: (call: ServerWritableStream<Asked, number>) => this.#watch(call),
    });
  }

  /** From here on the node says that it serves no more, and ends the watches. */
  stop(): void {
    this.#stopping = true;
    this.#tell();
    this.#unlisten();
    for (const call of this.#watches) call.end();
  }

  #watch(call: ServerWritableStream<Asked, number>): void {
    if (this.#watches.size >= WATCHES_MAX) {
      const details = `This node has ${WATCHES_MAX} health watches, as many as it accepts`;
      call.emit('error', { code: status.RESOURCE_EXHAUSTED, details });
      return;
    }
    // The standard wants an unknown service told, not refused: it may come to be.
    call.write(this.#services.has(call.request.service) ? this.#status() : SERVICE_UNKNOWN);
    this.#watches.add(call);
    call.on('cancelled', () => this.#watches.delete(call));
    call.on('close', () => this.#watches.delete(call));
  }

  #tell(): void {
    for (const call of this.#watches)
      if (this.#services.has(call.request.service)) call.write(this.#status());
  }

  #status(): number {
    return this.#port.healthy() && !this.#stopping ? SERVING : NOT_SERVING;
  }
}
