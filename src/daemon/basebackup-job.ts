import type { BasebackupJob, BasebackupMode } from '../basebackup/job.ts';
import type { SiteConfig } from '../config/load.ts';
import { resolveConninfo } from '../postgres/conninfo.ts';
import type { SettingsForSites } from './daemon-parts.ts';
import { sealingKey } from './site-keys.ts';
import { placeOf } from './site-programs.ts';

/** Turns the configuration of a site into what the next base backup is to do. */
export async function basebackupJob(
  config: SettingsForSites,
  site: SiteConfig,
  mode: BasebackupMode,
  origin: BasebackupJob['origin'],
): Promise<BasebackupJob> {
  const key = sealingKey(site);
  return {
    site: site.name,
    mode,
    format: site.basebackup_format,
    nodes: await Promise.all(site.nodes.map((node) => resolveConninfo(node.conninfo, process.env))),
    dataDirectory: site.pg_data_directory ?? undefined,
    seal: {
      compression: { ...compressionOf(config), threads: site.basebackup_compression_threads },
      publicKey: key?.publicKey,
      encryptionKeyId: key?.keyId,
      knownKeyIds: Object.keys(site.encryption_keys ?? {}),
    },
    chunkBytesMax: site.basebackup_chunk_size,
    verifyPages: site.basebackup_verify_checksums,
    delta: { fileBytesMin: site.basebackup_delta_mode_min_delta_file_size, bundleBytesMax: site.basebackup_delta_mode_chunk_size },
    chunksInProgress: site.basebackup_chunks_in_progress,
    threads: site.basebackup_threads ?? undefined,
    bytesPerSecondMax: site.basebackup_bytes_per_second_max ?? undefined,
    withWal: site.active_backup_mode === 'standalone_hot_backup',
    programs: placeOf('pg_basebackup', site, config),
    origin,
  };
}

/** Compression of one object, for WAL and base backups alike. */
export function compressionOf(config: SettingsForSites): { algorithm: 'snappy' | 'lzma' | 'zstd'; level: number } {
  const { algorithm, level } = config.compression;
  return { algorithm, level };
}
