import { h } from '../dom.ts';
import { askForPlan } from '../plan.ts';
import { momentOf } from '../sections/moment.ts';
import { whatIsAt } from './at-second.ts';
import { planOf, refusalOf } from './plan-view.ts';
import type { Lane } from './prepare.ts';
import { restoreCommand } from './restore-command.ts';

export interface Choice {
  readonly site: string;
  readonly configFile: string | null;
  readonly lane: Lane;
  readonly ms: number;
  /** Chooses another second instead. */
  readonly instead: (ms: number) => void;
  /** Somebody has chosen another one. */
  readonly signal: AbortSignal;
}

/** What is known of the chosen second, and the command that restores it; once the daemon has answered, what that would do. */
export function chosenOf({ site, configFile, lane, ms, instead, signal }: Choice): HTMLElement[] {
  const { state, because, isRestorable, before, after } = whatIsAt(lane, ms);
  const head = h(
    'p',
    { class: `at ${state}` },
    momentOf(ms),
    ` on timeline ${lane.timeline}: `,
    h('strong', {}, state === 'nothing' ? 'not known' : state),
  );
  const why = h('p', { class: 'quiet' }, because);
  if (!isRestorable) {
    const nearest = [before, after].filter((at) => at !== undefined).map((at) => nearestButton(at, at < ms, instead));
    return [head, why, ...(nearest.length === 0 ? [] : [h('p', {}, 'The nearest that can be restored: ', ...nearest)])];
  }
  const timeline = lane.isCurrent ? undefined : lane.timeline;
  const command = h(
    'div',
    {},
    h('p', {}, 'To restore it, with every commit up to this second, into an empty directory:'),
    commandBox(restoreCommand({ configFile, site, targetMs: ms, timeline })),
  );
  const plan = h(
    'div',
    { 'aria-label': 'What the restore does', role: 'group' },
    h('p', { class: 'quiet' }, 'Asking what that would do …'),
  );
  void showPlan({ site, ms, timeline, signal }, command, plan).catch(() => {});
  return [head, why, command, plan];
}

/** Rejects where another second has been chosen. */
async function showPlan(
  { site, ms, timeline, signal }: Pick<Choice, 'site' | 'ms' | 'signal'> & { readonly timeline: number | undefined },
  command: HTMLElement,
  place: HTMLElement,
): Promise<void> {
  const answer = await askForPlan(site, ms, timeline, signal);
  signal.throwIfAborted();
  if (answer.is === 'none') place.replaceChildren(h('p', { class: 'quiet' }, `What that would do is not known: ${answer.because}.`));
  else if (answer.is === 'plan') {
    const code = command.querySelector('code');
    if (code !== null) code.textContent = answer.plan.command;
    place.replaceChildren(...planOf(answer.plan));
  } else {
    command.remove();
    place.replaceChildren(...refusalOf(answer.refusal));
  }
}

function nearestButton(at: number, isBefore: boolean, instead: (ms: number) => void): HTMLElement {
  const button = h('button', { type: 'button' }, isBefore ? '← ' : '→ ', momentOf(at));
  button.addEventListener('click', () => instead(at));
  return button;
}

function commandBox(command: string): HTMLElement {
  const text = h('pre', { tabindex: 0, 'aria-label': 'Command' }, h('code', {}, command));
  const button = h('button', { type: 'button' }, 'Copy');
  button.addEventListener('click', () => void copy(text.textContent ?? '', text, button));
  return h('div', { class: 'command' }, text, button);
}

/** The clipboard is there only for pages of this machine and of TLS: elsewhere the text is selected. */
async function copy(command: string, text: HTMLElement, button: HTMLElement): Promise<void> {
  try {
    await navigator.clipboard.writeText(command);
    button.textContent = 'Copied';
  } catch {
    getSelection()?.selectAllChildren(text);
    button.textContent = 'Selected: press Ctrl+C';
  }
}
