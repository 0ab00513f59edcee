import { InterruptedError, runCommand } from '../../src/cli/main.ts';
import { systemUser } from '../../test/support/system-user.ts';
import { parseOptions, usage } from './options.ts';
import { Processes } from './processes.ts';
import { say } from './screen.ts';
import { backUpAndRestore } from './story.ts';

/** `npm start`. Whatever way it ends, what it started ends with it, and a database that is not its own is left as it was. */
async function main(argv: string[]): Promise<number> {
  const options = parseOptions(argv);
  if (options.help) {
    say(usage);
    return 0;
  }
  const interrupted = signalled('SIGINT', 'SIGTERM', 'SIGHUP');
  await using cleanup = new AsyncDisposableStack();
  const processes = cleanup.use(new Processes());
  const finished = backUpAndRestore(options, systemUser(), processes, cleanup).then((ending) => ({ ending }));
  const first = await Promise.race([finished, processes.lost, interrupted]);
  if (typeof first === 'string') throw new InterruptedError('interrupted');
  if (!first.ending.right || options.once) return first.ending.right ? 0 : 1;
  first.ending.sayWhatNext();
  await Promise.race([processes.lost, interrupted]);
  say('\nstopping …');
  return 0;
}

/** Resolves with the first of these signals. Later ones change nothing: npm passes a Ctrl-C on that the terminal has sent us already. */
function signalled(...signals: readonly NodeJS.Signals[]): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    for (const signal of signals) process.on(signal, resolve);
  });
}

runCommand('npm start', main);
