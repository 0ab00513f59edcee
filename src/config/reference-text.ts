import type { z } from 'zod';
import { compressionOptions, encryptionKeyOptions } from '../codec/options.ts';
import { alertOptions } from '../daemon/alerts/options.ts';
import { metricsGlobalOptions } from '../daemon/metrics/options.ts';
import { storageOptionsByType } from '../storage/options.ts';
import { transferOptions } from '../transfer/options.ts';
import { verifyOptions } from '../verify/options.ts';
import { walReceiverOptions } from '../wal/options.ts';
import { optionTable, shapeOfGroup } from './reference-table.ts';
import { fileOptions, siteOptions } from './schema.ts';

/** docs/config.md, made from the options. */
export function configReference(): string {
  const { statsd, prometheus, pushgateway } = metricsGlobalOptions.shape;
  return `${[
    introduction,
    section('Top level', optionTable(fileOptions.shape)),
    section('`compression`', optionTable(compressionOptions.shape)),
    section('`transfer`', optionTable(transferOptions.shape)),
    section('`alerts`', optionTable(alertOptions.shape)),
    section('`alerts.webhook`', optionTable(shapeOfGroup(alertOptions.shape.webhook))),
    section('`statsd`', optionTable(shapeOfGroup(statsd))),
    section('`prometheus`', optionTable(shapeOfGroup(prometheus))),
    section('`pushgateway`', optionTable(shapeOfGroup(pushgateway))),
    section('A site: `backup_sites.NAME`', optionTable(siteOptions.shape)),
    nodes,
    section('`pg_receivexlog` of a site', optionTable(walReceiverOptions.shape)),
    section('`verify` of a site', optionTable(verifyOptions.shape)),
    section('`encryption_keys.ID` of a site', optionTable(encryptionKeyOptions.shape)),
    storage,
    ...Object.entries(storageOptionsByType).map(([type, { shape }]) =>
      section(`\`object_storage\` of type \`${type}\``, optionTable(ownKeys(shape))),
    ),
    section('`object_storage` of every type', optionTable(common)),
    section('`object_storage.proxy_info`', optionTable(shapeOfGroup(storageOptionsByType.s3.shape.proxy_info))),
    section('`object_storage.statsd_info`', optionTable(shapeOfGroup(common.statsd_info))),
    section('`object_storage.notifier`', optionTable(shapeOfGroup(common.notifier))),
    contradictions,
  ].join('\n\n')}\n`;
}

function section(title: string, text: string): string {
  return `## ${title}\n\n${text}`;
}

/** The keys that one type of store has and another has not. */
function ownKeys(shape: z.core.$ZodShape): z.core.$ZodShape {
  return Object.fromEntries(Object.entries(shape).filter(([key]) => !Object.hasOwn(common, key)));
}

const { storage_type: _type, directory: _directory, ...common } = storageOptionsByType.local.shape;

const introduction = `<!-- Made from src/**/options.ts by "node src/config/reference.ts". Do not edit. -->
# Configuration

pghoard reads one JSON file, named with \`--config\` or in the environment variable \`PGHOARD_CONFIG\`. Files written for PGHoard 1.4.0
and later load unchanged. The smallest useful one:

\`\`\`json
{
  "backup_location": "/var/lib/pghoard",
  "backup_sites": {
    "main": {
      "nodes": ["host=127.0.0.1 user=backup"],
      "pg_data_directory": "/var/lib/postgresql/15/main",
      "object_storage": { "storage_type": "local", "directory": "/mnt/backups" }
    }
  }
}
\`\`\`

- A file with mistakes is refused as a whole, with all of them listed. On SIGHUP the daemon reads the file again; if that one is refused, the old one stays.
- Unknown keys and keys given twice are mistakes. Old spellings are read, with a warning; so are keys that have no effect any more.
- *Since* is the first release of PGHoard that knew the key; where it is empty, 1.4.0 did.
- \`null\` means what the description says, or that the key is not set.
- Editors check the file while you write it, if it names \`pghoard.schema.json\` of this package as its \`"$schema"\`.
- Relative paths are taken from the working directory of the daemon or tool.
- A site with \`active\` false, or whose data directory is missing, can still be listed and restored from.`;

const nodes = `## \`nodes\` of a site

Each element is one of:

\`\`\`json
{
  "backup_sites": {
    "main": {
      "nodes": [
        "host=db1 user=backup dbname=postgres sslmode=verify-full sslrootcert=/etc/ssl/db.pem",
        "postgres://backup:s%40cret@db1:5432,db2:5432/postgres?target_session_attrs=read-write",
        { "host": "127.0.0.1", "port": 5432, "user": "backup", "password": "secret", "slot": "pghoard" },
        { "connection_string": "service=main", "slot": "pghoard" }
      ],
      "object_storage": { "storage_type": "local", "directory": "/mnt/backups" }
    }
  }
}
\`\`\`

Everything is read as libpq reads it: quotes and backslashes in connection strings, percent signs in URIs, service files (\`PGSERVICEFILE\`,
\`~/.pg_service.conf\`, \`PGSYSCONFDIR\`), defaults from \`PG…\` variables in the environment, and password files (\`PGPASSFILE\`, \`~/.pgpass\`, mode 0600).
One difference: an \`@\` in the password of a URI needs no escape.`;

const storage = `## \`object_storage\` of a site

\`storage_type\` selects the kind of store; the other keys depend on it. A site without \`object_storage\` keeps its backups in the directory
\`object_storage\` inside \`backup_location\`, with a warning: that is most often the disk that one wants backups not to be on.`;

const contradictions = `## Keys that exclude or need each other

These are mistakes, found when the file is read:

- \`webserver_username\` without \`webserver_password\`, or the other way round.
- \`compression.level\` above 9 with \`lzma\`, above 22 with \`zstd\`.
- \`json_state_file_path\` and \`maintenance_mode_file\` naming the same file.
- \`basebackup_minute\` without \`basebackup_hour\`; \`basebackup_hour\` with \`basebackup_interval_hours\` null.
- \`basebackup_count_min\` above \`basebackup_count\`, where both are written.
- \`basebackup_format\` \`pghoard-bb-v1\` with another \`basebackup_mode\` than \`local-tar\`.
- \`basebackup_bytes_per_second_max\` with another \`basebackup_mode\` than \`stream\`.
- \`active_backup_mode\` \`standalone_hot_backup\` with another \`basebackup_mode\` than \`basic\` and \`pipe\`.
- \`encryption_key_id\` that is not in \`encryption_keys\`; a public key that does not belong to the private one beside it; keys that are not RSA or have fewer than 848 bits.
- \`object_storage.directory\` equal to \`backup_location\`, or where objects of a site wait there for their upload.
- Two active sites with the same \`prefix\`, or whose objects would lie within each other or in the same place of the same store.
- \`moved_from\` naming a site that is not in the file.
- \`s3\`: only one of \`aws_access_key_id\` and \`aws_secret_access_key\`; \`s3\` and \`azure\`: \`port\` without \`host\`.
- \`azure\`: neither \`account_name\` nor \`connection_string\`, or \`connection_string\` beside \`account_key\` or \`sas_token\`. \`google\`: both \`credentials\` and \`credential_file\`. \`sftp\`: neither \`password\` nor \`private_key\` nor an ssh-agent.
- For the daemon: no \`backup_location\`; an active site without \`pg_data_directory\` (unless \`basebackup_mode\` is \`stream\`, and \`active_backup_mode\` not \`archive_command\`), without \`nodes\`, or without the public key to encrypt with.

A \`credential_file\`, \`cert_path\`, \`private_key\` or \`known_hosts\` that cannot be read or is something else is told as a warning when the daemon starts. Its site is broken
then (alert \`store_denied\`) until the file can be read, and the others run. On a reload it is a mistake where the store of the site has changed.`;
