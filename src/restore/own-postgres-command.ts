import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** The client of this installation by its full path, as PostgreSQL may have another PATH; by its name where it lies elsewhere. */
export function ownPostgresCommand(): string {
  for (const up of ['../../bin/', '../../../bin/']) {
    const path = fileURLToPath(new URL(`${up}pghoard_postgres_command`, import.meta.url));
    if (existsSync(path)) return path;
  }
  return 'pghoard_postgres_command';
}
