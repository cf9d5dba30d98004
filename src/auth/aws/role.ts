/** A role of the AWS method: what it may be bound to, and what must hold between its fields. */
import { refuse, t } from '../../kit/kit.ts'
import { type Settings } from '../../kit/stored-settings.ts'

export const roleFields = {
  auth_type: t.string({ help: 'iam or ec2.', default: 'iam', clear: true }),
  bound_account_id: t.list({ help: 'Accounts.' }),
  bound_ami_id: t.list({ help: 'Images.' }),
  bound_ec2_instance_id: t.list({ help: 'Instances.' }),
  bound_iam_instance_profile_arn: t.list({ help: 'ARNs of instance profiles.' }),
  bound_iam_principal_arn: t.list({ help: 'ARNs of users or roles; * at the end stands for any.' }),
  bound_iam_role_arn: t.list({ help: 'ARNs of roles of the instance.' }),
  bound_region: t.list({ help: 'Regions.' }),
  bound_subnet_id: t.list({ help: 'Subnets.' }),
  bound_vpc_id: t.list({ help: 'Virtual networks.' }),
  inferred_entity_type: t.string({ help: 'ec2_instance, or nothing.', clear: true }),
  inferred_aws_region: t.string({ help: 'Where inferred instances are.', clear: true }),
  resolve_aws_unique_ids: t.bool({
    help: 'Principals are kept by id.',
    default: true,
    clear: true,
  }),
  role_tag: t.string({ help: 'Tag of an instance that narrows its role.' }),
  allow_instance_migration: t.bool({ help: 'An instance may log in after it moved.', clear: true }),
  disallow_reauthentication: t.bool({ help: 'An instance logs in once only.', clear: true }),
}

const BOUND = Object.keys(roleFields).filter((name) => name.startsWith('bound_'))
const OF_INSTANCES = BOUND.filter(
  (name) => name !== 'bound_iam_principal_arn' && name !== 'bound_account_id',
)

/** These are empty lists where they were never given; one more is null. */
export const UNSET_ROLE: Settings = Object.fromEntries(
  BOUND.filter((name) => name !== 'bound_ec2_instance_id').map((name) => [name, []]),
)

export function checkRole(all: Settings): void {
  const set = (name: string) => ((all[name] as string[] | null)?.length ?? 0) > 0
  const { auth_type: type, inferred_entity_type: inferred } = all
  if (type !== 'iam' && type !== 'ec2') refuse('unrecognized auth_type; expected iam or ec2')
  if (inferred !== '' && inferred !== 'ec2_instance') {
    refuse('unrecognized inferred_entity_type; expected ec2_instance')
  }
  if (inferred !== '' && type !== 'iam') {
    refuse('specified inferred_entity_type but not allowing iam auth_type')
  }
  if ((inferred === '') !== (all['inferred_aws_region'] === '')) {
    refuse('inferred_entity_type and inferred_aws_region must be specified together')
  }
  if (!BOUND.some(set)) refuse('at least be one bound parameter should be specified on the role')
  if (set('bound_iam_principal_arn') && type !== 'iam') {
    refuse('specified bound_iam_principal_arn but not allowing iam auth_type')
  }
  const ofInstance = OF_INSTANCES.find(set)
  if (ofInstance && type !== 'ec2' && inferred === '') {
    refuse(`specified ${ofInstance} but not specifying ec2 auth_type or inferring ec2_instance`)
  }
}
