import type { SiteConfig } from '../../../config/load.ts';
import { isOperatorError } from '../../../lib/errors.ts';
import { connect } from '../../../postgres/client.ts';
import { type ConnInfo, resolveConninfo } from '../../../postgres/conninfo.ts';
import { describeTarget } from '../../../postgres/login.ts';
import type { PostgresNode } from '../../../postgres/node.ts';
import { identifySystem } from '../../../postgres/replication.ts';
import type { SeenCluster } from '../../../postgres/seen-cluster.ts';
import { type CheckDeps, checkMsMax } from '../deps.ts';
import { type Finding, failed, ok } from '../finding.ts';
import { within } from '../within.ts';
import { wantedArchiving } from './expected-command.ts';
import { judgeArchiving, judgeForeignArchiving, judgeReadyWal } from './judge-archiving.ts';
import { judgeDataDirectory, type LocalCluster } from './judge-cluster.ts';
import { judgeLogin, judgeLoginFailure, type LoginFacts } from './judge-login.ts';
import { judgeReceiving, judgeSenders, receiverName } from './judge-receiving.ts';
import { judgeRole, judgeVersion } from './judge-role.ts';
import { judgeSettings } from './judge-settings.ts';
import { type Needs, needsOf, needsOnlyReplication, needsReplication } from './needs.ts';
import { checkPrograms } from './programs.ts';
import { lookForReadyWal } from './ready-wal.ts';
import { readServerFacts, type ServerFacts } from './server-facts.ts';
import { checkTablespaces } from './tablespaces.ts';

export interface NodeOutcome {
  /** `postgres@db1:5432/postgres` */
  readonly target: string;
  readonly findings: readonly Finding[];
  /** Undefined where the server could not be asked. */
  readonly facts: ServerFacts | undefined;
}

interface Login extends Pick<LoginFacts, 'passwordFrom' | 'notes'> {
  readonly info: ConnInfo;
}

/** Everything about one server of a site. */
export async function checkNode(
  site: SiteConfig,
  node: PostgresNode,
  local: LocalCluster | undefined,
  deps: CheckDeps,
): Promise<NodeOutcome> {
  const login = await prepareLogin(node.conninfo, deps).catch((error: unknown) => failed('login', error));
  if ('id' in login) return { target: node.conninfo['host'] ?? 'its socket', findings: [login], facts: undefined };
  const target = describeTarget(login.info);
  const facts = await askServer(node.conninfo, deps).catch((error: unknown) => ({ error }));
  const needs = needsOf(site);
  if ('error' in facts) {
    deps.signal.throwIfAborted();
    const unreadable = local !== undefined && !('why' in local) ? [] : judgeDataDirectory(local, {}, undefined, needs);
    const why = whyNoLogin(facts.error, login, undefined);
    const findings =
      needsOnlyReplication(needs) && !isOperatorError(facts.error, 'postgres-unreachable')
        ? await replicationInstead(node, why, needs, deps)
        : why;
    return { target, findings: [...findings, ...unreadable], facts: undefined };
  }
  const findings = [
    judgeVersion(facts.version),
    ...judgeLogin({ ...login, user: facts.role.name, database: login.info['dbname'] ?? '', method: facts.role.method }),
    ...judgeRole(facts, needs),
    ...judgeSettings(facts),
    ...(needs.archiveCommand
      ? judgeArchiving(facts, wantedArchiving(site, deps), deps.clock.now())
      : judgeForeignArchiving(facts.settings, site.name)),
    ...(await checkReadyWal(needs, local, deps)),
    ...(await checkReceiving(site, node, facts, login, deps)),
    ...judgeDataDirectory(local, clusterOf(facts), facts.settings.get('data_directory'), needs),
    ...(await checkTablespaces(facts.tablespaces, needs)),
    ...(await checkPrograms(site, facts.version, deps)),
  ];
  return { target, findings, facts };
}

/** Of which cluster the server is. */
export function clusterOf({ systemIdentifier, settings }: ServerFacts): SeenCluster {
  const segmentBytes = settings.get('wal_segment_size');
  return { systemIdentifier, segmentBytes: segmentBytes === undefined ? undefined : Number(segmentBytes) };
}

async function prepareLogin(conninfo: ConnInfo, { env }: CheckDeps, replication = false): Promise<Login> {
  const notes: string[] = [];
  const info = await resolveConninfo(conninfo, env, { replication, onNote: (text) => notes.push(text) });
  const isGiven = conninfo['password'] !== undefined || (env['PGPASSWORD'] ?? '') !== '';
  const passwordFrom = isGiven ? 'configuration' : info['password'] === undefined ? undefined : 'password file';
  return { info, passwordFrom, notes };
}

function askServer(conninfo: ConnInfo, { env, clock, signal }: CheckDeps): Promise<ServerFacts> {
  return within(checkMsMax, signal, async (limited) => {
    await using connection = await connect(conninfo, { applicationName: 'pghoard', env, signal: limited, answerMsMax: checkMsMax });
    return await readServerFacts(connection, clock);
  });
}

async function checkReadyWal({ archiveCommand }: Needs, local: LocalCluster | undefined, { clock }: CheckDeps): Promise<Finding[]> {
  if (!archiveCommand || local === undefined || 'why' in local) return [];
  const ready = await lookForReadyWal(local.directory);
  return ready === undefined ? [] : [judgeReadyWal(ready, clock.now())];
}

async function checkReceiving(site: SiteConfig, node: PostgresNode, facts: ServerFacts, login: Login, deps: CheckDeps): Promise<Finding[]> {
  const needs = needsOf(site);
  if (!needsReplication(needs) && !facts.role.mayReplicate) return [];
  return [
    ...(await checkReplicationLogin(node.conninfo, facts, deps, needs)),
    ...(needsReplication(needs) ? [judgeSenders(facts, node.slot)] : []),
    ...(needs.receiving === undefined ? [] : judgeReceiving(facts, { needs, slot: node.slot, applicationName: nameOf(needs, login.info) })),
  ];
}

/** A role that may only replicate is all that such a site needs; what would be asked by SQL stays unknown then. */
async function replicationInstead(node: PostgresNode, why: readonly Finding[], needs: Needs, deps: CheckDeps): Promise<Finding[]> {
  const unasked = why.map(
    (finding): Finding => ({ ...finding, result: 'note', because: `the settings of the server cannot be looked at: ${finding.because}` }),
  );
  return [...unasked, ...(await checkReplicationLogin(node.conninfo, undefined, deps, needs))];
}

/** Tries it: whether a line of pg_hba.conf lets us in is nothing to be guessed. */
async function checkReplicationLogin(
  conninfo: ConnInfo,
  facts: ServerFacts | undefined,
  deps: CheckDeps,
  needs: Needs,
): Promise<Finding[]> {
  const { signal, env } = deps;
  try {
    await within(checkMsMax, signal, async (limited) => {
      await using connection = await connect(conninfo, {
        replication: true,
        applicationName: 'pghoard',
        env,
        signal: limited,
        answerMsMax: checkMsMax,
      });
      await identifySystem(connection);
    });
    return [ok('replication-login', 'replication connections are let in')];
  } catch (error) {
    signal.throwIfAborted();
    const login = await prepareLogin(conninfo, deps, true);
    const findings = whyNoLogin(error, login, facts, true);
    if (needsReplication(needs)) return findings;
    return findings.map((finding) => ({
      ...finding,
      result: 'note',
      because: `WAL that is missing in the archive could not be fetched from here: ${finding.because}`,
    }));
  }
}

function whyNoLogin(
  error: unknown,
  { info, passwordFrom, notes }: Login,
  facts: ServerFacts | undefined,
  isReplication = false,
): Finding[] {
  const database = isReplication ? 'replication' : (info['dbname'] ?? '');
  const request = { user: info['user'] ?? '', database, address: facts?.role.address ?? null, hbaFile: facts?.settings.get('hba_file') };
  return judgeLoginFailure(error, request, passwordFrom, isReplication ? [] : notes);
}

function nameOf({ receiving }: Needs, info: ConnInfo): string {
  return receiving === 'walreceiver' ? receiverName(info['application_name']) : (info['application_name'] ?? 'pg_receivewal');
}
