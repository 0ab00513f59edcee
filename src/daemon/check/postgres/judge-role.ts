import { type Finding, failure, note, ok, warning } from '../finding.ts';
import { type Needs, needsReplication } from './needs.ts';
import { backupFunctions, type ServerFacts } from './server-facts.ts';
import { sqlName } from './sql-text.ts';

const oldestMajor = 13;
const newestMajor = 18;

export function judgeVersion(version: number): Finding {
  const major = Math.floor(version / 10_000);
  const text = `PostgreSQL ${major >= 10 ? `${major}.${version % 10_000}` : String(version / 10_000)}`;
  if (major < oldestMajor)
    return failure(
      'version',
      `${text} is older than the versions that are supported, ${oldestMajor} to ${newestMajor}`,
      'upgrade the server (pg_upgrade)',
    );
  if (major > newestMajor)
    return warning(
      'version',
      `${text} is newer than the versions this was tested with, ${oldestMajor} to ${newestMajor}`,
      'install a newer pghoard',
    );
  return ok('version', text);
}

/** Whether the role may do what the modes of the site ask for. */
export function judgeRole({ role, version, settings }: Pick<ServerFacts, 'role' | 'version' | 'settings'>, needs: Needs): Finding[] {
  const name = sqlName(role.name);
  const who = `role ${role.name}`;
  const findings = [judgeReplicationAttribute(who, name, role.mayReplicate, needs)];
  if (needs.backupBySql) {
    const functions = backupFunctions(version);
    findings.push(
      role.mayBackUp
        ? ok('role-backup', `${who} may begin and end base backups`)
        : failure(
            'role-backup',
            `${who} may not begin and end base backups`,
            `GRANT EXECUTE ON FUNCTION ${functions.join(', ')} TO ${name};`,
            'in the database that "nodes" names',
          ),
    );
  }
  if (role.mayReadSettings) findings.push(ok('role-settings', `${who} may read all settings`));
  else if (settings.has('data_directory')) findings.push(ok('role-settings', `${who} may read the settings that matter`));
  else {
    const verdict = needs.backupBySql ? failure : warning;
    findings.push(
      verdict('role-settings', `${who} may not read all settings, such as data_directory`, `GRANT pg_read_all_settings TO ${name};`),
    );
  }
  if (role.isSuperuser)
    findings.push(note('role-superuser', `${who} is a superuser, which is more than pghoard needs`, ...leastRole(version)));
  return findings;
}

function judgeReplicationAttribute(who: string, name: string, mayReplicate: boolean, needs: Needs): Finding {
  if (mayReplicate) return ok('role-replication', `${who} may open replication connections`);
  const remedy = `ALTER ROLE ${name} REPLICATION;`;
  if (needsReplication(needs))
    return failure('role-replication', `${who} may not open replication connections, which this site needs`, remedy);
  return note(
    'role-replication',
    `${who} may not open replication connections: WAL that is missing in the archive cannot be fetched from the server`,
    remedy,
  );
}

function leastRole(version: number): string[] {
  return [
    'CREATE ROLE pghoard LOGIN REPLICATION;',
    'GRANT pg_read_all_settings TO pghoard;',
    `GRANT EXECUTE ON FUNCTION ${backupFunctions(version).join(', ')} TO pghoard;`,
  ];
}
