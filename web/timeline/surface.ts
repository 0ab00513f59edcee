/** A canvas as wide as its place, and as sharp as the screen. */
export interface Surface {
  readonly context: CanvasRenderingContext2D;
  /** In pixels of the style sheet. */
  readonly width: number;
  readonly height: number;
}

/** Empty, with a pixel of the style sheet as its unit. Undefined while it is not shown. */
export function beginDrawing(canvas: HTMLCanvasElement, height: number): Surface | undefined {
  const context = canvas.getContext('2d');
  const width = canvas.clientWidth;
  if (context === null || width === 0) return undefined;
  const ratio = window.devicePixelRatio || 1;
  const [wide, high] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== wide || canvas.height !== high) {
    canvas.width = wide;
    canvas.height = high;
    canvas.style.height = `${height}px`;
  }
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  context.font = '12px ui-sans-serif, system-ui, "Segoe UI", "DejaVu Sans", sans-serif';
  context.textBaseline = 'alphabetic';
  return { context, width, height };
}
