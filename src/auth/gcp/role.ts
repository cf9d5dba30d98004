/** A role of the Google Cloud method, as it is kept and shown. */
import { refuse, t } from '../../kit/kit.ts'
import { type Settings } from '../../kit/stored-settings.ts'

const LABEL = /^[^:]+:[^:]*$/

export const roleFields = {
  type: t.string({ help: 'iam or gce.', clear: true }),
  bound_projects: t.list({ help: 'Projects.' }),
  bound_service_accounts: t.list({ help: 'Service accounts; * stands for any.' }),
  add_group_aliases: t.bool({ help: 'Projects and folders become groups.', clear: true }),
  max_jwt_exp: t.duration({
    help: 'The longest life of a token of iam.',
    default: 900,
    clear: true,
  }),
  allow_gce_inference: t.bool({ help: 'An instance may use it.', default: true, clear: true }),
  bound_zones: t.list({ help: 'Zones.' }),
  bound_regions: t.list({ help: 'Regions.' }),
  bound_instance_groups: t.list({ help: 'Instance groups.' }),
  bound_labels: t.list({ help: 'Labels, as key:value.' }),
  project_id: t.string({ help: 'Use bound_projects instead.', deprecated: true }),
  service_accounts: t.list({ help: 'Use bound_service_accounts instead.', deprecated: true }),
  bound_zone: t.string({ help: 'Use bound_zones instead.', deprecated: true }),
  bound_region: t.string({ help: 'Use bound_regions instead.', deprecated: true }),
  bound_instance_group: t.string({ help: 'Use bound_instance_groups instead.', deprecated: true }),
}

/** The old names, each with the new one that takes its value. */
const OLD = {
  project_id: 'bound_projects',
  service_accounts: 'bound_service_accounts',
  bound_zone: 'bound_zones',
  bound_region: 'bound_regions',
  bound_instance_group: 'bound_instance_groups',
}

function list(value: unknown): string[] {
  if (Array.isArray(value)) return value as string[]
  return typeof value === 'string' && value !== '' ? [value] : []
}

export function acceptRole(all: Settings): Settings {
  if (all['type'] === '') refuse('role type is required')
  if (all['type'] !== 'iam' && all['type'] !== 'gce') {
    refuse('role type is not supported; expected iam or gce')
  }
  const next: Record<string, unknown> = {}
  for (const [old, name] of Object.entries(OLD)) {
    next[name] = [...new Set([...list(all[name]), ...list(all[old])])]
    next[old] = undefined
  }
  if (all['type'] === 'iam' && list(next['bound_service_accounts']).length === 0) {
    refuse('IAM role type must have at least one service account')
  }
  if (!list(all['bound_labels']).every((label) => LABEL.test(label))) {
    refuse('invalid label; expected key:value')
  }
  return next
}

const OF_IAM = ['max_jwt_exp', 'allow_gce_inference']
const OF_GCE = ['bound_zones', 'bound_regions', 'bound_instance_groups', 'bound_labels']

/** Only what its type of role has, and of lists only those that hold something. */
export function shownRole(all: Settings): Record<string, unknown> {
  const others = all['type'] === 'iam' ? OF_GCE : OF_IAM
  const entries = Object.entries(all).filter(
    ([name, value]) =>
      !others.includes(name) && value !== null && !(Array.isArray(value) && value.length === 0),
  )
  const shown = Object.fromEntries(entries)
  const labels = list(shown['bound_labels']).map((label) => label.split(':', 2))
  return {
    ...shown,
    ...(labels.length > 0 && { bound_labels: Object.fromEntries(labels) }),
  }
}

export type ListChange = { add: string[]; remove: string[] }

/** A list with some of its items added and removed. */
export function changedList(before: unknown, change: ListChange): string[] {
  if (change.add.length === 0 && change.remove.length === 0) {
    refuse('must provide at least one value to add or remove')
  }
  const kept = list(before).filter((item) => !change.remove.includes(item))
  return [...new Set([...kept, ...change.add])]
}
