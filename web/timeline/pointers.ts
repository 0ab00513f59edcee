export interface PointerDeeds {
  /** `share`: where, from 0 at the left to 1 at the right. */
  readonly zoom: (factor: number, share: number) => void;
  /** Everything is seen: there is nothing further out. */
  readonly isWhole: () => boolean;
  /** By a share of what is seen. */
  readonly pan: (share: number) => void;
  /** `y`: pixels from the top. */
  readonly choose: (share: number, y: number) => void;
}

const clickPixels = 5;
const wheelPixelsPerDoubling = 240;
const linePixels = 30;

/** Wheel and pinch look closer, dragging moves, a click chooses. */
export function listenToPointers(element: HTMLElement, deeds: PointerDeeds): void {
  const down = new Map<number, PointerEvent>();
  let begun: PointerEvent | undefined;
  let hasMoved = false;
  const width = () => Math.max(1, element.clientWidth);
  const shareOf = (x: number) => (x - element.getBoundingClientRect().left) / width();

  element.addEventListener(
    'wheel',
    (event) => {
      if (event.deltaY > 0 && deeds.isWhole()) return; // the page scrolls
      event.preventDefault();
      const unit = event.deltaMode === WheelEvent.DOM_DELTA_PIXEL ? 1 : linePixels;
      if (Math.abs(event.deltaX) > Math.abs(event.deltaY)) return deeds.pan((event.deltaX * unit) / width());
      const strength = event.ctrlKey ? 4 : 1; // a pinch on a touchpad comes as a wheel in small steps
      deeds.zoom(2 ** ((event.deltaY * unit * strength) / wheelPixelsPerDoubling), shareOf(event.clientX));
    },
    { passive: false },
  );
  element.addEventListener('pointerdown', (event) => {
    element.setPointerCapture(event.pointerId);
    down.set(event.pointerId, event);
    hasMoved = down.size > 1;
    begun = event;
  });
  element.addEventListener('pointermove', (event) => {
    const before = down.get(event.pointerId);
    if (before === undefined) return;
    const other = [...down.values()].find(({ pointerId }) => pointerId !== event.pointerId);
    if (other !== undefined) pinch(before, event, other);
    else drag(before, event);
  });
  const up = (event: PointerEvent) => {
    const isClick = down.delete(event.pointerId) && down.size === 0 && !hasMoved && event.type === 'pointerup';
    if (isClick) deeds.choose(shareOf(event.clientX), event.clientY - element.getBoundingClientRect().top);
  };
  element.addEventListener('pointerup', up);
  element.addEventListener('pointercancel', up);

  function drag(before: PointerEvent, event: PointerEvent): void {
    if (begun !== undefined && Math.abs(event.clientX - begun.clientX) < clickPixels && !hasMoved) return;
    hasMoved = true;
    deeds.pan((before.clientX - event.clientX) / width());
    down.set(event.pointerId, event);
  }

  function pinch(before: PointerEvent, event: PointerEvent, other: PointerEvent): void {
    const distance = (pointer: PointerEvent) => Math.max(10, Math.abs(pointer.clientX - other.clientX));
    deeds.zoom(distance(before) / distance(event), shareOf((event.clientX + other.clientX) / 2));
    down.set(event.pointerId, event);
  }
}
