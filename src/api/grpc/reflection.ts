import type { Server } from '@grpc/grpc-js';
import { ReflectionService } from '@grpc/reflection';
import { publicFileDescriptors } from '../../wire/index.ts';

/** Server reflection (v1 and v1alpha): tools such as grpcurl need no proto files. */
export function addReflection(server: Server, services: readonly string[]): void {
  // The library looks at nothing but the descriptors of what it takes for a message type.
  const files = { type: {}, format: '', fileDescriptorProtos: [...publicFileDescriptors()] };
  new ReflectionService({ files: files as never }, { services: [...services] }).addToServer(server);
}
