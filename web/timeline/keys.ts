/** What keys do. */
export interface KeyDeeds {
  step(pixels: number): void;
  stepSecond(direction: 1 | -1): void;
  stepLane(direction: 1 | -1): void;
  stepBackup(direction: 1 | -1): void;
  moveToEnd(which: 'first' | 'last'): void;
  zoom(factor: number): void;
  showAll(): void;
  choose(): void;
}

type Deed = (timeline: KeyDeeds, isLarge: boolean) => void;

/** Shift makes steps larger. */
const deeds: Readonly<Record<string, Deed>> = {
  ArrowLeft: (timeline, isLarge) => timeline.step(isLarge ? -40 : -4),
  ArrowRight: (timeline, isLarge) => timeline.step(isLarge ? 40 : 4),
  ',': (timeline) => timeline.stepSecond(-1),
  '.': (timeline) => timeline.stepSecond(1),
  ArrowUp: (timeline) => timeline.stepLane(-1),
  ArrowDown: (timeline) => timeline.stepLane(1),
  PageUp: (timeline) => timeline.stepBackup(-1),
  PageDown: (timeline) => timeline.stepBackup(1),
  Home: (timeline) => timeline.moveToEnd('first'),
  End: (timeline) => timeline.moveToEnd('last'),
  '+': (timeline) => timeline.zoom(0.5),
  '=': (timeline) => timeline.zoom(0.5),
  '-': (timeline) => timeline.zoom(2),
  '0': (timeline) => timeline.showAll(),
  Enter: (timeline) => timeline.choose(),
  ' ': (timeline) => timeline.choose(),
};

export function listenToKeys(element: HTMLElement, timeline: KeyDeeds): void {
  element.addEventListener('keydown', (event) => {
    const deed = event.ctrlKey || event.metaKey || event.altKey ? undefined : deeds[event.key];
    if (deed === undefined) return;
    event.preventDefault();
    deed(timeline, event.shiftKey);
  });
}
