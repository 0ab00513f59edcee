/**
 * Starts archive_command and restore_command. Node ends with 1 if a file of the program cannot be loaded, and PostgreSQL would take that for
 * the end of the archive and promote a truncated database: a broken installation must say "cannot tell" as well.
 */
try {
  const { startPostgresCommand } = await import('./postgres-command-main.ts');
  startPostgresCommand();
} catch (error) {
  console.log(`pghoard_postgres_command: ERROR: cannot start: ${String(error)}`);
  process.exitCode = 255;
}
