/**
 * Reads the `tablespace_map` that PostgreSQL puts beside backup_label: one line per tablespace, its OID, a space and the path of its
 * directory at the source, in which a backslash stands before newlines, carriage returns and backslashes
 * (src/backend/access/transam/xlog.c, do_pg_backup_start).
 */
export function parseTablespaceMap(text: string): Map<number, string> {
  const map = new Map<number, string>();
  for (const [, oid = '', escaped = ''] of text.matchAll(/(\d+) ((?:\\[\s\S]|[^\\\r\n])*)\r?(?:\n|$)/g)) {
    map.set(Number(oid), escaped.replace(/\\([\s\S])/g, '$1'));
  }
  return map;
}
