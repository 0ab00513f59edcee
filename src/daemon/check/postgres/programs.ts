import type { SiteConfig } from '../../../config/load.ts';
import { isOperatorError } from '../../../lib/errors.ts';
import { findProgram, type ProgramName } from '../../../postgres/programs.ts';
import { majorOf } from '../../../postgres/versions.ts';
import { type CheckDeps, checkMsMax } from '../deps.ts';
import { about, type Finding, failed, ok } from '../finding.ts';
import { within } from '../within.ts';
import type { Needs } from './needs.ts';

/** The programs of PostgreSQL that the modes of a site run, of a version that can talk to the server. */
export async function checkPrograms(
  site: SiteConfig,
  needs: Needs,
  serverVersion: number,
  { config, env, signal }: CheckDeps,
): Promise<Finding[]> {
  const programs: readonly { name: ProgramName; sitePath: string | null; globalPath: string | null }[] = [
    ...(needs.pgBasebackup
      ? [{ name: 'pg_basebackup', sitePath: site.pg_basebackup_path, globalPath: config.pg_basebackup_path } as const]
      : []),
    ...(needs.receiving === 'pg_receivexlog'
      ? [{ name: 'pg_receivewal', sitePath: site.pg_receivexlog_path, globalPath: config.pg_receivexlog_path } as const]
      : []),
  ];
  const major = majorOf(serverVersion);
  const binDirectory = site.pg_bin_directory ?? undefined;
  return Promise.all(
    programs.map(async ({ name, sitePath, globalPath }) => {
      const where = { sitePath: sitePath ?? undefined, globalPath: globalPath ?? undefined, binDirectory, major, searchPath: env['PATH'] };
      try {
        const { path, version } = await within(checkMsMax, signal, () => findProgram(name, where));
        return about(name, ok('program', `${path} is of PostgreSQL ${majorOf(version)}`));
      } catch (error) {
        signal.throwIfAborted();
        const install = isOperatorError(error, 'program-missing', 'program-too-old') ? [`apt-get install postgresql-client-${major}`] : [];
        return about(name, failed('program', error, ...install));
      }
    }),
  );
}
