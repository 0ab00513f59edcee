import type { SpanState } from '../../src/daemon/http/api.ts';

export type Palette = Readonly<Record<SpanState | 'ink' | 'quiet' | 'line' | 'ground' | 'focus', string>>;

/** The colours of the style sheet, as they are now: the viewer may go over to the dark at any time. */
export function readPalette(): Palette {
  const style = getComputedStyle(document.documentElement);
  const colour = (name: string) => style.getPropertyValue(`--${name}`).trim();
  return {
    proven: colour('proven'),
    covered: colour('covered'),
    hole: colour('hole'),
    unknown: colour('unknown'),
    ink: colour('ink'),
    quiet: colour('quiet'),
    line: colour('line'),
    ground: colour('ground'),
    focus: colour('focus'),
  };
}
