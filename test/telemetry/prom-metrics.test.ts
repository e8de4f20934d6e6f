import { describe, expect, it } from 'vitest';
import { promMetrics } from '../../src/telemetry/index.ts';

describe('promMetrics', () => {
  it('counts by label and shows it in the exposition text', async () => {
    const metrics = promMetrics();
    const counter = metrics.counter({
      name: 'strongroom_a_calls_total',
      help: 'Calls',
      labels: ['operation'],
    });
    counter.add(1, { operation: 'kv.put' });
    counter.add(2, { operation: 'kv.put' });
    counter.add(undefined, { operation: 'kv.get' });
    const text = await metrics.text();
    expect(text).toContain('strongroom_a_calls_total{operation="kv.put"} 3');
    expect(text).toContain('strongroom_a_calls_total{operation="kv.get"} 1');
  });

  it('refuses to let a counter fall, and leaves it as it was', async () => {
    const metrics = promMetrics();
    const counter = metrics.counter({ name: 'strongroom_a_calls_total', help: 'Calls' });
    counter.add(2);
    for (const wrong of [-1, Number.NaN]) expect(() => counter.add(wrong)).toThrow(RangeError);
    expect(await metrics.text()).toContain('strongroom_a_calls_total 2');
  });

  it('gives the same instrument for the same name, and refuses another shape', async () => {
    const metrics = promMetrics();
    const options = { name: 'strongroom_a_term', help: 'Term' };
    expect(metrics.gauge(options)).toBe(metrics.gauge(options));
    metrics.gauge(options).set(7);
    expect(await metrics.text()).toContain('strongroom_a_term 7');
    expect(() => metrics.counter(options)).toThrow(/strongroom_a_term/);
  });

  it('sorts observations into buckets', async () => {
    const metrics = promMetrics();
    const histogram = metrics.histogram({
      name: 'strongroom_a_seconds',
      help: 'Time',
      buckets: [0.1, 1],
    });
    histogram.observe(0.05);
    histogram.observe(0.5);
    const text = await metrics.text();
    expect(text).toContain('strongroom_a_seconds_bucket{le="0.1"} 1');
    expect(text).toContain('strongroom_a_seconds_bucket{le="1"} 2');
    expect(text).toContain('strongroom_a_seconds_count 2');
  });

  it('measures the delay of the event loop', async () => {
    expect(await promMetrics().text()).toMatch(/nodejs_eventloop_lag_p99_seconds \d/);
  });

  it('keeps two nodes of one process apart', async () => {
    const [a, b] = [promMetrics(), promMetrics()];
    a.counter({ name: 'strongroom_a_total', help: 'A' }).add();
    expect(await b.text()).not.toContain('strongroom_a_total');
  });

  it('bounds the number of label sets of one metric', async () => {
    const metrics = promMetrics();
    const gauge = metrics.gauge({ name: 'strongroom_a_size', help: 'Size', labels: ['id'] });
    for (let i = 0; i < 5000; i++) gauge.set(i, { id: `${i}` });
    const lines = (await metrics.text())
      .split('\n')
      .filter((line) => line.startsWith('strongroom_a_size{'));
    expect(lines).toHaveLength(2000);
  });
});
