export { ForwardClient, type ForwardClientOptions } from './forwarding/forward-client.ts';
export { ForwardServer, type ForwardServerOptions } from './forwarding/forward-server.ts';
export { SharedRound } from './shared-round.ts';
