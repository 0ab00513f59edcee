/** As an identifier, quoted where it has to be. */
export function sqlName(name: string): string {
  return /^[a-z_][a-z0-9_]*$/.test(name) ? name : `"${name.replaceAll('"', '""')}"`;
}

export function sqlText(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** What changes a setting of a server, and makes it hold. */
export function alterSystem(name: string, value: string, holds: 'at once' | 'after a restart'): string[] {
  const change = `ALTER SYSTEM SET ${name} = ${sqlText(value)};`;
  return holds === 'at once' ? [change, 'SELECT pg_reload_conf();'] : [change, 'then restart the server'];
}
