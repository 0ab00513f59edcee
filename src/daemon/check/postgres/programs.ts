import type { SiteConfig } from '../../../config/load.ts';
import { isOperatorError } from '../../../lib/errors.ts';
import { findProgram } from '../../../postgres/programs.ts';
import { majorOf } from '../../../postgres/versions.ts';
import { placeOf, programsOf } from '../../site-programs.ts';
import { type CheckDeps, checkMsMax } from '../deps.ts';
import { about, type Finding, failed, ok } from '../finding.ts';
import { within } from '../within.ts';

/** The programs of PostgreSQL that the modes of a site run, of a version that can talk to the server. */
export async function checkPrograms(site: SiteConfig, serverVersion: number, { config, env, signal }: CheckDeps): Promise<Finding[]> {
  const major = majorOf(serverVersion);
  return Promise.all(
    programsOf(site).map(async (name) => {
      const where = { ...placeOf(name, site, config), major, searchPath: env['PATH'] };
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
