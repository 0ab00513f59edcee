import { AreaChart } from '../charts/area-chart.ts';
import { lagBytes, lagSeconds, storedPerSecond } from '../charts/series.ts';
import { h } from '../dom.ts';
import { formatBytes, formatDuration } from '../format.ts';
import type { Reading } from '../state.ts';

const spanMs = 30 * 60_000;
const spanMsMin = 2 * 60_000;

/** How WAL went since the page is open, half an hour at most. */
export class ChartsSection {
  readonly #lagBytes = new AreaChart('WAL lag, bytes', formatBytes);
  readonly #lagSeconds = new AreaChart('WAL lag, time', formatDuration);
  readonly #wal = new AreaChart('WAL stored', (value) => `${formatBytes(value)}/s`);
  readonly #basebackups = new AreaChart('Base backups stored', (value) => `${formatBytes(value)}/s`);
  readonly element = h(
    'section',
    { 'aria-label': 'Lag and throughput' },
    h('h2', {}, 'Since this page is open'),
    h('div', { class: 'charts' }, this.#lagBytes.element, this.#lagSeconds.element, this.#wal.element, this.#basebackups.element),
  );

  show(readings: readonly Reading[], nowMs: number): void {
    const age = nowMs - (readings[0]?.atMs ?? nowMs);
    const span = Math.min(spanMs, Math.max(spanMsMin, age));
    this.#lagBytes.show(lagBytes(readings), nowMs, span);
    this.#lagSeconds.show(lagSeconds(readings), nowMs, span);
    this.#wal.show(
      storedPerSecond(readings, ({ walBytes }) => walBytes),
      nowMs,
      span,
    );
    this.#basebackups.show(
      storedPerSecond(readings, ({ basebackupBytes }) => basebackupBytes),
      nowMs,
      span,
    );
  }
}
