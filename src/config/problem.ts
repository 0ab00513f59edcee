import { OperatorError } from '../lib/errors.ts';
import { type JsonPath, type JsonPosition, type Positions, positionOf } from './json.ts';

/** One thing that is wrong with a configuration file. */
export interface ConfigProblem {
  /** `backup_sites.main.nodes[0]`; empty for the file as a whole. */
  readonly path: string;
  readonly message: string;
  /** Where the key stands in the file, where it does. */
  readonly position: JsonPosition | undefined;
}

/** A configuration that cannot be used: code `config-invalid`, with everything that is wrong with it. */
export class ConfigError extends OperatorError {
  readonly problems: readonly ConfigProblem[];

  constructor(file: string, problems: readonly ConfigProblem[]) {
    const count = problems.length === 1 ? 'a problem' : `${problems.length} problems`;
    super(
      'config-invalid',
      [`configuration file ${file} has ${count}:`, ...problems.map((problem) => `  ${formatProblem(problem)}`)].join('\n'),
      {
        hint: 'docs/config.md describes every key; pghoard.schema.json as "$schema" lets editors check them.',
      },
    );
    this.problems = problems;
  }
}

/** Gathers problems, in the order of the file once they are {@link ProblemList.sorted}. */
export class ProblemList {
  readonly #positions: Positions;
  readonly #problems: ConfigProblem[] = [];

  constructor(positions: Positions) {
    this.#positions = positions;
  }

  add(path: JsonPath, message: string): void {
    this.#problems.push({ path: formatPath(path), message, position: positionOf(this.#positions, path) });
  }

  get sorted(): readonly ConfigProblem[] {
    return this.#problems.toSorted((a, b) => offsetOf(a) - offsetOf(b));
  }
}

export function formatPath(path: JsonPath): string {
  return path.map(formatStep).join('');
}

function formatStep(step: string | number, index: number): string {
  if (typeof step === 'number') return `[${step}]`;
  if (!/^[\w$-]+$/.test(step)) return `[${JSON.stringify(step)}]`;
  return index === 0 ? step : `.${step}`;
}

export function formatProblem({ path, message, position }: ConfigProblem): string {
  const where = position === undefined ? '' : `line ${position.line}, column ${position.column}`;
  if (path === '') return where === '' ? message : `${where}: ${message}`;
  return `${path}${where === '' ? '' : ` (${where})`}: ${message}`;
}

function offsetOf({ position }: ConfigProblem): number {
  return position?.offset ?? 0;
}
