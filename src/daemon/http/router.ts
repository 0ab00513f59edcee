import { OperatorError } from '../../lib/errors.ts';
import { classifyWalFile, type WalFileKind } from '../../postgres/wal-name.ts';
import type { ApiRequest } from './api-request.ts';
import { getArchive } from './archive-get.ts';
import { headArchive } from './archive-head.ts';
import { putArchive } from './archive-put.ts';
import { listBasebackups } from './basebackup-list.ts';
import { answerPage, isPageFile } from './page.ts';
import { bytesReply, createdReply, type Reply } from './reply.ts';
import { invalidPath, parseRequestTarget } from './request-path.ts';
import { answerRetention } from './retention.ts';
import { answerCommits } from './site-commits.ts';
import { answerPlan } from './site-plan.ts';
import { answerRecoverability } from './site-recoverability.ts';
import type { DaemonServices, SiteServices } from './site-services.ts';
import { answerSiteStatus } from './site-status.ts';

/** Kinds of WAL files under each path; what does not belong there is refused. */
const kindsByFolder: Readonly<Record<string, readonly WalFileKind[]>> = {
  archive: ['segment', 'partial', 'history', 'backup-label'],
  xlog: ['segment', 'partial'],
  timeline: ['history'],
};

/** What of a site takes a query. */
const queried: ReadonlySet<string> = new Set(['commits', 'plan']);

const methods = ['GET', 'HEAD', 'PUT'];

/** Finds the route of a request. Rejects with OperatorErrors, which `errorReply` turns into statuses. */
export async function answer(request: ApiRequest, services: DaemonServices): Promise<Reply> {
  if (!methods.includes(request.method)) throw notImplemented(`Unsupported method ${JSON.stringify(request.method)}`);
  const { components, query } = parseRequestTarget(request.url, ([, what = '', ...more]) => more.length === 0 && queried.has(what));
  const [first = '', second, ...rest] = components;
  if (request.method !== 'PUT' && first === 'status') return answerStatus(second, services);
  if (request.method !== 'PUT' && first === 'metrics') return answerMetrics(second, services);
  if (request.method !== 'PUT' && second === undefined && first === 'events') return services.live.answer(request.method, request.signal);
  if (request.method !== 'PUT' && second === undefined && isPageFile(first)) return answerPage(first, request);
  if (second === undefined) throw invalidPath(request.url);
  const site = services.sites.get(first);
  if (!site) throw new OperatorError('site-missing', `Site: '${first}' not found for path ${JSON.stringify([first, second, ...rest])}`);
  if (second === 'plan' && rest.length === 0 && request.method !== 'PUT') return answerPlan(site, query, request, services);
  if (second === 'commits' && rest.length === 0 && request.method !== 'PUT') return answerCommits(site, query, request, services.limits);
  return answerSite(site, second, rest, request, services);
}

async function answerSite(
  site: SiteServices,
  what: string,
  rest: readonly string[],
  request: ApiRequest,
  services: DaemonServices,
): Promise<Reply> {
  if (what === 'status' && rest.length === 0 && request.method !== 'PUT') return answerSiteStatus(site);
  if (what === 'recoverability' && rest.length === 0 && request.method !== 'PUT') return answerRecoverability(site);
  if (what === 'metrics')
    throw new OperatorError('request-invalid', 'Invalid metrics request: metrics are those of the whole daemon, at /metrics');
  if (what === 'basebackup' && rest.length === 0) return answerBasebackup(site, request, services);
  if (what === 'retention') return answerRetention(site, rest, request);
  const kinds = Object.hasOwn(kindsByFolder, what) ? kindsByFolder[what] : undefined;
  if (kinds === undefined) throw invalidPath(request.url);
  const [name] = rest;
  if (name === undefined || rest.length > 1) {
    throw new OperatorError('request-invalid', `Invalid '${what}' request, only single file retrieval is supported for now`);
  }
  if (what === 'archive' && name === 'basebackup' && request.method === 'PUT') return answerBasebackup(site, request, services);
  const kind = classifyWalFile(name);
  if (kind === undefined || !kinds.includes(kind))
    throw new OperatorError('request-invalid', `Unrecognized file ${JSON.stringify(name)} for /${what}/`);
  return answerArchive(site, name, request, services);
}

async function answerBasebackup(site: SiteServices, request: ApiRequest, services: DaemonServices): Promise<Reply> {
  if (request.method !== 'PUT') return listBasebackups(site, request, services.limits);
  await site.requestBasebackup();
  return createdReply();
}

async function answerArchive(site: SiteServices, name: string, request: ApiRequest, { limits }: DaemonServices): Promise<Reply> {
  switch (request.method) {
    case 'PUT':
      return putArchive(site, name, request, limits);
    case 'HEAD':
      return headArchive(site, name, request, limits);
    default:
      return getArchive(site, name, request, limits);
  }
}

/** `GET /status`: the state file, byte for byte. */
async function answerStatus(extra: string | undefined, services: DaemonServices): Promise<Reply> {
  if (extra !== undefined) throw new OperatorError('request-invalid', 'Invalid status request');
  return bytesReply(await services.readStatus());
}

/** `GET /metrics`, where Prometheus is configured. */
function answerMetrics(extra: string | undefined, services: DaemonServices): Reply {
  if (extra !== undefined) throw new OperatorError('request-invalid', 'Invalid metrics request');
  const body = services.metrics?.();
  if (body === undefined) throw notImplemented('There is no "prometheus" section in the configuration');
  return { status: 200, headers: { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' }, body };
}

function notImplemented(what: string): OperatorError {
  return new OperatorError('not-implemented', what);
}
