/** Folders in which objects are read one by one. */
export type FolderName = 'xlog' | 'timeline' | 'xlog_partial' | 'basebackup_delta';
