export interface CephPlace {
  readonly directory: string;
  readonly clusterId: string;
  readonly monitorPort: number;
  readonly port: number;
  /** File with the gateway's certificate and key. */
  readonly pem: string | undefined;
  readonly encrypts: boolean;
  /** Where its programs and libraries are unpacked; empty for the system's. */
  readonly root: string;
}

/** A key for the test's gateway to encrypt with. Nothing is protected by it. */
const encryptionKey = Buffer.alloc(32, 'test').toString('base64');

/** The gateway's key `test-key` for SSE-KMS. */
export const cephKmsKeyId = 'test-key';

/** The smallest cluster that answers quickly: no authentication among its parts, one copy of all, objects in memory. */
export function cephConfig(place: CephPlace): string {
  const { directory, monitorPort, port, pem } = place;
  const frontend = pem === undefined ? `endpoint=127.0.0.1:${port}` : `ssl_endpoint=127.0.0.1:${port} ssl_certificate=${pem}`;
  return `[global]
fsid = ${place.clusterId}
mon_host = [v2:127.0.0.1:${monitorPort}]
ms_bind_ipv4 = true
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
auth_cluster_required = none
auth_service_required = none
auth_client_required = none
ms_mon_client_mode = crc # else the gateway insists on a secure mode, which needs authentication
run_dir = ${directory}/run
admin_socket = ${directory}/run/$name.$pid.asok
log_file = ${directory}/$name.log
crash_dir = ${directory}/crash
err_to_stderr = true
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 4
osd_pool_default_pgp_num = 4
osd_pool_default_pg_autoscale_mode = off
osd_crush_chooseleaf_type = 0
mon_allow_pool_size_one = true
mon_allow_pool_delete = true
paxos_propose_interval = 0.05
paxos_min_wait = 0.01
osd_fast_shutdown_notify_mon = false
${place.root === '' ? '' : ownPlugins(place.root)}
[mon]
mon_data = ${directory}/mon
mon_data_avail_crit = 1
mon_data_avail_warn = 2
[osd]
osd_data = ${directory}/osd0
osd_objectstore = memstore
memstore_device_bytes = 8589934592
osd_memory_target = 939524096
[client]
rgw_frontends = beast ${frontend}
rgw_dns_name = s3.localhost
rgw_swift_account_in_url = false
rgw_enable_usage_log = false
rgw_usage_max_shards = 1
rgw_gc_max_objs = 4
rgw_lc_max_objs = 1
rgw_data_log_num_shards = 1
rgw_md_log_max_shards = 1
rgw_num_async_rados_threads = 4
rgw_thread_pool_size = 32
objecter_tick_interval = 0.5 # it waits for ticks while it starts
rgw_crypt_require_ssl = false
rgw_crypt_s3_kms_backend = testing
rgw_crypt_s3_kms_encryption_keys = ${cephKmsKeyId}=${encryptionKey}
${place.encrypts ? `rgw_crypt_default_encryption_key = ${encryptionKey}` : ''}
`;
}

function ownPlugins(root: string): string {
  const libraries = `${root}/usr/lib/${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}-linux-gnu`;
  return `osd_class_dir = ${libraries}/rados-classes
plugin_dir = ${libraries}/ceph
erasure_code_dir = ${libraries}/ceph/erasure-code
`;
}
