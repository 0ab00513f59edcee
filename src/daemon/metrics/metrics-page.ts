import { bucketSeconds, type MetricDefinition, prometheusName } from './metric-definition.ts';
import { originalMetrics } from './original-metrics.ts';
import { ownMetrics } from './own-metrics.ts';

/** docs/metrics.md. */
export function metricsPage(): string {
  return `# Metrics

Made from the table in \`src/daemon/metrics/\`; do not edit. Everything that is measured goes to all of these that the configuration names:

- **Prometheus** fetches it at \`GET /metrics\`, where \`"prometheus": {}\` is configured: with types and help, without timestamps, behind the same user and password as the
  rest of the HTTP API. Alert rules are in \`packaging/prometheus/\`, a dashboard for Grafana in \`packaging/grafana/\`.
- **A pushgateway** gets all of it every ten seconds, and once more when the daemon stops (\`"pushgateway": {"endpoint": "http://…"}\`). Without \`instance\` each site is an instance of its own.
- **statsd** gets a datagram for each measurement, as \`telegraf\` or \`datadog\` write them, and every ten seconds one for each gauge that nothing sets (\`"statsd": {}\`).
  Counters are sent as what they grew by (\`c\`), times as \`h\`, in seconds.

None of them can hold up or fail a backup. SIGHUP adds, changes and removes them; what was counted stays. Counters begin at zero with the process.
\`tags\` of each are added to all of its metrics; a tag of the metric itself wins. Prometheus calls a metric by its name with \`_\` for \`.\` and \`-\`, and counters that the original
did not have end in \`_total\`. A tag that does not apply is left out.

## Those of the original

Same names and tags as in PGHoard 2, with these differences: counters count up (there, Prometheus was told the last increment only), \`site\` is told wherever there is one, failed uploads count too,
and ages are by the wall clock, so they stay right over a reboot. Prometheus is told no type (\`untyped\`) for their counters, whose names end otherwise than it wants.

${table(originalMetrics)}

\`type\` is \`xlog\`, \`xlog_partial\`, \`xlog_index\`, \`xlog_rollup\`, \`timeline\`, \`basebackup\`, \`basebackup_chunk\`, \`basebackup_delta\` or \`basebackup_delta_chunk\`. \`where\` is one of:

| \`where\` | what failed |
|---|---|
${places.map(([where, what]) => `| \`${where}\` | ${what} |`).join('\n')}

## New ones

${table(ownMetrics)}

Buckets of histograms end at ${bucketSeconds.join(', ')} seconds.
`;
}

function table(metrics: readonly MetricDefinition[]): string {
  const rows = metrics.map((metric) => {
    const { name, kind, tags, unit, meaning, since } = metric;
    const tagTexts = tags.map((tag) => `\`${tag}\``).join(', ');
    return `| \`${name}\` | \`${prometheusName(metric)}\` | ${kind} | ${tagTexts} | ${unit} | ${since} | ${meaning} |`;
  });
  return ['| name | in Prometheus | kind | tags | unit | since | meaning |', '|---|---|---|---|---|---|---|', ...rows].join('\n');
}

/** The words of the original for where something failed, and what that is here. */
export const places: readonly (readonly [where: string, what: string])[] = [
  ['PGBaseBackup', 'taking a base backup'],
  ['check_pg_server_version', 'asking a server for its version'],
  ['compressor_run', 'compressing or encrypting a WAL file'],
  ['compressor_run_critical', 'the same, by the end of a worker thread'],
  ['delete_remote_basebackup', 'deleting a base backup, or a part of one, in the store'],
  ['delete_remote_wal_before', 'deleting WAL in the store'],
  ['handle_download', 'reading an object of the store'],
  ['handle_list', 'listing objects of the store'],
  ['handle_metadata', 'asking the store for an object’s size and metadata'],
  ['handle_upload', 'an upload, from its second failure on'],
  ['handle_upload_unlink', 'removing a file from the spool after its upload'],
  ['pghoard_run', 'a pass over a site'],
  ['read_persisted_progress', 'reading the state file at the start'],
  ['walreceiver_run', 'receiving WAL, also by `pg_receivewal`'],
  ['wal_file_deleter_delete_unneeded_files', 'removing received WAL after it was stored'],
  ['wal_file_deleter_run', 'looking for received WAL'],
  ['write_persisted_progress', 'writing the state file'],
];
