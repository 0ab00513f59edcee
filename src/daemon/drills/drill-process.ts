import { spawn } from 'node:child_process';
import { type DrillEvidence, drillEvidence } from '../../catalog/evidence/drill-evidence.ts';
import { OperatorError } from '../../lib/errors.ts';
import { outlivedByNone } from '../../lib/own-child.ts';
import { exitOf, tailOf } from '../../lib/subprocess.ts';

const stopMsMax = 90_000;
const answerBytesMax = 1024 * 1024;

export type HoldDrill = (site: string, configFile: string, signal: AbortSignal) => Promise<DrillEvidence>;

/**
 * Holds a drill in a process of its own: it takes memory and processor time that the daemon must not lack, and steps back for everything else. It stores its evidence itself.
 * Rejects with `drill-impossible` where there was nothing to begin with.
 */
export const holdDrillInProcess: HoldDrill = async (site, configFile, signal) => {
  const [, program = ''] = process.argv;
  const words = [process.execPath, ...process.execArgv, program, 'drill', '--config', configFile, '--site', site, '--json'] as const;
  const [file, ...args] = await outlivedByNone([...words], 'TERM');
  const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const tail = tailOf(child);
  const answer: Buffer[] = [];
  let bytes = 0;
  child.stdout?.on('data', (piece: Buffer) => {
    bytes += piece.length;
    if (bytes <= answerBytesMax) answer.push(piece);
  });
  const stop = () => {
    child.kill('SIGTERM');
    const kill = setTimeout(() => child.kill('SIGKILL'), stopMsMax);
    child.once('exit', () => clearTimeout(kill));
  };
  signal.addEventListener('abort', stop, { once: true });
  if (signal.aborted) stop();
  try {
    await exitOf(child, file);
  } finally {
    signal.removeEventListener('abort', stop);
  }
  signal.throwIfAborted();
  return evidenceIn(Buffer.concat(answer).toString('utf8')) ?? unheld(tail());
};

function evidenceIn(text: string): DrillEvidence | undefined {
  try {
    return drillEvidence.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}

/** With what the program gave as its reason, else with its last words. */
function unheld(said: string): never {
  const [, why = said] = /FATAL: [\w-]+: ([^]*)/.exec(said) ?? [];
  throw new OperatorError('drill-impossible', why === '' ? 'the restore drill ended without a word' : why, { retryable: true });
}
