import type { HealthDocument } from '../../src/daemon/http/api.ts';
import { h } from '../dom.ts';

export type VerdictWord = HealthDocument['verdict']['is'];

/** A shape and a word for each: the colour only repeats them. */
const marks: Readonly<Record<VerdictWord, readonly [shape: string, words: string]>> = {
  ok: ['●', 'all is well'],
  attention: ['▲', 'needs attention'],
  failure: ['■', 'failure'],
  unknown: ['?', 'not known'],
  inactive: ['○', 'not active'],
};

export function verdictMark(verdict: VerdictWord): HTMLElement {
  const [shape, words] = marks[verdict];
  return h('span', { class: `verdict ${verdict}` }, h('span', { 'aria-hidden': 'true' }, shape), ` ${words}`);
}
