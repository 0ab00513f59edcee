/** What the HTTP API answers, as types and nothing else: all that a dashboard, or any other program that asks it, has to know of the daemon. */
export type { DrillEvidence } from '../../catalog/evidence/drill-evidence.ts';
export type { VerifyEvidence } from '../../catalog/evidence/verify-evidence.ts';
export type { CauseKind } from '../../catalog/recoverability/cause.ts';
export type { BackupState, SpanState } from '../../catalog/recoverability/recoverability.ts';
/** `GET /SITE/recoverability` */
export type { RecoverabilityDocument } from '../../catalog/recoverability/recoverability-document.ts';
/** `GET /SITE/plan?time=…`, and what it answers where the target cannot be restored. */
export type { PlanRefusalDocument, RestorePlanDocument } from '../../restore/plan/restore-plan-document.ts';
/** Part of `GET /status`, and most of `GET /SITE/status`. */
export type { HealthDocument } from '../health/health-document.ts';
/** `GET /status` */
export type { StatusDocument } from '../state-file.ts';
/** `GET /SITE/basebackup` */
export type { BasebackupListDocument } from './basebackup-list.ts';
/** `GET /SITE/commits?from=…&to=…&buckets=…` */
export type { CommitsDocument } from './commits-document.ts';
/** `GET /events` */
export type { LiveAlertDocument, LiveBeatDocument, LiveDaemonDocument, LiveSiteDocument } from './live.ts';
/** `GET /SITE/retention` */
export type { RetentionDocument } from './retention.ts';
/** `GET /SITE/status` */
export type { SiteStatusDocument } from './site-status.ts';
