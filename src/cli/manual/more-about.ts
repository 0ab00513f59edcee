/** What the help of a command has no room for, in Markdown. */
export const moreAbout: Readonly<Record<string, string>> = {
  pghoard: `
## Signals

| Signal | |
|---|---|
| \`SIGTERM\` | Finish uploads that are under way and end; a second one ends at once. What had not been stored is taken up at the next start. |
| \`SIGINT\` | End at once. |
| \`SIGHUP\` | Read the configuration again. A bad one is refused with its errors in the log, and the old one stays in force. |

## Environment

| Variable | |
|---|---|
| \`PGHOARD_CONFIG\` | The configuration file where the command line names none. |
| \`PGPASSFILE\`, \`PGSERVICEFILE\` and others of libpq | Used for connections to servers as libpq uses them. |

## Files

| File | |
|---|---|
| \`/var/lib/pghoard/pghoard.json\` | The configuration that the packaged service reads; see \`pghoard.json\`(5). |
| \`/var/lib/pghoard\` | Spool, state and alert files of the packaged service, as far as the configuration does not say otherwise. |
| \`~/.pgpass\` | Passwords of servers. |

## Exit status

0 after a signal, 1 if the daemon could not be started (what is wrong stands on standard error), 2 if the command line is wrong,
70 after an error in pghoard itself.`,
  pghoard_restore: `
## Exit status

0 if the work was done, 1 if not, 2 if the command line is wrong, 70 after an error in pghoard itself. A plan (\`plan\`, \`get-basebackup --dry-run\`) exits with 2
also where something that the restore needs is missing.

## Examples

\`\`\`
pghoard_restore list-basebackups --config /var/lib/pghoard/pghoard.json
pghoard_restore get-basebackup --config /var/lib/pghoard/pghoard.json \\
    --target-dir /var/lib/postgresql/15/restored --restore-to-primary \\
    --recovery-target-time '2026-11-23 09:14:59+00'
\`\`\``,
  pghoard_archive_sync: `
## Exit status

0 if nothing is missing (or a new base backup was asked for), 1 if something is, 2 if the command line is wrong, 70 after an error in
pghoard itself.`,
  pghoard_archive_cleanup: `
## Exit status

0 if the work was done, 1 if not, 2 if the command line is wrong, 70 after an error in pghoard itself. Nothing is deleted where there is
no base backup, or where something among them cannot be read.`,
  pghoard_create_keys: `
## Exit status

0 if the key was made, 1 if not (the configuration file is unchanged then), 2 if the command line is wrong, 70 after an error in pghoard
itself.

## Notes

Without the private key nothing that was encrypted with the public one can be restored. Keep a copy away from the backups.`,
  pghoard_postgres_command: `
## Environment

| Variable | |
|---|---|
| \`PGHOARD_USERNAME\`, \`PGHOARD_PASSWORD\` | For a pghoard with \`webserver_username\` and \`webserver_password\`; other users of the machine see them less easily than a command line. |
| \`PGHOARD_RETRY_INTERVAL\` | Seconds between attempts to restore. |`,
};
