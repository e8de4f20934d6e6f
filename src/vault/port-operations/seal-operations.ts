import { defineOperation, type Operation } from '../define-operation.ts';
import type { SealPort } from '../ports.ts';
import * as messages from './seal-messages.ts';

const always = () => true;

/** `seal.*`: the vault authorises and audits, the seal decides. */
export function sealOperations(seal: SealPort): readonly Operation[] {
  return [...openOperations(seal), ...slotOperations(seal), ...rotateOperations(seal)];
}

/** What must work while sealed, without a token. */
function openOperations(seal: SealPort): readonly Operation[] {
  return [
    defineOperation({
      name: 'seal.status',
      summary: 'How this node is sealed, and what would unseal it',
      pathTemplate: 'sys/seal-status',
      capability: 'read',
      access: 'anonymous',
      request: messages.sealStatusRequest,
      response: messages.sealStatusResponse,
      run: { kind: 'port', at: 'here', handle: (context) => seal.status(context) },
    }),
    defineOperation({
      name: 'seal.init',
      summary: "Makes the root key and the first token; once in a cluster's life",
      pathTemplate: 'sys/init',
      capability: 'update',
      access: 'anonymous',
      request: messages.sealInitRequest,
      response: messages.sealInitResponse,
      run: {
        kind: 'port',
        at: 'leader',
        handle: (context, request) => seal.init(context, request),
      },
    }),
    defineOperation({
      name: 'seal.unseal',
      summary: 'Gives one share to this node',
      pathTemplate: 'sys/unseal',
      capability: 'update',
      access: 'anonymous',
      request: messages.sealUnsealRequest,
      response: messages.sealStatusResponse,
      run: {
        kind: 'port',
        at: 'here',
        handle: (context, request) => seal.unseal(context, request),
      },
    }),
  ];
}

function slotOperations(seal: SealPort): readonly Operation[] {
  return [
    defineOperation({
      name: 'seal.seal',
      summary: 'Seals every node until unsealed by hand',
      pathTemplate: 'sys/seal',
      capability: 'update',
      needsSudo: always,
      rootNamespaceOnly: true,
      request: messages.sealSealRequest,
      response: messages.sealStatusResponse,
      run: { kind: 'port', at: 'leader', handle: (context) => seal.seal(context) },
    }),
    defineOperation({
      name: 'seal.addSlot',
      summary: 'Adds a way to unseal',
      pathTemplate: 'sys/seal/slots/{name}',
      capability: 'update',
      needsSudo: always,
      rootNamespaceOnly: true,
      request: messages.sealAddSlotRequest,
      response: messages.sealAddSlotResponse,
      run: {
        kind: 'port',
        at: 'leader',
        handle: (context, request) => seal.addSlot(context, request),
      },
    }),
    defineOperation({
      name: 'seal.removeSlot',
      summary: 'Removes a way to unseal',
      pathTemplate: 'sys/seal/slots/{name}',
      capability: 'delete',
      needsSudo: always,
      rootNamespaceOnly: true,
      request: messages.sealRemoveSlotRequest,
      response: messages.sealChangeResponse,
      run: {
        kind: 'port',
        at: 'leader',
        handle: (context, request) => seal.removeSlot(context, request),
      },
    }),
    defineOperation({
      name: 'seal.forgetRejectedPins',
      summary: 'Lets PINs that its HSM refused be presented again',
      pathTemplate: 'sys/seal/rejected-pins/{slot}',
      capability: 'delete',
      needsSudo: always,
      rootNamespaceOnly: true,
      request: messages.sealForgetRejectedPinsRequest,
      response: messages.sealChangeResponse,
      run: {
        kind: 'port',
        at: 'leader',
        handle: (context, request) => seal.forgetRejectedPins(context, request),
      },
    }),
  ];
}

function rotateOperations(seal: SealPort): readonly Operation[] {
  return [
    defineOperation({
      name: 'seal.rotateKeyring',
      summary: 'Adds a keyring epoch; old values are rewrapped in the background',
      pathTemplate: 'sys/rotate/keyring',
      capability: 'update',
      needsSudo: always,
      rootNamespaceOnly: true,
      request: messages.sealRotateRequest,
      response: messages.sealRotateResponse,
      run: { kind: 'port', at: 'leader', handle: (context) => seal.rotateKeyring(context) },
    }),
    defineOperation({
      name: 'seal.rotateRoot',
      summary: 'Makes a new root key, wrapped again for every slot',
      pathTemplate: 'sys/rotate/root',
      capability: 'update',
      needsSudo: always,
      rootNamespaceOnly: true,
      request: messages.sealRotateRootRequest,
      response: messages.sealRotateResponse,
      run: {
        kind: 'port',
        at: 'leader',
        handle: (context, request) => seal.rotateRoot(context, request),
      },
    }),
    defineOperation({
      name: 'seal.rotateKek',
      summary: "Makes a new key in one slot's HSM",
      pathTemplate: 'sys/rotate/kek/{slot}',
      capability: 'update',
      needsSudo: always,
      rootNamespaceOnly: true,
      request: messages.sealRotateKekRequest,
      response: messages.sealRotateResponse,
      run: {
        kind: 'port',
        at: 'leader',
        handle: (context, request) => seal.rotateKek(context, request),
      },
    }),
  ];
}
