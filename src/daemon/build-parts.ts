import { takeBasebackup } from '../basebackup/basebackup.ts';
import { CodecPool } from '../codec/pool.ts';
import type { StepTimes } from '../codec/step-times.ts';
import type { DaemonConfig } from '../config/load.ts';
import type { Clock } from '../lib/clock.ts';
import { inWords } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';
import type { Metrics } from '../lib/metrics.ts';
import type { Random } from '../lib/random.ts';
import { findProgram } from '../postgres/programs.ts';
import { openStoreOrLater } from '../storage/drivers.ts';
import { UploadQueue } from '../transfer/upload-queue.ts';
import { postgresNodes } from '../wal/gaps/wal-nodes.ts';
import { Alerts } from './alerts/alerts.ts';
import type { DaemonParts } from './daemon-parts.ts';
import { holdDrillInProcess } from './drills/drill-process.ts';
import { SampleBooks } from './health/sample-books.ts';
import { JobWatch } from './lifecycle/job-watch.ts';
import { WorkerDeaths } from './lifecycle/worker-deaths.ts';
import { countSteps } from './metrics/count-steps.ts';
import { ServedFiles } from './served-files.ts';
import { endSegmentOfNode } from './servers/end-segment-of-node.ts';
import type { ServerProbe } from './servers/server-probe.ts';
import { previousFlushed, previousTransfers } from './state-file.ts';

/** The parts that all sites share; each site is also handed the configuration that it is made of. */
export type SharedParts = Omit<DaemonParts, 'config'>;

export interface BuildPartsDeps {
  /** As it is when asked. */
  readonly config: () => DaemonConfig;
  /** What the state file of an earlier life tells. */
  readonly previousState: Record<string, unknown> | undefined;
  readonly openServerProbe: () => ServerProbe;
  /** See `DaemonParts`. */
  readonly place: () => string | undefined;
  readonly metrics: Metrics;
  readonly host: string;
  readonly version: string;
  readonly log: Log;
  readonly clock: Clock;
  readonly random: Random;
}

/** Nothing of it is at work yet. */
export function buildParts(deps: BuildPartsDeps): SharedParts {
  const { config, previousState, openServerProbe, place, metrics, host, version, log, clock, random } = deps;
  const { alert_file_dir: directory, compression, measure_steps } = config();
  const alerts = new Alerts({ directory, host, version, clock, random, log });
  const jobs = new JobWatch({ alerts, metrics, deadlines: () => config().stalled_after_seconds, clock, log });
  const deaths = new WorkerDeaths({ alerts, metrics, clock, log });
  const onSteps = measure_steps ? (job: string, steps: StepTimes) => countSteps(metrics, job, steps) : undefined;
  const watched = { onDied: deaths.died.bind(deaths), onDone: deaths.done.bind(deaths), onSteps };
  return {
    pool: new CodecPool(compression.thread_count, watched),
    walPool: new CodecPool(compression.thread_count, watched),
    uploads: openUploads(deps, { alerts, jobs }),
    alerts,
    metrics,
    jobs,
    spoolReserve: () => config().spool_reserve_bytes,
    servedFiles: new ServedFiles(clock),
    openServerProbe,
    endSegment: endSegmentOfNode,
    walNodes: postgresNodes,
    findProgram,
    openStore: openStoreOrLater,
    takeBasebackup,
    holdDrill: holdDrillInProcess,
    sampleBooks: new SampleBooks(clock, previousState),
    previouslyFlushed: (site) => previousFlushed(previousState, site),
    log,
    clock,
    random,
    place,
    host,
    pid: process.pid,
    version,
  };
}

function openUploads(deps: BuildPartsDeps, { alerts, jobs }: Pick<SharedParts, 'alerts' | 'jobs'>): UploadQueue {
  const { config, previousState, metrics, log, clock, random } = deps;
  const { transfer, upload_retries_warning_limit: warningLimit } = config();
  return new UploadQueue({
    threads: transfer.thread_count,
    log,
    metrics,
    warningLimit,
    onTrouble: (site, key, failures, error) =>
      void alerts.raise('upload_retries_warning', site, `${key} could not be stored ${failures} times: ${inWords(error)}`),
    onRecovered: (site) => void alerts.clear('upload_retries_warning', site),
    watch: ({ site, key }, signal, attempt) => jobs.run({ site, kind: 'upload', what: `the upload of ${key}` }, signal, attempt),
    previousStats: previousTransfers(previousState),
    clock,
    random,
  });
}
