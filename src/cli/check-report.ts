import { styleText } from 'node:util';
import type { CheckResult, Finding, Section, SubjectName } from '../daemon/check/finding.ts';
import type { CheckOutcome } from './check-outcome.ts';
import { wrapText } from './wrap-text.ts';

/** Where a report goes: a terminal gets signs and colours, everything else plain words, each finding on one line. */
export interface ReportOutput {
  write(text: string): unknown;
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
}

export interface ReportTitle {
  readonly version: string;
  readonly file: string;
}

interface Marks {
  readonly mark: Readonly<Record<CheckResult, string>>;
  /** Columns that a mark takes. */
  readonly width: number;
  readonly remedy: Readonly<Record<CheckResult, string>>;
}

const subjectNames: Readonly<Record<SubjectName, string>> = {
  configuration: 'configuration',
  postgres: 'PostgreSQL',
  store: 'store',
  backups: 'backups and WAL',
  keys: 'encryption keys',
  disk: 'disks',
  directories: 'directories',
  daemon: 'daemon',
  systemd: 'systemd',
};

const plain: Marks = {
  mark: { ok: 'ok     ', note: 'note   ', warning: 'WARNING', failure: 'FAILURE' },
  width: 7,
  remedy: { ok: '', note: 'hint: ', warning: 'fix: ', failure: 'fix: ' },
};
const signs: Marks = {
  mark: { ok: '✓', note: '·', warning: '!', failure: '✗' },
  width: 1,
  remedy: { ok: '', note: '→ ', warning: '→ ', failure: '→ ' },
};
const colours: Readonly<Record<CheckResult, 'green' | 'gray' | 'yellow' | 'red'>> = {
  ok: 'green',
  note: 'gray',
  warning: 'yellow',
  failure: 'red',
};
const labelWidth = 19;
const columnsMax = 120;
const columnsMin = 60;

/** Writes what was found for a person, as it is found. */
export class CheckReport {
  readonly #output: ReportOutput;
  readonly #marks: Marks;
  readonly #colours: boolean;

  constructor(output: ReportOutput, { version, file }: ReportTitle, env: NodeJS.ProcessEnv = process.env) {
    this.#output = output;
    const isTerminal = output.isTTY === true;
    this.#colours = isTerminal && (env['NO_COLOR'] ?? '') === '';
    this.#marks = isTerminal ? signs : plain;
    this.#line(`pghoard ${version} looks at ${file}`);
  }

  add(section: Section): void {
    this.#line('');
    this.#line(this.#bold(titleOf(section)));
    for (const finding of section.findings) this.#addFinding(finding);
  }

  end(outcome: CheckOutcome): void {
    this.#line('');
    this.#line(inOneLine(outcome));
  }

  #addFinding({ id, about, result, because, remedy }: Finding): void {
    const { mark, width } = this.#marks;
    const arrow = this.#marks.remedy[result];
    const text = about === undefined ? because : `${about}: ${because}`;
    const before = 2 + width + (width > 1 ? 2 : 1) + labelWidth + 1;
    const lines = this.#wrapped(text, before);
    const label = id.replaceAll('-', ' ').padEnd(labelWidth);
    this.#line(`  ${this.#coloured(result, mark[result])}${width > 1 ? '  ' : ' '}${label} ${lines.join(`\n${' '.repeat(before)}`)}`);
    for (const [index, line] of remedy.entries()) {
      this.#line(`${' '.repeat(before)}${this.#dimmed(result, `${index === 0 ? arrow : ' '.repeat(arrow.length)}${line}`)}`);
    }
  }

  /** For a terminal only: elsewhere one line is one finding. */
  #wrapped(text: string, indent: number): string[] {
    const columns = this.#output.columns ?? 0;
    const room = Math.min(columns, columnsMax) - indent;
    if (this.#output.isTTY !== true || columns < columnsMin) return [text.replaceAll(/\s*\n\s*/g, ' ')];
    return wrapText(text, room);
  }

  #coloured(result: CheckResult, text: string): string {
    return this.#colours ? styleText(colours[result], text, { validateStream: false }) : text;
  }

  /** What need not be done stays in the background. */
  #dimmed(result: CheckResult, text: string): string {
    return result === 'note' ? this.#coloured(result, text) : text;
  }

  #bold(text: string): string {
    return this.#colours ? styleText('bold', text, { validateStream: false }) : text;
  }

  #line(text: string): void {
    this.#output.write(`${text}\n`);
  }
}

function titleOf({ subject, site, about }: Section): string {
  const name = subjectNames[subject];
  const title = site === undefined ? `${name[0]?.toUpperCase()}${name.slice(1)}` : `Site ${site}: ${name}`;
  return about === undefined ? title : `${title}, ${about}`;
}

/** The last line. */
export function inOneLine({ result, counts }: CheckOutcome): string {
  const passed = `${counts.ok} ${counts.ok === 1 ? 'check is' : 'checks are'} ok`;
  const wrong = [counted(counts.failure, 'failure'), counted(counts.warning, 'warning')].filter((text) => text !== '');
  if (result === 'ok' || result === 'note') return `Nothing is wrong: ${passed}.`;
  return `${wrong.join(' and ')}; ${passed}.${counts.failure > 0 ? ' Mend the failures: without that backups cannot be relied on.' : ''}`;
}

function counted(count: number, what: string): string {
  return count === 0 ? '' : `${count} ${what}${count === 1 ? '' : 's'}`;
}
