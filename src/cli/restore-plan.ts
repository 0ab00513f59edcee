import { CodecPool } from '../codec/pool.ts';
import { loadConfig, selectSite } from '../config/load.ts';
import { systemClock } from '../lib/clock.ts';
import { isOperatorError } from '../lib/errors.ts';
import { formatJson } from '../lib/json.ts';
import { ownPostgresCommand } from '../restore/own-postgres-command.ts';
import { makeRestorePlan } from '../restore/plan/make-plan.ts';
import { refusalAsDocument } from '../restore/plan/plan-refusal.ts';
import { storedSites } from '../restore/plan/stored-knowledge.ts';
import { reachableHost } from '../restore/restore-command.ts';
import { credentialsOf } from './daemon-client.ts';
import { planText } from './plan-text.ts';
import type { PlanFlags } from './restore-flags.ts';
import { planRequest } from './restore-request.ts';
import { closeSources, openSources } from './restore-sources.ts';

/** Tells what a restore with these flags would do. Resolves to the exit code. */
export async function tellPlan(flags: PlanFlags, signal: AbortSignal): Promise<number> {
  try {
    const plan = await planFor(flags, signal);
    process.stdout.write(flags.json ? formatJson(plan) : planText(plan));
    return plan.objects.is_complete ? 0 : 2;
  } catch (error) {
    if (!flags.json || !isOperatorError(error) || signal.aborted) throw error;
    process.stdout.write(formatJson(refusalAsDocument(error)));
    return 1;
  }
}

async function planFor(flags: PlanFlags, signal: AbortSignal) {
  const request = planRequest(flags, systemClock.now());
  const config = await loadConfig(flags.config);
  const sources = await openSources(config, selectSite(config, flags.site));
  await using pool = new CodecPool(1);
  try {
    const deps = {
      ...storedSites(sources, (message) => console.error(`WARNING: ${message}`)),
      pool,
      clock: systemClock,
      daemon: {
        program: flags.pghoardPostgresCommandBin ?? ownPostgresCommand(),
        host: reachableHost(config.http_address),
        port: config.http_port,
        credentials: credentialsOf(config),
      },
      configFile: flags.config,
      program: flags.pghoardPostgresCommandBin,
      isHere: true,
    };
    return await makeRestorePlan(request, deps, signal);
  } finally {
    await closeSources(sources);
  }
}
