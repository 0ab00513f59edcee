import type { MetricDefinition } from './metric-definition.ts';
import { originalMetrics } from './original-metrics.ts';
import { ownMetrics } from './own-metrics.ts';

/** Every metric that the daemon knows. */
export const metricTable: readonly MetricDefinition[] = [...originalMetrics, ...ownMetrics];
