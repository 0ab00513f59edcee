/** Kinds of objects as the state file and the metrics name them. */
export type UploadFileType =
  | 'xlog'
  | 'timeline'
  | 'xlog_partial'
  | 'xlog_index'
  | 'xlog_rollup'
  | 'basebackup'
  | 'basebackup_chunk'
  | 'basebackup_delta'
  | 'basebackup_delta_chunk';
