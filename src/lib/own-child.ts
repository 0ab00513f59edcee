import { constants } from 'node:fs';
import { isThere } from './is-there.ts';

/** util-linux; has the kernel signal the child when the thread that started it ends, however it does. */
const setpriv = '/usr/bin/setpriv';

/** The command line of a program that does not outlive us, where the machine has what that takes. `signal`: as `kill` names it. */
export async function outlivedByNone(commandLine: readonly [string, ...string[]], signal: string): Promise<[string, ...string[]]> {
  return (await isThere(setpriv, constants.X_OK)) ? [setpriv, '--pdeathsig', signal, '--', ...commandLine] : [...commandLine];
}
