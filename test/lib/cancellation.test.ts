import { expect, test, vi } from 'vitest';
import { asAbortSignal, CancelSource, LinkedCancel, withTimeout } from '../../src/lib/index.ts';

test('a cancellation tells each listener once, with the first reason', () => {
  const source = new CancelSource();
  const heard: string[] = [];
  source.addEventListener('abort', () => heard.push('a'));
  const removed = () => heard.push('removed');
  source.addEventListener('abort', removed);
  source.addEventListener('abort', () => heard.push('b'));
  source.removeEventListener('abort', removed);
  source.abort('first');
  source.abort('second');
  expect(heard).toEqual(['a', 'b']);
  expect(source.aborted).toBe(true);
  expect(source.reason).toBe('first');
  expect(() => source.throwIfAborted()).toThrow('first');
});

test('a listener that removes another one while it is told changes nothing for the rest', () => {
  const source = new CancelSource();
  const heard: string[] = [];
  const second = () => heard.push('second');
  source.addEventListener('abort', () => source.removeEventListener('abort', second));
  source.addEventListener('abort', second);
  source.addEventListener('abort', () => heard.push('third'));
  source.abort('over');
  expect(heard).toContain('third');
});

test('a linked cancellation fires with its parent, and lets go of it when disposed', () => {
  const parent = new CancelSource();
  const child = new LinkedCancel(parent);
  const other = new LinkedCancel(parent);
  other[Symbol.dispose]();
  parent.abort('gone');
  expect(child.reason).toBe('gone');
  expect(other.aborted).toBe(false);
  expect(new LinkedCancel(parent).reason).toBe('gone');
});

test('its own end does not cancel the parent', () => {
  const parent = new AbortController();
  using child = new LinkedCancel(parent.signal);
  child.abort('mine');
  expect(parent.signal.aborted).toBe(false);
});

test('a time limit fires when its time is over, and not once it is disposed', () => {
  vi.useFakeTimers();
  try {
    const limit = withTimeout(new CancelSource(), 50);
    const kept = withTimeout(new CancelSource(), 50);
    kept[Symbol.dispose]();
    vi.advanceTimersByTime(49);
    expect(limit.aborted).toBe(false);
    vi.advanceTimersByTime(1);
    expect(limit.aborted).toBe(true);
    expect(limit.reason).toMatchObject({ name: 'TimeoutError' });
    expect(kept.aborted).toBe(false);
  } finally {
    vi.useRealTimers();
  }
});

test('a platform signal made of a cancellation fires with it, before or after', () => {
  const source = new CancelSource();
  const before = asAbortSignal(source);
  source.abort(new Error('over'));
  expect(before.reason).toMatchObject({ message: 'over' });
  expect(asAbortSignal(source).aborted).toBe(true);
  const { signal } = new AbortController();
  expect(asAbortSignal(signal)).toBe(signal);
});
