import { OperatorError } from '../../src/lib/errors.ts';
import { runProgram } from '../../src/lib/subprocess.ts';

/** Bash tells what its children took, itself apart. */
const script = '"$@"; code=$?; times >&2; exit $code';

/** Runs a program to its end; resolves to the seconds of CPU that it took, with its children. */
export async function cpuSecondsOf(program: string, args: readonly string[], input?: string): Promise<number> {
  const { code, stderr } = await runProgram('bash', ['-c', script, 'bash', program, ...args], input === undefined ? {} : { input });
  if (code !== 0) throw new OperatorError('bench-failed', `${program} ended with ${code}: ${stderr}`);
  const [user = '', system = ''] = (stderr.trimEnd().split('\n').at(-1) ?? '').split(' ');
  return seconds(user) + seconds(system);
}

/** `1m2.345s` */
function seconds(text: string): number {
  const [, minutes, rest] = /^(\d+)m([\d.]+)s$/.exec(text) ?? [];
  return Number(minutes) * 60 + Number(rest);
}
