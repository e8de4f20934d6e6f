import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hasCode } from '../../../../src/lib/index.ts';
import type { Message } from '../../../../src/raft/core/index.ts';
import {
  decodeMessages,
  encodeMessages,
  messageBytesMax,
} from '../../../../src/raft/driver/transport/codec.ts';

const number = fc.oneof(fc.nat(300), fc.maxSafeNat());
const addressed = { from: number, to: number, term: number };
const data = fc.uint8Array({ maxLength: 400 });
const entry = fc.record({
  term: number,
  index: number,
  kind: fc.constantFrom('command', 'empty', 'membership'),
  data,
});
const ids = fc.array(number, { maxLength: 6 });
const meta = fc.record({
  index: number,
  term: number,
  membership: fc.record({ voters: ids, learners: ids, removed: ids }),
});
const of = (kind: string, fields: Record<string, fc.Arbitrary<unknown>>) =>
  fc.record({ kind: fc.constant(kind), ...addressed, ...fields });
const flag = fc.boolean();
const commitPoint = { commit: number, commitTerm: number };
const anyMessage = fc.oneof(
  of('append', { prevIndex: number, prevTerm: number, commit: number, entries: fc.array(entry) }),
  of('append-response', { index: number, reject: flag, hintIndex: number, hintTerm: number }),
  of('heartbeat', { commit: number, context: number }),
  of('heartbeat-response', { context: number }),
  of('heartbeat-response', { context: number, recovering: fc.constant(true) }),
  of('heartbeat-response', { context: number, promiseMs: number }),
  of('heartbeat-response', { context: number, recovering: fc.constant(true), promiseMs: number }),
  of('pre-vote', { lastIndex: number, lastTerm: number, transfer: flag, ...commitPoint }),
  of('vote', { lastIndex: number, lastTerm: number, transfer: flag, ...commitPoint }),
  of('pre-vote-response', { reject: flag, ...commitPoint }),
  of('vote-response', { reject: flag, ...commitPoint }),
  of('snapshot', { meta }),
  of('timeout-now', {}),
  of('transfer-leader', { target: number }),
  of('read-index', { context: number }),
  of('read-index-response', { context: number, index: number }),
  of('removed', {}),
) as unknown as fc.Arbitrary<Message>;

describe('the codec of messages between nodes', () => {
  it('gives back every batch of messages as it was', () => {
    fc.assert(
      fc.property(fc.array(anyMessage, { maxLength: 8 }), (messages) => {
        expect(decodeMessages(encodeMessages(messages))).toEqual(messages);
      }),
    );
  });

  it('never takes more bytes than it says', () => {
    fc.assert(
      fc.property(anyMessage, (message) => {
        expect(encodeMessages([message]).length).toBeLessThanOrEqual(messageBytesMax(message));
      }),
    );
  });

  it('refuses every truncation of a message', () => {
    fc.assert(
      fc.property(anyMessage, fc.nat(), (message, cut) => {
        const bytes = encodeMessages([message]);
        const shorter = bytes.subarray(0, 1 + (cut % (bytes.length - 1)));
        expect(() => decodeMessages(shorter)).toThrow(
          expect.objectContaining({ code: 'request.invalid' }),
        );
      }),
    );
  });

  it('reads arbitrary bytes as nothing else than what encodes to them, or refuses them', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        let messages: readonly Message[];
        try {
          messages = decodeMessages(bytes);
        } catch (error) {
          if (!hasCode(error, 'request.invalid')) throw error;
          return;
        }
        expect(Buffer.from(encodeMessages(messages))).toEqual(Buffer.from(bytes));
      }),
      { numRuns: 2000 },
    );
  });
});
