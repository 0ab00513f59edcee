import type { SpanState } from '../../src/daemon/http/api.ts';
import { type Box, layoutMarks, layoutStretches, type MarkGroup, scaleOf } from './layout.ts';
import type { Palette } from './palette.ts';
import type { Lane, Prepared } from './prepare.ts';
import type { Surface } from './surface.ts';
import { ticksOf } from './ticks.ts';
import type { TimeWindow } from './window.ts';

export interface Scene {
  readonly prepared: Prepared;
  readonly window: TimeWindow;
  readonly lane: number;
  readonly cursor: number | undefined;
  readonly palette: Palette;
}

const top = 22;
const laneHeight = 62;
const barTop = 20;
const barHeight = 22;
const tickPixels = 86;

export function heightOf({ lanes }: Prepared): number {
  return top + lanes.length * laneHeight + 4;
}

export function laneAt({ lanes }: Prepared, y: number): number {
  return Math.max(0, Math.min(lanes.length - 1, Math.floor((y - top) / laneHeight)));
}

/** Everything, anew: there is never more of it than fits beside each other. */
export function drawTimeline(surface: Surface, scene: Scene): void {
  drawScale(surface, scene);
  for (const [index, lane] of scene.prepared.lanes.entries()) drawLane(surface, scene, lane, index);
  drawCursor(surface, scene);
}

function drawScale({ context, width, height }: Surface, { window, palette }: Scene): void {
  const scale = scaleOf(window, width);
  let free = 0;
  for (const { at, label, isMain } of ticksOf(window, Math.max(2, width / tickPixels))) {
    const x = Math.round(scale(at)) + 0.5;
    context.strokeStyle = palette.line;
    context.lineWidth = isMain ? 1.5 : 1;
    line(context, x, 16, x, height);
    context.fillStyle = isMain ? palette.ink : palette.quiet;
    const wide = context.measureText(label).width;
    if (x + 4 < free || x + 4 + wide > width) continue;
    context.fillText(label, x + 4, 12);
    free = x + 8 + wide;
  }
}

function drawLane({ context, width }: Surface, { window, palette, prepared, lane: chosen }: Scene, lane: Lane, index: number): void {
  const y = top + index * laneHeight;
  context.fillStyle = index === chosen && prepared.lanes.length > 1 ? palette.ink : palette.quiet;
  context.fillText(nameOf(lane), 2, y + 14);
  for (const box of layoutStretches(lane.stretches, window, width)) drawBox(context, box, y + barTop, palette);
  for (const group of layoutMarks(lane.marks, window, width)) drawMark(context, group, y + barTop + barHeight + 9, palette);
  drawFlags({ context, width }, { window, palette }, lane, y + barTop);
}

/** With its name, where there is room for it. */
function drawFlags(
  { context, width }: Pick<Surface, 'context' | 'width'>,
  { window, palette }: Pick<Scene, 'window' | 'palette'>,
  { flags }: Lane,
  y: number,
): void {
  const scale = scaleOf(window, width);
  let free = 0;
  for (const { at, name, isReachable } of flags) {
    if (at < window.from || at > window.to) continue;
    const x = scale(at);
    drawFlag(context, x, y, isReachable, palette);
    const wide = x < free ? 0 : context.measureText(name).width;
    if (wide === 0 || x + 10 + wide > width) continue;
    context.fillText(name, x + 10, y - 3);
    free = x + 14 + wide;
  }
}

function nameOf({ timeline, parent, isCurrent }: Lane): string {
  return `timeline ${timeline}${parent === undefined ? '' : `, from ${parent}`}${isCurrent ? '' : ', left'}`;
}

/** Each state has a shape of its own; the colour only repeats it. */
function drawBox(context: CanvasRenderingContext2D, { x0, x1, state }: Box, y: number, palette: Palette): void {
  context.fillStyle = palette[state];
  context.strokeStyle = palette[state];
  shapes[state](context, x0, y, x1 - x0);
}

const shapes: Readonly<Record<SpanState, (context: CanvasRenderingContext2D, x: number, y: number, width: number) => void>> = {
  proven: (context, x, y, width) => context.fillRect(x, y, width, barHeight),
  covered: (context, x, y, width) => context.fillRect(x, y + barHeight * 0.36, width, barHeight * 0.64),
  hole: (context, x, y, width) => hatch(context, x, y, width),
  unknown: (context, x, y, width) => {
    context.lineWidth = 1.5;
    context.setLineDash([3, 3]);
    context.strokeRect(x + 1, y + 1, Math.max(1, width - 2), barHeight - 2);
    context.setLineDash([]);
  },
};

function hatch(context: CanvasRenderingContext2D, x: number, y: number, width: number): void {
  context.save();
  context.beginPath();
  context.rect(x, y, width, barHeight);
  context.clip();
  context.lineWidth = width < 8 ? width * 2 : 2;
  context.beginPath();
  for (let at = Math.floor((x - barHeight) / 7) * 7; at < x + width; at += 7) {
    context.moveTo(at, y + barHeight);
    context.lineTo(at + barHeight, y);
  }
  context.stroke();
  context.restore();
  context.lineWidth = 1;
  if (width >= 4) context.strokeRect(x + 0.5, y + 0.5, width - 1, barHeight - 1);
}

/** A filled diamond can be restored, an empty one cannot; a number says how many there are. */
function drawMark(context: CanvasRenderingContext2D, { x, marks, isSound }: MarkGroup, y: number, palette: Palette): void {
  const size = marks.length > 1 ? 5.5 : 4.5;
  context.beginPath();
  context.moveTo(x, y - size);
  context.lineTo(x + size, y);
  context.lineTo(x, y + size);
  context.lineTo(x - size, y);
  context.closePath();
  context.fillStyle = isSound ? palette.ink : palette.ground;
  context.strokeStyle = isSound ? palette.ink : palette.hole;
  context.lineWidth = 1.5;
  context.fill();
  context.stroke();
}

function drawFlag(context: CanvasRenderingContext2D, x: number, y: number, isReachable: boolean, palette: Palette): void {
  context.strokeStyle = isReachable ? palette.ink : palette.hole;
  context.fillStyle = context.strokeStyle;
  context.lineWidth = 1.5;
  line(context, x, y - 7, x, y + barHeight);
  context.fillRect(x, y - 7, 7, 5);
}

function drawCursor({ context, width, height }: Surface, { cursor, window, palette, lane }: Scene): void {
  if (cursor === undefined || cursor < window.from || cursor > window.to) return;
  const x = scaleOf(window, width)(cursor);
  context.strokeStyle = palette.focus;
  context.fillStyle = palette.focus;
  context.lineWidth = 2;
  line(context, x, 16, x, height);
  const y = top + lane * laneHeight + barTop + barHeight / 2;
  context.beginPath();
  context.arc(x, y, 5, 0, 2 * Math.PI);
  context.fill();
}

function line(context: CanvasRenderingContext2D, x0: number, y0: number, x1: number, y1: number): void {
  context.beginPath();
  context.moveTo(x0, y0);
  context.lineTo(x1, y1);
  context.stroke();
}
