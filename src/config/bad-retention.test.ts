import { siteWith, testBadConfigs } from './check-support.ts';

const problem = (key: string, message: string) => `backup_sites.main.${key}: ${message}`;

testBadConfigs([
  { name: 'a count of 0', content: siteWith({ basebackup_count: 0 }), problems: [problem('basebackup_count', 'must be at least 1')] },
  { name: 'a negative count', content: siteWith({ basebackup_count: -7 }), problems: [problem('basebackup_count', 'must be at least 1')] },
  {
    name: 'half a backup',
    content: siteWith({ basebackup_count: 1.5 }),
    problems: [problem('basebackup_count', 'must be a whole number, is 1.5')],
  },
  {
    name: 'NaN as text',
    content: siteWith({ basebackup_count: 'NaN' }),
    problems: [problem('basebackup_count', 'must be a number, is text')],
  },
  {
    name: 'a negative minimum',
    content: siteWith({ basebackup_count_min: -1 }),
    problems: [problem('basebackup_count_min', 'must be at least 0')],
  },
  {
    name: 'an age of 0',
    content: siteWith({ basebackup_age_days_max: 0 }),
    problems: [problem('basebackup_age_days_max', 'must be more than 0')],
  },
  {
    name: 'a negative age',
    content: siteWith({ basebackup_age_days_max: -1 }),
    problems: [problem('basebackup_age_days_max', 'must be more than 0')],
  },
  {
    name: 'a window of 0',
    content: siteWith({ recovery_window_days: 0 }),
    problems: [problem('recovery_window_days', 'must be more than 0')],
  },
  {
    name: 'a negative window',
    content: siteWith({ recovery_window_days: -7 }),
    problems: [problem('recovery_window_days', 'must be more than 0')],
  },
  {
    name: 'an endless window',
    content: siteWith({ recovery_window_days: 1e9 }),
    problems: [problem('recovery_window_days', 'must be at most 36500')],
  },
  {
    name: 'periods that are none',
    content: siteWith({ keep: { daily: -1, weekly: 0.5, monthly: '12', hourly: 3 } }),
    problems: [
      problem('keep.daily', 'must be at least 0'),
      problem('keep.weekly', 'must be a whole number, is 0.5'),
      problem('keep.monthly', 'must be a number, is text'),
      problem('keep.hourly', 'unknown key'),
    ],
  },
  {
    name: 'periods of which none is kept',
    content: siteWith({ keep: { daily: 0 } }),
    problems: [problem('keep', 'keeps nothing: give daily, weekly, monthly or yearly a number above 0, or leave it out')],
  },
  { name: 'a number of periods', content: siteWith({ keep: 7 }), problems: [problem('keep', 'must be an object, is a number')] },
]);
